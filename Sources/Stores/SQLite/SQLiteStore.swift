internal import GRDB
public import Identity
public import Policy
internal import Synchronization

/// The embedded store: one SQLite file in WAL mode that the gateway and the command line share.
///
/// `synchronous=FULL`: a write that returned survives `kill -9` and power loss. Readers never wait for the writer; a writer
/// waits for another process's, by default at most five seconds. Every call looks whether the path still leads to the file that was
/// opened: a file that is gone is an error, never an empty store, and one that was put in its place is opened.
public final class SQLiteStore: IdentityStore {
    private struct Opened {
        let pool: DatabasePool
        let file: FileIdentity
        /// How many files were open before; part of the change counter, since another file counts for itself.
        let generation: Int64
    }

    static let generationShift: Int64 = 40

    /// A file has one writer.
    public let writersAtOnce = 1

    let path: String
    private let busyTimeout: Duration
    private let opened: Mutex<Opened>

    /// Opens the store at `path`, brought to the newest schema; when there is none, makes it (and its folder), unless
    /// `creating` is false. Files that root makes are given to `owner`.
    public init(path: String, creating: Bool = true, owner: StoreOwner? = nil, busyTimeout: Duration = .seconds(5))
        throws(StoreError)
    {
        self.path = path
        self.busyTimeout = busyTimeout
        let files = StoreFiles(path: path, owner: owner)
        let first = try files.prepare(creating: creating) { () throws(StoreError) -> Opened in
            try Self.open(path, generation: 0, busyTimeout: busyTimeout)
        }
        opened = Mutex(first)
    }

    private static func open(_ path: String, generation: Int64, busyTimeout: Duration) throws(StoreError) -> Opened {
        var configuration = GRDB.Configuration()
        configuration.label = "gatehouse.store"
        configuration.busyMode = .timeout(busyTimeout / .seconds(1))
        configuration.maximumReaderCount = 4
        do {
            let pool = try DatabasePool(path: path, configuration: configuration)
            // After the pool has switched to WAL, which it does with `synchronous = NORMAL`.
            try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            let migrator = SQLiteSchema.migrator
            guard try !pool.read(migrator.hasBeenSuperseded) else {
                throw StoreError(.unreadable, "store \(path): a newer version of gatehouse wrote it; use that version")
            }
            try migrator.migrate(pool)
            guard let file = FileIdentity(path: path) else {
                throw StoreError(.unavailable, "store \(path): it went away while it was opened")
            }
            return Opened(pool: pool, file: file, generation: generation)
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(error, path: path)
        }
    }

    func current() throws(StoreError) -> (pool: DatabasePool, generation: Int64) {
        guard let file = FileIdentity(path: path) else {
            throw StoreError(.unavailable, "store \(path): the file is gone or cannot be reached")
        }
        return try opened.withLock { opened throws(StoreError) in
            if opened.file != file {
                let next = opened.generation + 1
                opened = try StoreFiles(path: path, owner: nil).prepare(creating: false) { () throws(StoreError) in
                    try Self.open(path, generation: next, busyTimeout: busyTimeout)
                }
            }
            return (opened.pool, opened.generation)
        }
    }

    func read<T>(_ body: (Database) throws -> T) throws(StoreError) -> T {
        let pool = try current().pool
        do { return try pool.read(body) } catch { throw StoreError(error, path: path) }
    }

    /// Everything as it is at one moment.
    func snapshot(_ body: (Database) throws(StoreError) -> Void) throws(StoreError) {
        let pool = try current().pool
        do { try pool.read { try body($0) } } catch let error as StoreError { throw error } catch {
            throw StoreError(error, path: path)
        }
    }

    func write<T>(_ body: (Database) throws -> T) throws(StoreError) -> T {
        let pool = try current().pool
        do { return try pool.write(body) } catch { throw StoreError(error, path: path) }
    }

    /// The keys that changed behind a reading of the counter; all of them in a file that was put in the place of another, and when one
    /// was deleted.
    public func keys(after counter: Int64) throws(StoreError) -> KeyChanges {
        let (pool, generation) = try current()
        let base = generation << Self.generationShift
        do {
            return try pool.read { database in
                let state = try Row.fetchOne(database, sql: "SELECT value, whole FROM change_sequence")
                let (value, whole): (Int64, Int64) = (state?["value"] ?? 0, state?["whole"] ?? 0)
                let known = counter - base
                let isWhole = known < whole || known > value
                let cursor = try Row.fetchCursor(
                    database, sql: "SELECT \(KeyRow.columns) FROM api_keys WHERE changed > ?",
                    arguments: [isWhole ? -1 : known])
                var records: [KeyRecord] = []
                while let row = try cursor.next() { records.append(try KeyRow.record(row)) }
                return KeyChanges(counter: base + value, records: records, isWhole: isWhole)
            }
        } catch { throw StoreError(error, path: path) }
    }

    /// The keys of one agent, or of all, oldest first.
    public func storedKeys(ofAgent agentID: String?) throws(StoreError) -> [StoredKey] {
        try read { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT \(KeyRow.columns) FROM api_keys WHERE ?1 IS NULL OR agent_id = ?1 ORDER BY created_at, rowid
                    """, arguments: [agentID])
            return try rows.map(KeyRow.storedKey)
        }
    }

    /// The key with this id.
    public func key(id: String) throws(StoreError) -> StoredKey? {
        try read { database in
            let sql = "SELECT \(KeyRow.columns) FROM api_keys WHERE id = ?"
            return try Row.fetchOne(database, sql: sql, arguments: [id]).map(KeyRow.storedKey)
        }
    }

    /// Adds a key.
    public func create(_ key: KeyRecord) throws(StoreError) {
        try write { try KeyRow.insert(key, into: $0) }
    }

    /// Adds `successor` and ends the key `id`, if that is neither revoked nor rotated.
    public func rotate(id: String, to successor: KeyRecord, graceUntil: Int64?, now: Int64) throws(StoreError) -> Bool {
        try write { database in
            try database.execute(
                sql: """
                    UPDATE api_keys SET grace_until = ?2, revoked_at = iif(?2 IS NULL, ?3, NULL), successor_id = ?4
                    WHERE id = ?1 AND revoked_at IS NULL AND grace_until IS NULL
                    """, arguments: [id, graceUntil, now, successor.id])
            guard database.changesCount == 1 else { return false }
            try KeyRow.insert(successor, into: database)
            return true
        }
    }

    /// Revokes the key as of `time` unless it was revoked before.
    public func revoke(id: String, at time: Int64) throws(StoreError) -> Bool {
        try write { database in
            // A key whose grace is over has been dead since then.
            let sql =
                "UPDATE api_keys SET revoked_at = min(?1, ifnull(grace_until, ?1)) WHERE id = ?2 AND revoked_at IS NULL"
            try database.execute(sql: sql, arguments: [time, id])
            if database.changesCount == 1 { return true }
            return try Bool.fetchOne(database, sql: "SELECT 1 FROM api_keys WHERE id = ?", arguments: [id]) ?? false
        }
    }

    /// Notes when keys were used, all of them in one transaction.
    public func record(uses: [KeyUse]) throws(StoreError) {
        try write { database in
            let statement = try database.cachedStatement(
                sql: "UPDATE api_keys SET last_used_at = ?1 WHERE id = ?2 AND ifnull(last_used_at, 0) < ?1")
            for use in uses { try statement.execute(arguments: [use.usedAt, use.keyID]) }
        }
    }

    /// Another number after every change, whichever process made it: one row read by its primary key.
    public func changeCounter() throws(StoreError) -> Int64 {
        let (pool, generation) = try current()
        do {
            let value = try pool.read { try Int64.fetchOne($0, sql: "SELECT value FROM change_sequence") }
            return (generation << Self.generationShift) + (value ?? 0)
        } catch { throw StoreError(error, path: path) }
    }

    /// The log of revocations behind a place, or, in a file that was put in the place of another, all of it.
    public func revocations(after sequence: Int64, now: Int64) throws(StoreError) -> RevocationLog {
        let (pool, generation) = try current()
        let base = generation << Self.generationShift
        let isWhole = sequence < base
        do {
            return try pool.read { database in
                let rows = try Row.fetchAll(
                    database,
                    sql: """
                        SELECT sequence, kind, subject, moment, until FROM revocations
                        WHERE sequence > ? AND until > ? ORDER BY sequence
                        """, arguments: [isWhole ? 0 : sequence - base, now])
                let last = try Int64.fetchOne(
                    database, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'revocations'")
                return RevocationLog(
                    sequence: base + (last ?? 0), entries: rows.compactMap(RevocationRow.revocation), isWhole: isWhole)
            }
        } catch { throw StoreError(error, path: path) }
    }

    /// Throws unless something can be written now.
    public func usable() throws(StoreError) {
        let pool = try current().pool
        do {
            try pool.writeWithoutTransaction { database in
                try database.inTransaction(.immediate) {
                    // A number in the file's head that means nothing here: only a write that is committed tells of a full disk.
                    let version = try Int32.fetchOne(database, sql: "PRAGMA user_version") ?? 0
                    try database.execute(sql: "PRAGMA user_version = \(version == 0 ? 1 : 0)")
                    return .commit
                }
            }
        } catch { throw StoreError(error, path: path) }
    }
}

/// What tests need to see of the connection, or do to it.
extension SQLiteStore {
    func pragma(_ name: String) throws(StoreError) -> String? {
        let pool = try current().pool
        do {
            return try pool.writeWithoutTransaction { try String.fetchOne($0, sql: "PRAGMA \(name)") }
        } catch { throw StoreError(error, path: path) }
    }

    func checkpoint() throws(StoreError) { _ = try pragma("wal_checkpoint(TRUNCATE)") }

    func limitPages(to count: Int) throws(StoreError) { _ = try pragma("max_page_count = \(count)") }
}
