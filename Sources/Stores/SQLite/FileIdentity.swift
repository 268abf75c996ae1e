internal import Glibc

/// Which file a path leads to now: two identities differ when the file was replaced.
struct FileIdentity: Equatable, Sendable {
    let device: UInt64
    let inode: UInt64

    /// `nil` when there is nothing at the path, or it cannot be looked at.
    init?(path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }
}
