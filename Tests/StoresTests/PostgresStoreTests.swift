import Configuration
import Dispatch
import Glibc
import Identity
import JOSE
import Policy
import Synchronization
import Testing

@testable import Stores

@Suite("PostgresStore: what a server of its own brings with it", .enabled(if: PostgresServer.settings != nil))
struct PostgresStoreTests {
    private static let now: Int64 = 1_800_000_000
    private let bed: StoreBed

    init() throws { bed = try StoreBed(.postgres) }

    private func open(_ more: [String: String] = [:], creating: Bool = true) throws -> PostgresStore {
        try PostgresStore(PostgresServer.location(bed.database, more), creating: creating)
    }

    private func failure(_ body: () throws -> Void) -> StoreError? {
        do {
            try body()
            return nil
        } catch { return error as? StoreError }
    }

    /// Ends every connection to the database but the caller's.
    private func cutConnections() throws {
        try PostgresServer.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(bed.database)'")
    }

    // MARK: Opening

    @Test("tables are made once, never by who only reads, and not touched when a newer version made them")
    func versions() throws {
        let reader = try open(creating: false)
        #expect(try !reader.isThere())
        #expect(failure { _ = try reader.keys() }?.kind == .unreadable)
        let store = try open()
        try store.create(Fixtures.key("a"))
        #expect(try reader.isThere() && reader.keys().count == 1)
        _ = try open()
        try PostgresServer.run("UPDATE gatehouse.version SET value = value + 1", in: bed.database)
        let error = failure { _ = try open() }
        #expect(error?.kind == .unreadable && error?.message.contains("newer version") == true)
    }

    @Test("a role needs no more than the schema; without that it is told what it lacks")
    func rights() throws {
        let role = bed.database
        try PostgresServer.run("CREATE ROLE \(role) LOGIN")
        defer { try? PostgresServer.run("DROP OWNED BY \(role); DROP ROLE \(role)", in: bed.database) }
        let error = failure { _ = try open(["user": role]) }
        #expect(error?.kind == .unreadable && error?.message.contains("own the schema 'gatehouse'") == true)
        try PostgresServer.run("CREATE SCHEMA gatehouse AUTHORIZATION \(role)", in: bed.database)
        let store = try open(["user": role])
        try store.create(Fixtures.key("a"))
        #expect(try store.changeCounter() == 2)
    }

    // MARK: A server that goes away

    @Test("connections that the server has ended are replaced, for reads and for writes")
    func cut() throws {
        let store = try open()
        try store.create(Fixtures.key("a"))
        try cutConnections()
        #expect(try store.keys().count == 1)
        try cutConnections()
        try store.create(Fixtures.key("b"))
        #expect(try store.keys().count == 2)
        #expect(try store.changeCounter() == 3, "the same server: no other generation")
    }

    @Test("a server that is not there, or says nothing, is unavailable, soon, and its name has no password")
    func absent() throws {
        let silent = try ListeningSocket()
        for settings in [["port": "1"], ["port": silent.port]] {
            let begun = ContinuousClock.now
            let more = settings.merging(["host": "127.0.0.1", "password": "hunter2", "sslmode": "prefer"]) { $1 }
            let error = failure { _ = try open(more) }
            #expect(error?.kind == .unavailable)
            #expect(error?.message.contains("hunter2") == false)
            #expect(begun.duration(to: .now) < .seconds(10))
        }
    }

    @Test(
        "whatever the database's default, of many who spend a ticket at once one gets it, and the others hear that it is gone"
    )
    func isolation() throws {
        _ = try open()
        try PostgresServer.run("ALTER DATABASE \(bed.database) SET default_transaction_isolation = serializable")
        let stores = [try open(), try open()]
        let digest = SHA256().hash([1].span)
        for _ in 0..<10 {
            let ticket = StoredTicket(digest: digest, holder: digest, sealed: [1], end: 2_000)
            #expect(try stores[0].keep(ticket, nowMilliseconds: 1_000) == .kept)
            let outcomes = Mutex<[String]>([])
            DispatchQueue.concurrentPerform(iterations: 8) { index in
                let outcome: String
                do throws(StoreError) {
                    let found = try stores[index % 2].takeTicket(digest, nowMilliseconds: 1_000)
                    outcome = found == nil ? "gone" : "taken"
                } catch { outcome = "\(error)" }
                outcomes.withLock { $0.append(outcome) }
            }
            #expect(outcomes.withLock(\.self).sorted() == Array(repeating: "gone", count: 7) + ["taken"])
        }
    }

    @Test("a database that takes no writes is said to be read only, and can be read")
    func readOnly() throws {
        let store = try open()
        try store.create(Fixtures.key("a"))
        try store.usable()
        try PostgresServer.run("ALTER DATABASE \(bed.database) SET default_transaction_read_only = on")
        let other = try open(creating: false)
        #expect(failure { try other.usable() }?.kind == .readOnly)
        #expect(failure { try other.create(Fixtures.key("b")) }?.kind == .readOnly)
        #expect(try other.keys().count == 1)
    }

    @Test("a commit is durable although the database would rather not wait")
    func durability() throws {
        try PostgresServer.run("ALTER DATABASE \(bed.database) SET synchronous_commit = off")
        let setting = try open().read { connection throws(PostgresFailure) in
            try connection.query("SHOW synchronous_commit").first?.text(0)
        }
        #expect(setting == "on")
    }

    // MARK: Others at the same time

    @Test("transactions that wait for each other are both carried out")
    func deadlock() throws {
        let store = try open()
        for id in ["a", "b"] { try store.create(Fixtures.key(id)) }
        let both = DispatchSemaphore(value: 0)
        let other = DispatchSemaphore(value: 0)
        let attempts = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: 2) { index in
            #expect(throws: Never.self) {
                try store.write { connection throws(PostgresFailure) in
                    let isFirst = attempts.add(1, ordering: .relaxed).newValue <= 2
                    let ids = index == 0 ? ["a", "b"] : ["b", "a"]
                    let sql = "UPDATE gatehouse.api_keys SET last_used_at = coalesce(last_used_at, 0) + 1 WHERE id = $1"
                    try connection.query(sql, [ids[0]])
                    if isFirst {
                        (index == 0 ? both : other).signal()
                        (index == 0 ? other : both).wait()
                    }
                    try connection.query(sql, [ids[1]])
                }
            }
        }
        #expect(attempts.load(ordering: .relaxed) > 2, "one of them began anew")
        #expect(try store.storedKeys(ofAgent: nil).map(\.lastUsedAt) == [2, 2])
    }

    @Test("who reads the log up to a place has everything before it, whoever commits first")
    func orderOfLog() throws {
        let stores = [try open(), try open()]
        let first = try stores[0].revocations(after: -1, now: Self.now).sequence
        let (isOpen, isDone) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        DispatchQueue.concurrentPerform(iterations: 2) { index in
            #expect(throws: Never.self) {
                guard index == 0 else {
                    isOpen.wait()
                    try stores[1].revokeToken("second", until: Self.now + 9)
                    isDone.signal()
                    return
                }
                try stores[0].write { connection throws(PostgresFailure) in
                    try PostgresRevocations.append(
                        [.token("first", until: Self.now + 9)], now: Self.now, to: connection)
                    isOpen.signal()
                    // A sequence of PostgreSQL's would let the second be seen now, and the first never.
                    _ = isDone.wait(timeout: .now() + .milliseconds(300))
                }
            }
        }
        let log = try stores[0].revocations(after: first, now: Self.now)
        #expect(log.entries == [.token("first", until: Self.now + 9), .token("second", until: Self.now + 9)])
        #expect(log.sequence == first + 2 && !log.isWhole)
    }

    @Test("a log that was set back is read whole, and so is another database's")
    func setBack() throws {
        let store = try open()
        for number in 0..<5 { try store.revokeToken("t\(number)", until: Self.now + 9) }
        let log = try store.revocations(after: -1, now: Self.now)
        #expect(log.sequence == 5 && log.isWhole)
        try PostgresServer.run(
            "UPDATE gatehouse.revocation_count SET value = 2; DELETE FROM gatehouse.revocations WHERE sequence > 2",
            in: bed.database)
        let back = try store.revocations(after: log.sequence, now: Self.now)
        #expect(back.isWhole && back.sequence == 2 && back.entries.count == 2)
        // As after a restored backup: the database has another number, and the store another generation.
        let backup = "\(bed.database)_backup"
        try cutConnections()
        try PostgresServer.run("ALTER DATABASE \(bed.database) RENAME TO \(backup)")
        try PostgresServer.run("CREATE DATABASE \(bed.database) TEMPLATE \(backup)")
        try PostgresServer.run("DROP DATABASE \(backup)")
        let restored = try store.revocations(after: back.sequence, now: Self.now)
        #expect(restored.isWhole && restored.entries.count == 2 && restored.sequence > back.sequence)
        #expect(try store.changeCounter() > 1 << PostgresStore.generationShift)
    }

    @Test("a change is told of at once, whoever made it, and also behind a connection that broke")
    func watching() throws {
        let (store, other) = (try open(), try open())
        let heard = DispatchSemaphore(value: 0)
        store.watch { heard.signal() }
        func hears(_ what: Comment) { #expect(heard.wait(timeout: .now() + .seconds(5)) == .success, what) }
        hears("it has begun to listen")
        try other.create(Fixtures.key("a"))
        hears("a key")
        try other.revokeToken("t", until: Self.now)
        hears("a revocation")
        try other.record(uses: [KeyUse(keyID: "a", usedAt: Self.now)])
        #expect(heard.wait(timeout: .now() + .milliseconds(100)) == .timedOut, "a use is no change")
        try cutConnections()
        hears("it listens again, and may have missed something")
        _ = try other.revoke(id: "a", at: Self.now)
        hears("a key that is revoked")
    }

    @Test("tables that were restored in place are others: everything is read again, whatever their counters say")
    func restoredInPlace() throws {
        let store = try open()
        try store.create(Fixtures.key("a"))
        try store.revokeToken("t", until: Self.now + 9)
        let (log, keys) = (try store.revocations(after: -1, now: Self.now), try store.keys(after: -1))
        try PostgresServer.run("DROP SCHEMA gatehouse CASCADE", in: bed.database)
        #expect(failure { _ = try store.changeCounter() }?.kind == .unreadable)
        let other = try open()
        for id in ["b", "c", "d"] { try other.create(Fixtures.key(id)) }
        for id in ["u", "v", "w"] { try other.revokeToken(id, until: Self.now + 9) }
        // Who has a connection of before hears of it once more.
        _ = try? store.changeCounter()
        _ = try? store.revocations(after: log.sequence, now: Self.now)
        #expect(try store.changeCounter() > keys.counter)
        let fresh = try store.keys(after: keys.counter)
        #expect(fresh.isWhole && fresh.records.map(\.id).sorted() == ["b", "c", "d"])
        let entries = try store.revocations(after: log.sequence, now: Self.now)
        #expect(entries.isWhole && entries.entries.count == 3)
    }

    @Test(
        "a schema whose triggers are not there yet is not read: a restore has them last",
        arguments: ["api_keys", "revocations"])
    func halfRestored(table: String) throws {
        let store = try open()
        try store.revokeToken("t", until: Self.now + 9)
        try PostgresServer.run("ALTER TABLE gatehouse.\(table) DISABLE TRIGGER USER", in: bed.database)
        let error = failure {
            _ = try store.changeCounter()
            _ = try store.revocations(after: 0, now: Self.now)
        }
        #expect(error?.kind == .unreadable && error?.message.contains("triggers") == true)
        try PostgresServer.run("ALTER TABLE gatehouse.\(table) ENABLE TRIGGER USER", in: bed.database)
        #expect(try store.changeCounter() == 1)
    }

    @Test("while a schema is half restored nothing is written, and nobody is told that something is not")
    func nothingIsLostInARestore() throws {
        let store = try open()
        let user = User(id: "u", email: "u@example.com", firstName: "", lastName: "", createdAt: Self.now)
        _ = try store.create([StoredUser(user: user, passwordHash: "x")])
        let pair = TokenPair(FreshPair(now: Self.now, lifetime: 9), sessionID: "s", userID: "u")
        #expect(try store.begin(pair, passwordVersion: 0))
        // As pg_dump's order has it: the tables are there, the counters' rows and the triggers not yet.
        try PostgresServer.run(
            """
            DELETE FROM gatehouse.sessions; DELETE FROM gatehouse.revocation_count;
            ALTER TABLE gatehouse.api_keys DISABLE TRIGGER USER; ALTER TABLE gatehouse.revocations DISABLE TRIGGER USER
            """, in: bed.database)
        let token = PresentedToken.refresh(id: pair.refreshID)
        let calls: [(String, () throws -> Void)] = [
            ("log-out", { try store.endSession("s", now: Self.now, until: Self.now + 9) }),
            ("a token", { try store.revokeToken("t", until: Self.now + 9) }),
            ("refresh", { _ = try store.inspect(token) }),
            (
                "rotation",
                {
                    _ = try store.rotate(
                        token, to: FreshPair(now: Self.now, lifetime: 9), nowMilliseconds: 0, overlap: 0, until: 0)
                }
            ), ("login", { _ = try store.user(email: "nobody@example.com") }),
            ("session", { _ = try store.begin(pair, passwordVersion: 0) }), ("key", { _ = try store.key(id: "k") }),
            ("revoking a key", { _ = try store.revoke(id: "k", at: Self.now) }),
            ("use of a key", { try store.record(uses: [KeyUse(keyID: "k", usedAt: Self.now)]) }),
        ]
        for (name, call) in calls { #expect(failure(call)?.kind == .unreadable, "\(name)") }
        try PostgresServer.run(
            """
            INSERT INTO gatehouse.revocation_count VALUES (true, 0);
            ALTER TABLE gatehouse.api_keys ENABLE TRIGGER USER; ALTER TABLE gatehouse.revocations ENABLE TRIGGER USER
            """, in: bed.database)
        for (name, call) in calls.dropFirst(2).prefix(5) { #expect(throws: Never.self, "\(name)") { try call() } }
        try PostgresServer.run("DELETE FROM gatehouse.revocation_count", in: bed.database)
        #expect(
            failure { try store.revokeToken("t", until: Self.now + 9) }?.kind == .unreadable, "it would not be counted")
    }

    @Test("who waits for the log in vain does not have those behind him wait as long")
    func heldLog() throws {
        let store = try open()
        let (isHeld, isDone) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        DispatchQueue.concurrentPerform(iterations: 2) { index in
            guard index == 1 else {
                #expect(throws: Never.self) {
                    try PostgresStore(PostgresServer.location(bed.database)).write {
                        connection throws(PostgresFailure) in
                        try connection.query("SELECT 1 FROM gatehouse.revocation_count FOR UPDATE")
                        isHeld.signal()
                        isDone.wait()
                    }
                }
                return
            }
            isHeld.wait()
            defer { isDone.signal() }
            let clock = ContinuousClock()
            let first = clock.measure {
                #expect(failure { try store.revokeToken("t", until: Self.now + 9) }?.kind == .busy)
            }
            let second = clock.measure {
                #expect(failure { try store.revokeToken("t", until: Self.now + 9) }?.kind == .busy)
            }
            #expect(second < first / 2, "not each as long as the one before it")
            #expect(throws: Never.self) { try store.create(Fixtures.key("a")) }
        }
        #expect(throws: Never.self) {
            usleep(400_000)
            try store.revokeToken("t", until: Self.now + 9)
        }
    }

    @Test("a user with many sessions is disabled in a moment: the log is locked for one statement")
    func manySessions() throws {
        let store = try open()
        let user = User(id: "u", email: "u@example.com", firstName: "", lastName: "", createdAt: Self.now)
        _ = try store.create([StoredUser(user: user, passwordHash: "x")])
        try PostgresServer.run(
            """
            INSERT INTO gatehouse.sessions (id, user_id, created_at, expires_at)
            SELECT 's' || number, 'u', 1, \(Self.now + 9) FROM generate_series(1, 50000) AS one (number)
            """, in: bed.database)
        let begun = ContinuousClock.now
        #expect(try store.setDisabled(true, userID: "u", now: Self.now, until: Self.now + 9))
        #expect(begun.duration(to: .now) < .seconds(15), "a row each took 20 s and more")
        let log = try store.revocations(after: 0, now: Self.now)
        #expect(log.entries.count == 50_001 && log.sequence == 50_001)
        #expect(log.entries.last == .userDisabled("u", at: Self.now))
        try store.purge(now: Self.now + 9)
        #expect(try store.revocations(after: -1, now: 0).entries == [.userDisabled("u", at: Self.now)])
    }

    @Test(
        "of several servers the first that answers is taken, however the others fail",
        arguments: ["refusing", "silent"])
    func servers(first: String) throws {
        let settings = try #require(PostgresServer.settings)
        let silent = try ListeningSocket()
        let port = first == "silent" ? silent.port : "1"
        let more = [
            "host": "127.0.0.1,\(settings["host"] ?? "")", "port": "\(port),\(settings["port"] ?? "5432")",
            "target_session_attrs": "read-write",
        ]
        let begun = ContinuousClock.now
        let store = try open(more)
        #expect(begun.duration(to: .now) < .seconds(6))
        try store.create(Fixtures.key("a"))
        try cutConnections()
        let again = ContinuousClock.now
        #expect(try store.keys().count == 1)
        #expect(again.duration(to: .now) < .seconds(2), "the one that was good is tried first")
    }

    // MARK: Values

    @Test("lists are taken as they are")
    func lists() throws {
        let texts = ["", "a", "a,b", "\"quoted\"", "back\\slash", "{brace}", "NULL", "é", "line\nend"]
        let rows = try open().read { connection throws(PostgresFailure) in
            try connection.query("SELECT unnest($1::text[])", [PostgresArray.text(texts.map(Optional.some) + [nil])])
                .map { row in row.text(0) }
        }
        #expect(rows == texts + [nil])
    }

    @Test("what PostgreSQL cannot keep is refused or not found, never cut short")
    func zeroBytes() throws {
        let store = try open()
        try store.revokeToken("t", until: Self.now + 9)
        #expect(failure { try store.revokeToken("t\0x", until: Self.now + 9) }?.message.contains("NUL") == true)
        #expect(try store.user(email: "a\0@example.com") == nil)
        #expect(try store.inspect(.refresh(id: "r\0")) == .dead)
        #expect(try store.revocations(after: -1, now: Self.now).entries.count == 1)
        #expect(try store.keys().isEmpty, "the connection is as good as before")
    }
}
