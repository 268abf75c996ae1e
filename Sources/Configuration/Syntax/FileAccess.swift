internal import Glibc

/// How the configuration reaches the files that it names. `none` has no files, for fuzzing.
public struct FileAccess: Sendable {
    private let isDisk: Bool

    /// The file system.
    public static let disk = FileAccess(isDisk: true)
    /// Nothing can be found.
    public static let none = FileAccess(isDisk: false)

    /// Why a file cannot be read, for people.
    struct Failure: Error {
        let message: String
        var isMissing = false
    }

    struct Contents {
        let bytes: [UInt8]
        /// Permission bits.
        let mode: UInt32
    }

    /// The largest file that is read: certificates, keys and configurations are far smaller.
    static let largest = 4 << 20

    /// Reads a whole file. A folder or a device is refused; so is a pipe unless `allowsPipe`, since it may never end.
    func read(_ path: String, allowsPipe: Bool = false) throws(Failure) -> Contents {
        guard isDisk else { throw Failure(message: "No such file or directory", isMissing: true) }
        guard !path.utf8.contains(0) else { throw Failure(message: "its name has a NUL") }
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (allowsPipe ? 0 : O_NONBLOCK))
        guard descriptor >= 0 else {
            let code = errno
            throw Failure(message: Self.reason(code), isMissing: code == ENOENT)
        }
        defer { Glibc.close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw Failure(message: Self.reason(errno)) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFIFO where allowsPipe: break
        case S_IFDIR: throw Failure(message: "it is a folder")
        default: throw Failure(message: "it is not a regular file")
        }
        return Contents(bytes: try Self.drain(descriptor), mode: status.st_mode & 0o7777)
    }

    private static func drain(_ descriptor: Int32) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                throw Failure(message: reason(errno))
            }
            bytes.append(contentsOf: chunk[0..<count])
            if bytes.count > largest { throw Failure(message: "it is larger than \(largest >> 20) MiB") }
        }
    }

    private static func reason(_ code: Int32) -> String {
        switch code {
        case ENOENT: "No such file or directory"
        case EACCES: "Permission denied"
        case ENOTDIR: "Not a directory"
        case ELOOP: "Too many levels of symbolic links"
        case ENAMETOOLONG: "File name too long"
        default: "error \(code)"
        }
    }

    /// Whether there is a folder at `path`.
    func isFolder(_ path: String) -> Bool {
        guard isDisk else { return true }
        var status = stat()
        return unsafe stat(path.isEmpty ? "." : path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// What is at `path`, whatever its names: equal for two names of one file.
    func identity(_ path: String) -> String {
        var status = stat()
        guard isDisk, unsafe stat(path, &status) == 0 else { return path }
        return "\(status.st_dev):\(status.st_ino)"
    }

    /// The files that `pattern` (`*`, `?`, `[…]`) matches, sorted by their bytes.
    func matches(_ pattern: String) -> [String] {
        guard isDisk else { return [] }
        var found = unsafe glob_t()
        defer { unsafe globfree(&found) }
        guard unsafe glob(pattern, GLOB_NOSORT, nil, &found) == 0 else { return [] }
        var names: [String] = []
        for index in 0..<Int(unsafe found.gl_pathc) {
            if let name = unsafe found.gl_pathv[index] { names.append(unsafe String(cString: name)) }
        }
        return names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    }

    /// Whether the machine knows this user.
    func hasUser(_ name: String) -> Bool {
        guard isDisk else { return true }
        return unsafe getpwnam(name) != nil
    }
}
