public import Configuration
public import Identity
internal import Policy

/// The store of many gateways: a PostgreSQL database that they and the command line share.
///
/// A write that returned is durable. A transaction that others stand in the way of is begun anew; every wait has a bound. A connection
/// that has ended is replaced in passing, so that a restart or a fail-over of the server heals by itself. One thing nobody can
/// tell: whether a commit happened whose connection broke before the answer; it throws.
public final class PostgresStore: IdentityStore {
    static let generationShift: Int64 = 40

    /// Each has a connection, and some are left for what else asks.
    public let writersAtOnce = 6

    let name: String
    private let pool: PostgresPool
    private let listener: PostgresListener

    /// Connects, and brings the tables to the newest version; when there are none, makes them, unless `creating` is false.
    public init(_ location: PostgresLocation, creating: Bool = true) throws(StoreError) {
        name = location.name
        let servers = PostgresServers(location.settings)
        let listener = PostgresListener(servers)
        self.listener = listener
        pool = PostgresPool(servers) { [weak listener] in listener?.restart() }
        guard creating else { return }
        try write(.schema) { connection throws(PostgresFailure) in try PostgresSchema.migrate(connection) }
    }

    /// Whether the tables are there.
    public func isThere() throws(StoreError) -> Bool {
        try read { connection throws(PostgresFailure) in try PostgresSchema.isThere(connection) }
    }

    func read<Result>(
        _ body: (PostgresConnection) throws(PostgresFailure) -> Result
    ) throws(StoreError) -> Result {
        try lent { lent throws(PostgresFailure) in try body(lent.connection) }
    }

    /// Reads with knowledge of which database it is.
    func lent<Result>(
        _ body: (PostgresPool.Lent) throws(PostgresFailure) -> Result
    ) throws(StoreError) -> Result {
        do throws(PostgresFailure) { return try pool.read(body) } catch { throw error.error(name) }
    }

    func write<Result>(
        _ purpose: PostgresPool.Purpose = .rows,
        _ body: (PostgresConnection) throws(PostgresFailure) -> Result
    ) throws(StoreError) -> Result {
        do throws(PostgresFailure) { return try pool.write(purpose, body) } catch { throw error.error(name) }
    }

    /// Another number after every change, whichever process made it, and for another database: one row. A standby does not count as
    /// heard: it may be far behind.
    public func changeCounter() throws(StoreError) -> Int64 {
        try lent { lent throws(PostgresFailure) in
            let sql = """
                SELECT value, tableoid::bigint, pg_is_in_recovery() FROM gatehouse.key_changes WHERE \(PostgresSchema.countsKeys)
                """
            guard let row = try lent.connection.query(sql).first else { throw PostgresSchema.halfMade }
            guard !row.isTrue(2) else { throw PostgresFailure("it is a standby", state: "25006") }
            try pool.check("key_changes", row.known(row.integer(1)), lent)
            return try (lent.generation << Self.generationShift) + row.known(row.integer(0))
        }
    }

    /// The log of revocations behind a place; all of it in another database, or in one that was set back.
    public func revocations(after sequence: Int64, now: Int64) throws(StoreError) -> RevocationLog {
        try lent { lent throws(PostgresFailure) in
            let base = lent.generation << Self.generationShift
            let known = sequence - base
            if known >= 0 {
                let log = try PostgresRevocations.log(after: known, now: now, lent.connection)
                try pool.check("revocation_count", log.table, lent)
                if known <= log.last {
                    return RevocationLog(sequence: base + log.last, entries: log.entries, isWhole: false)
                }
            }
            let log = try lent.connection.unhurried { () throws(PostgresFailure) in
                try PostgresRevocations.log(after: -1, now: now, lent.connection)
            }
            try pool.check("revocation_count", log.table, lent)
            return RevocationLog(sequence: base + log.last, entries: log.entries, isWhole: true)
        }
    }

    /// Throws when the table that a counter was read from is another than before.
    func check(_ table: String, _ number: Int64, _ lent: PostgresPool.Lent) throws(PostgresFailure) {
        try pool.check(table, number, lent)
    }

    /// Throws unless the store can be read, and the server accepts writes.
    public func usable() throws(StoreError) {
        try read { connection throws(PostgresFailure) in
            let sql = """
                SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
                    has_table_privilege('gatehouse.sessions', 'INSERT')
                        AND has_table_privilege('gatehouse.tickets', 'SELECT')
                        AND has_table_privilege('gatehouse.tickets', 'INSERT')
                        AND has_table_privilege('gatehouse.tickets', 'UPDATE')
                        AND has_table_privilege('gatehouse.tickets', 'DELETE')
                FROM gatehouse.key_changes
                """
            guard let row = try connection.query(sql).first else { throw PostgresSchema.halfMade }
            guard !row.isTrue(0) else { throw PostgresFailure("it is read only", state: "25006") }
            guard row.isTrue(1) else {
                throw PostgresFailure("it may not write to gatehouse.sessions or gatehouse.tickets", state: "42501")
            }
        }
    }

    /// Calls `changed` whenever a process has changed something, as soon as the server says so.
    public func watch(_ changed: @escaping @Sendable () -> Void) { listener.start(changed) }
}
