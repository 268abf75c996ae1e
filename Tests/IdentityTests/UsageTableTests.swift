import Configuration
import Dispatch
import JOSE
import Policy
import Synchronization
import Testing
import Transport

@testable import Identity

@Suite("UsageTable: counts outlive the process")
struct UsageTableTests {
    private let store = UsageStore()
    private let now = WallClock.seconds()

    private func table() throws -> UsageTable {
        let table = UsageTable(store: store)
        try table.load(now: now)
        return table
    }

    private func counter(
        _ table: UsageTable, _ subject: String, scope: String = "route:/a/", _ period: Quota.Period = .month
    ) throws -> UsageCounter {
        try #require(table.counter(scope: scope, subject: subject, period: period, now: now))
    }

    private func kept(_ subject: String) -> Int64? { store.usages.first { $0.key.subject == subject }?.count }

    @Test("what was counted is there after a restart, and goes on")
    func survives() throws {
        let first = try table()
        for _ in 0..<3 { _ = try counter(first, "user:1").take(limit: 5) }
        first.flush()
        #expect(kept("user:1") == 3)
        let second = try table()
        #expect(second.count(scope: "route:/a/", subject: "user:1", period: .month, now: now) == 3)
        #expect(try counter(second, "user:1").take(limit: 5) == 1)
        #expect(try counter(second, "user:1").take(limit: 5) == 0)
        #expect(try counter(second, "user:1").take(limit: 5) == nil)
        second.flush()
        #expect(kept("user:1") == 5, "only what was new was added")
    }

    @Test("one counter for a subject, a scope and a period, whoever asks")
    func identity() throws {
        let table = try table()
        let one = try counter(table, "user:1")
        #expect(try counter(table, "user:1") === one)
        for other in [
            try counter(table, "user:2"), try counter(table, "user:1", scope: "route:/b/"),
            try counter(table, "user:1", .day),
        ] { #expect(other !== one) }
        one.add()
        #expect(table.count(scope: "route:/b/", subject: "user:1", period: .month, now: now) == 0)
        #expect(table.count(scope: "route:/a/", subject: "user:1", period: .day, now: now) == 0)
        #expect(table.count(scope: "route:/a/", subject: "nobody", period: .month, now: now) == 0)
        #expect(table.count(scope: "route:/a/", subject: "user:1", period: .month, now: now) == 1)
    }

    @Test("a new period begins with nothing")
    func period() throws {
        let table = try table()
        let old = try counter(table, "user:1", .day)
        #expect(old.take(limit: 1) == 0 && old.take(limit: 1) == nil)
        let later = try #require(
            table.counter(scope: "route:/a/", subject: "user:1", period: .day, now: old.key.end))
        #expect(later !== old && later.key.start == old.key.end)
        #expect(later.take(limit: 1) == 0)
        #expect(table.count(scope: "route:/a/", subject: "user:1", period: .day, now: old.key.end) == 1)
    }

    @Test("the store is told within the time that was promised, without anybody asking")
    func saveInterval() throws {
        let table = try table()
        try counter(table, "user:1").add()
        let isTold = store.waits(seconds: Double(UsageTable.saveInterval) + 10) { !$0.isEmpty }
        #expect(isTold && kept("user:1") == 1)
    }

    @Test("a store that cannot be told is told later, and nothing is counted twice")
    func failing() throws {
        let table = try table()
        store.failure = StoreError(.busy, "another process writes")
        let one = try counter(table, "user:1")
        let two = try counter(table, "user:2")
        for _ in 0..<3 { one.add() }
        two.add()
        table.flush()
        #expect(store.usages.isEmpty && store.attempts >= 1)
        #expect(one.count == 3, "callers are counted all the same")
        one.add()
        table.flush()
        #expect(store.usages.isEmpty)
        store.failure = nil
        one.add()
        table.flush()
        #expect(kept("user:1") == 5 && kept("user:2") == 1)
        table.flush()
        #expect(kept("user:1") == 5 && kept("user:2") == 1, "what was told is not told again")
    }

    @Test("a store that cannot be read when the gateway starts is an error, not a fresh beginning")
    func unreadable() {
        store.failure = StoreError(.unreadable, "it is damaged")
        #expect(throws: StoreError.self) { try UsageTable(store: store).load(now: now) }
    }

    @Test("more than one transaction's worth of counts all arrive")
    func batches() throws {
        let table = try table()
        for index in 0..<2_500 { try counter(table, "user:\(index)").add() }
        table.flush()
        #expect(store.usages.count == 2_500 && store.usages.allSatisfy { $0.count == 1 })
        #expect(store.largest == 1_000, "a transaction is bounded")
    }

    @Test(
        "while counts are written, four shards go on, and every request arrives once",
        .disabled(if: Sanitizer.watchesThreads, "it does not see that a contended Mutex was handed over by the kernel"))
    func parallel() throws {
        let table = try table()
        let counters = try (0..<8).map { try counter(table, "user:\($0)") }
        let store = store
        Threads.run(5) { index in
            for round in 0..<2_000 {
                if index == 4 {
                    store.failure = round.isMultiple(of: 3) ? StoreError(.busy, "now and then") : nil
                    if round.isMultiple(of: 100) { table.flush() }
                } else {
                    counters[round % 8].add()
                }
            }
        }
        store.failure = nil
        table.flush()
        #expect(counters.allSatisfy { $0.count == 1_000 })
        #expect(store.usages.allSatisfy { $0.count == 1_000 } && store.usages.count == 8)
    }

    @Test("where places run short those who hardly counted make room, and who counted stays")
    func bounds() throws {
        let table = UsageTable(store: store, capacity: 1_000)
        let heavy = try counter(table, "heavy")
        for _ in 0..<50 { heavy.add() }
        for index in 1..<2_000 {
            // It takes a moment to make room: until then nobody new is counted.
            var found: UsageCounter?
            while found == nil {
                found = table.counter(scope: "route:/a/", subject: "\(index)", period: .month, now: now)
                if found == nil { table.flush() }
            }
            found?.add()
        }
        #expect(try counter(table, "heavy") === heavy && heavy.count == 50)
        table.flush()
        #expect(kept("heavy") == 50 && store.usages.count == 2_000, "nothing that was counted is lost")
    }

    @Test("one user has a bounded number of counters, and others go on")
    func boundOfOne() throws {
        let table = try table()
        func counter(_ index: Int, _ owner: String) -> UsageCounter? {
            table.counter(scope: "route:/a/", subject: "agent:\(index) \(owner)", owner: owner, period: .day, now: now)
        }
        for index in 0..<UsageTable.countersOfOne { #expect(counter(index, "greedy") != nil) }
        #expect(counter(-1, "greedy") == nil && counter(0, "greedy") != nil)
        #expect(counter(-1, "other") != nil)
    }

    @Test("two processes on one store hear of each other's counts")
    func together() throws {
        let (one, two) = (try table(), try table())
        let (here, there) = (try counter(one, "user:1"), try counter(two, "user:1"))
        for _ in 0..<3 { here.add() }
        one.flush()
        #expect(there.take(limit: 5) == 4, "not yet")
        two.flush()
        #expect(there.count == 4 && there.take(limit: 5) == 0 && there.take(limit: 5) == nil)
    }
}

/// Keeps counts in memory; a test can order failures. Everything else is nobody's business here.
final class UsageStore: IdentityStore {
    private struct State {
        var counts: [UsageKey: Int64] = [:]
        var failure: StoreError?
        var attempts = 0
        var largest = 0
    }

    private let state = Mutex(State())

    let writersAtOnce = 1

    var failure: StoreError? {
        get { state.withLock { $0.failure } }
        set { state.withLock { $0.failure = newValue } }
    }

    var usages: [Usage] { state.withLock { $0.counts.map { Usage(key: $0.key, count: $0.value) } } }
    /// Transactions that were tried.
    var attempts: Int { state.withLock { $0.attempts } }
    /// Counts in the largest one.
    var largest: Int { state.withLock { $0.largest } }

    /// Whether `condition` comes true in time.
    func waits(seconds: Double, _ condition: ([Usage]) -> Bool) -> Bool {
        let end = DispatchTime.now() + seconds
        while DispatchTime.now() < end {
            if condition(usages) { return true }
            _ = DispatchSemaphore(value: 0).wait(timeout: .now() + 0.02)
        }
        return false
    }

    func usages(now: Int64) throws(StoreError) -> [Usage] {
        try state.withLock { state throws(StoreError) in
            if let failure = state.failure { throw failure }
            return state.counts.filter { $0.key.end > now }.map { Usage(key: $0.key, count: $0.value) }
        }
    }

    func add(_ usages: [Usage]) throws(StoreError) -> [Int64] {
        try state.withLock { state throws(StoreError) in
            state.attempts += 1
            state.largest = max(state.largest, usages.count)
            if let failure = state.failure { throw failure }
            return usages.map { usage in
                state.counts[usage.key, default: 0] += usage.count
                return state.counts[usage.key] ?? 0
            }
        }
    }

    private var unasked: StoreError { StoreError(.failed, "nobody asks for this") }

    func usages(scope: String, subjects: [String]?, now: Int64) throws(StoreError) -> [Usage] { throw unasked }
    func keys(after counter: Int64) throws(StoreError) -> KeyChanges { throw unasked }
    func storedKeys(ofAgent agentID: String?) throws(StoreError) -> [StoredKey] { throw unasked }
    func key(id: String) throws(StoreError) -> StoredKey? { throw unasked }
    func create(_ key: KeyRecord) throws(StoreError) { throw unasked }
    func rotate(id: String, to successor: KeyRecord, graceUntil: Int64?, now: Int64) throws(StoreError) -> Bool {
        throw unasked
    }
    func revoke(id: String, at time: Int64) throws(StoreError) -> Bool { throw unasked }
    func record(uses: [KeyUse]) throws(StoreError) { throw unasked }
    func changeCounter() throws(StoreError) -> Int64 { throw unasked }
    func revocations(after sequence: Int64, now: Int64) throws(StoreError) -> RevocationLog { throw unasked }
    func usable() throws(StoreError) { throw unasked }
    func create(_ users: [StoredUser]) throws(StoreError) -> UserCreation { throw unasked }
    func users() throws(StoreError) -> [User] { throw unasked }
    func user(email: String) throws(StoreError) -> StoredUser? { throw unasked }
    func upgradePassword(of userID: String, from old: String, to new: String) throws(StoreError) { throw unasked }
    func changePassword(of userID: String, to hash: String, now: Int64, until: Int64) throws(StoreError) -> Bool {
        throw unasked
    }
    func setDisabled(_ isDisabled: Bool, userID: String, now: Int64, until: Int64) throws(StoreError) -> Bool {
        throw unasked
    }
    func begin(_ first: TokenPair, passwordVersion: Int64) throws(StoreError) -> Bool { throw unasked }
    func inspect(_ token: PresentedToken) throws(StoreError) -> RefreshOutcome { throw unasked }
    func rotate(
        _ token: PresentedToken, to successor: FreshPair, nowMilliseconds: Int64, overlap: Int64, until: Int64
    ) throws(StoreError) -> RefreshOutcome { throw unasked }
    func endSession(_ id: String, now: Int64, until: Int64) throws(StoreError) { throw unasked }
    func revokeToken(_ id: String, until: Int64) throws(StoreError) { throw unasked }
    func keep(_ ticket: StoredTicket, nowMilliseconds: Int64) throws(StoreError) -> TicketKeeping { throw unasked }
    func takeTicket(_ digest: Digest256, nowMilliseconds: Int64) throws(StoreError) -> StoredTicket? { throw unasked }
    func purge(now: Int64) throws(StoreError) { throw unasked }
}
