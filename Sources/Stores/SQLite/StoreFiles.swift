internal import Glibc
internal import Identity

/// The files of a SQLite store on disk: made before SQLite sees them, so that no byte of them was ever readable by others.
///
/// SQLite gives `-wal` and `-shm` the mode and, as root, the owner of the database file. An existing database is never opened
/// here: closing any descriptor of it would drop the POSIX locks that SQLite holds in this process.
struct StoreFiles {
    let path: String
    let owner: StoreOwner?

    private var folder: String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Makes the folder and an empty file when they are missing and may be made, closes existing ones to others, and then
    /// runs `body`; only one process at a time does so for stores in this folder.
    func prepare<Result>(
        creating: Bool, _ body: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        if creating { try makeFolder(folder) }
        let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("its folder cannot be opened") }
        defer { close(descriptor) }
        try lock(descriptor)
        var status = stat()
        if unsafe stat(path, &status) == 0 {
            try closeToOthers(status)
        } else if errno == ENOENT, creating {
            try makeFile(syncing: descriptor)
        } else {
            throw failure("it cannot be opened")
        }
        return try body()
    }

    private func makeFolder(_ folder: String) throws(StoreError) {
        var status = stat()
        if unsafe stat(folder, &status) == 0 { return }
        guard errno == ENOENT else { throw failure("its folder cannot be opened") }
        let trimmed = String(folder.reversed().drop { $0 == "/" }.reversed())
        let parent = StoreFiles(path: trimmed, owner: owner).folder
        try makeFolder(parent)
        guard unsafe mkdir(folder, 0o700) == 0 || errno == EEXIST else {
            throw failure("its folder cannot be created")
        }
        try give(folder)
        let descriptor = unsafe open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if descriptor >= 0 {
            fsync(descriptor)
            close(descriptor)
        }
    }

    private func makeFile(syncing folder: Int32) throws(StoreError) {
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure("it cannot be created") }
        defer { close(descriptor) }
        try give(path)
        guard fsync(descriptor) == 0, fsync(folder) == 0 else { throw failure("it cannot be written") }
    }

    private func closeToOthers(_ status: stat) throws(StoreError) {
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw StoreError(.unavailable, "store \(path): it is not a file")
        }
        for name in [path, path + "-wal", path + "-shm"] {
            var status = stat()
            guard unsafe stat(name, &status) == 0 else { continue }
            if status.st_uid == 0 { try give(name) }
            guard status.st_mode & 0o077 != 0 else { continue }
            guard unsafe chmod(name, status.st_mode & 0o700) == 0 else {
                throw StoreError(
                    .unavailable, "store \(path): others can read \(name) and that cannot be changed; chmod 600 it")
            }
        }
    }

    private func give(_ name: String) throws(StoreError) {
        guard let owner, geteuid() == 0 else { return }
        guard unsafe chown(name, owner.userID, owner.groupID) == 0 else {
            throw failure("\(name) cannot be given to the user that serves")
        }
    }

    /// At most 5 s: who holds it migrates a store, which takes moments.
    private func lock(_ folder: Int32) throws(StoreError) {
        for _ in 0..<500 {
            if flock(folder, LOCK_EX | LOCK_NB) == 0 { return }
            guard errno == EWOULDBLOCK || errno == EINTR else { return }  // a file system without locks
            usleep(10_000)
        }
        throw StoreError(.busy, "store \(path): another process has locked its folder for five seconds")
    }

    private func failure(_ what: String) -> StoreError {
        let code = errno
        let reason = unsafe String(cString: strerror(code))
        let kind: StoreError.Kind =
            switch code {
            case EROFS, EACCES, EPERM: .readOnly
            case ENOSPC, EDQUOT: .full
            default: .unavailable
            }
        return StoreError(kind, "store \(path): \(what): \(reason)")
    }
}
