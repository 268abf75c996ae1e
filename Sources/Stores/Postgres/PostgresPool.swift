internal import Dispatch
internal import Synchronization

/// The connections of a store, lent to one caller at a time; at most `connectionsAtMost`.
///
/// A connection that the server has ended is noticed when it is lent, and another one opened. `generation` counts the databases that
/// were seen behind the address: after a fail-over or a restored backup, places in logs and counters mean nothing any more.
final class PostgresPool: Sendable {
    /// Connections at once.
    static let connectionsAtMost = 10
    /// After a failed attempt to connect, the next callers get its failure for so long.
    private static let pause = Duration.milliseconds(300)
    /// How long a caller waits for a connection that others have.
    private static let slotPatience = DispatchTimeInterval.seconds(5)
    /// Attempts of a transaction that others stand in the way of.
    private static let attemptsAtMost = 5

    /// A connection, and which database it leads to.
    struct Lent {
        let connection: PostgresConnection
        let generation: Int64
        fileprivate let isUsed: Bool
    }

    private struct State {
        var idle: [PostgresConnection] = []
        var database: String?
        /// The tables that counters were read from, by name: a schema that was restored has others.
        var tables: [String: Int64] = [:]
        var generation: Int64 = 0
        /// Which server let it in last.
        var server = 0
        var failure: (failure: PostgresFailure, at: ContinuousClock.Instant)?
        /// The last time that somebody waited for the log's lock in vain.
        var logFailure: (failure: PostgresFailure, at: ContinuousClock.Instant)?

        /// Another generation: what is connected belongs to the one before.
        mutating func begin() {
            generation += 1
            idle = []
            tables = [:]
        }
    }

    private let servers: PostgresServers
    /// Called when another database is behind the address.
    private let moved: @Sendable () -> Void
    private let slots = DispatchSemaphore(value: connectionsAtMost)
    private let state = Mutex(State())

    /// A pool that has no connection yet.
    init(_ servers: PostgresServers, moved: @escaping @Sendable () -> Void) {
        self.servers = servers
        self.moved = moved
    }

    /// Runs statements that only read; a second time where a connection turns out to be dead.
    func read<Result>(
        _ body: (Lent) throws(PostgresFailure) -> Result
    ) throws(PostgresFailure) -> Result {
        try withSlot { () throws(PostgresFailure) in
            let first = try take(fresh: false)
            do throws(PostgresFailure) { return try use(first, body) } catch {
                guard error.isLost, first.isUsed else { throw error }
            }
            return try use(take(fresh: true), body)
        }
    }

    /// What a transaction is for.
    enum Purpose {
        case rows
        /// It takes the log's lock, too.
        case log
        /// It makes the tables.
        case schema
    }

    /// Runs a transaction, anew where others stood in its way. One whose commit got lost may have happened: nobody can tell.
    func write<Result>(
        _ purpose: Purpose, _ body: (PostgresConnection) throws(PostgresFailure) -> Result
    ) throws(PostgresFailure) -> Result {
        // Who waits for the log keeps others from the service: not each for as long.
        if purpose == .log, let last = state.withLock({ $0.logFailure }), last.at.duration(to: .now) < Self.pause {
            throw last.failure
        }
        return try withSlot { () throws(PostgresFailure) in
            var attempt = 1
            while true {
                let lent = try begin(purpose)
                do throws(PostgresFailure) {
                    return try use(lent) { lent throws(PostgresFailure) in try Self.finish(lent.connection, body) }
                } catch {
                    if purpose == .log, error.state == "55P03" { state.withLock { $0.logFailure = (error, .now) } }
                    guard error.isWorthAnotherTry, attempt < Self.attemptsAtMost else { throw error }
                    attempt += 1
                }
            }
        }
    }

    /// Throws when the table that a counter was read from is another than before: then nothing that was read of it counts.
    func check(_ table: String, _ number: Int64, _ lent: Lent) throws(PostgresFailure) {
        let isSame = state.withLock { state in
            guard lent.generation == state.generation else { return false }
            let known = state.tables[table] ?? number
            if known != number { state.begin() }
            state.tables[table] = number
            return known == number
        }
        guard !isSame else { return }
        moved()
        throw PostgresFailure("the tables are others than before", isLost: true)
    }

    private func withSlot<Result>(
        _ body: () throws(PostgresFailure) -> Result
    ) throws(PostgresFailure) -> Result {
        guard slots.wait(timeout: .now() + Self.slotPatience) == .success else {
            throw PostgresFailure(
                "all \(Self.connectionsAtMost) connections have been in use for too long", state: "55P03")
        }
        defer { slots.signal() }
        return try body()
    }

    private func begin(_ purpose: Purpose) throws(PostgresFailure) -> Lent {
        let first = try take(fresh: false)
        do throws(PostgresFailure) {
            try Self.begin(purpose, first.connection)
            return first
        } catch { guard error.isLost, first.isUsed else { throw error } }
        let second = try take(fresh: true)
        try Self.begin(purpose, second.connection)
        return second
    }

    /// Whatever the database's default is, the statements count on a view of what is committed, at each; and on tables that are all there:
    /// while they are restored, nothing is written, and nobody is told that something is not.
    private static func begin(_ purpose: Purpose, _ connection: PostgresConnection) throws(PostgresFailure) {
        let sql = "BEGIN ISOLATION LEVEL READ COMMITTED"
        guard purpose != .schema else { return _ = try connection.query(sql) }
        guard try connection.run("\(sql); SELECT \(PostgresSchema.isWhole)").first?.isTrue(0) == true else {
            throw PostgresSchema.halfMade
        }
    }

    private static func finish<Result>(
        _ connection: PostgresConnection, _ body: (PostgresConnection) throws(PostgresFailure) -> Result
    ) throws(PostgresFailure) -> Result {
        do throws(PostgresFailure) {
            let result = try body(connection)
            guard try connection.query("COMMIT").command == "COMMIT" else {
                throw PostgresFailure("the transaction was rolled back")
            }
            return result
        } catch {
            if !error.isLost, !connection.isIdle { _ = try? connection.query("ROLLBACK") }
            throw error
        }
    }

    private func use<Result>(
        _ lent: Lent, _ body: (Lent) throws(PostgresFailure) -> Result
    ) throws(PostgresFailure) -> Result {
        defer { giveBack(lent) }
        return try body(lent)
    }

    private func giveBack(_ lent: Lent) {
        guard lent.connection.isIdle else { return }
        state.withLock { state in
            if state.generation == lent.generation { state.idle.append(lent.connection) }
        }
    }

    private func take(fresh: Bool) throws(PostgresFailure) -> Lent {
        if fresh { state.withLock { $0.idle = [] } }
        while let found = state.withLock({ state in state.idle.popLast().map { ($0, state.generation) } }) {
            // An idle connection says something only when the server ends it.
            if found.0.consume() { return Lent(connection: found.0, generation: found.1, isUsed: true) }
        }
        return try open()
    }

    private func open() throws(PostgresFailure) -> Lent {
        if let last = state.withLock({ $0.failure }), last.at.duration(to: .now) < Self.pause { throw last.failure }
        do throws(PostgresFailure) {
            var place = state.withLock { $0.server }
            let connection = try servers.connect(from: &place)
            let database = try PostgresSession.database(connection)
            let (generation, isOther) = state.withLock { state in
                let isOther = state.database != nil && state.database != database
                if isOther { state.begin() }
                state.database = database
                state.server = place
                state.failure = nil
                return (state.generation, isOther)
            }
            if isOther { moved() }
            return Lent(connection: connection, generation: generation, isUsed: false)
        } catch {
            state.withLock { $0.failure = (error, .now) }
            throw error
        }
    }
}
