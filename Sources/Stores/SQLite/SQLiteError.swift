internal import GRDB
internal import Identity

extension StoreError {
    /// What went wrong in SQLite, for people: its own message, which names tables but never values.
    init(_ error: any Error, path: String) {
        guard let error = error as? DatabaseError else {
            self.init(.failed, "store \(path): \(error)")
            return
        }
        let reason = error.message ?? "SQLite error \(error.extendedResultCode.rawValue)"
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init(.busy, "store \(path): another process keeps it locked")
        case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
            self.init(
                .readOnly, "store \(path): it cannot be written; make the file and its folder writable (\(reason))")
        case .SQLITE_FULL:
            self.init(.full, "store \(path): the disk is full")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            self.init(
                .unreadable,
                "store \(path): it is damaged or not a SQLite database; restore it from a backup or move it away (\(reason))"
            )
        case .SQLITE_CANTOPEN, .SQLITE_IOERR, .SQLITE_PROTOCOL, .SQLITE_NOLFS:
            self.init(.unavailable, "store \(path): it cannot be read or written (\(reason))")
        default:
            self.init(.failed, "store \(path): \(reason)")
        }
    }
}
