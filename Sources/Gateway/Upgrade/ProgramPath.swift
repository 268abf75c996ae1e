import CLinux
import Glibc

/// The file that this program was started from, as `argv[0]` names it. Symbolic links stay: what they point to at an
/// upgrade is what is started.
enum ProgramPath {
    /// An absolute path; looked for along `PATH` when the name has no slash.
    static func find(_ name: String) -> String {
        if name.hasPrefix("/") { return name }
        if name.contains("/") { return workingDirectory() + "/" + name }
        guard let value = unsafe getenv("PATH") else { return name }
        for folder in unsafe String(cString: value).split(separator: ":") {
            let path = "\(folder)/\(name)"
            if unsafe access(path, X_OK) == 0 { return path.hasPrefix("/") ? path : workingDirectory() + "/" + path }
        }
        return name
    }

    private static func workingDirectory() -> String {
        guard let path = unsafe getcwd(nil, 0) else { return "." }
        defer { unsafe free(path) }
        return unsafe String(cString: path)
    }
}
