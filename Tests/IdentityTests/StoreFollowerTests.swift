import Dispatch
import Identity
import JOSE
import Policy
import Synchronization
import Testing

@Suite("StoreFollower: the table follows the store, and outlives its failures")
struct StoreFollowerTests {
    /// What was reported, and a way to wait for more.
    private final class Reports: Sendable {
        private let events = Mutex<[String]>([])
        private let table = Mutex<KeyTable?>(nil)
        private let arrival = DispatchSemaphore(value: 0)

        func note(_ event: StoreFollower.Event) {
            let name =
                switch event {
                case .keys: "changed"
                case .revocations: "revoked"
                case .lost(let error): "lost: \(error.message)"
                case .recovered: "recovered"
                case .silent(let isSilent): isSilent ? "silent" : "heard"
                }
            if case .keys(let new) = event { table.withLock { $0 = new } }
            events.withLock { $0.append(name) }
            arrival.signal()
        }

        var all: [String] { events.withLock { $0 } }
        var latest: KeyTable? { table.withLock { $0 } }
        func wait() -> Bool { arrival.wait(timeout: .now() + .seconds(10)) == .success }
    }

    private let store = MemoryStore()
    private let reports = Reports()

    private func follower(lag: Duration, silenceAtMost: Duration = .seconds(60)) -> StoreFollower {
        StoreFollower(store: store, revocationLag: lag, silenceAtMost: silenceAtMost) { [reports] in reports.note($0) }
    }

    private func key(_ secret: String) -> KeyRecord {
        KeyRecord(
            id: secret, agentID: "agent", ownerID: "user", name: "n", prefix: "rk_", createdAt: 1, expiresAt: nil,
            revokedAt: nil, graceUntil: nil, digest: APIKey.digest(of: secret))
    }

    @Test("start loads before it returns, and a change is handed over by itself")
    func follows() throws {
        try store.create(key("one"))
        let follower = follower(lag: .milliseconds(40))
        defer { follower.stop() }
        #expect(follower.lastHeard == nil)
        let first = try follower.start().keys
        #expect(first.find(APIKey.digest(of: "one"))?.id == "one")
        #expect(reports.all.isEmpty)
        try store.create(key("two"))
        #expect(reports.wait())
        #expect(reports.latest?.find(APIKey.digest(of: "two"))?.id == "two")
        #expect(first.find(APIKey.digest(of: "two")) == nil)
    }

    @Test("an unchanged store is not read again, but counts as heard from")
    func unchanged() throws {
        let follower = follower(lag: .seconds(3_600))
        defer { follower.stop() }
        _ = try follower.start()
        let heard = try #require(follower.lastHeard)
        follower.refresh()
        #expect(store.loads == 1)
        #expect(reports.all.isEmpty)
        #expect(try #require(follower.lastHeard) > heard)
    }

    @Test("a failure is reported once, is not heard from, and its end is reported with what changed meanwhile")
    func failure() throws {
        let follower = follower(lag: .seconds(3_600))
        defer { follower.stop() }
        _ = try follower.start()
        store.failure = StoreError(.unavailable, "gone")
        let heard = follower.lastHeard
        follower.refresh()
        follower.refresh()
        #expect(reports.all == ["lost: gone"])
        #expect(follower.lastHeard == heard)
        store.failure = nil
        try store.create(key("one"))
        follower.refresh()
        #expect(reports.all == ["lost: gone", "changed", "recovered"])
    }

    @Test("a store that fails at the start is the caller's to decide about")
    func failingStart() {
        store.failure = StoreError(.unreadable, "damaged")
        #expect(throws: StoreError(.unreadable, "damaged")) { try follower(lag: .seconds(1)).start() }
    }

    @Test("a hint has the store looked at, long before its turn; many at once are one look")
    func hints() throws {
        let follower = follower(lag: .seconds(3_600))
        defer { follower.stop() }
        _ = try follower.start()
        try store.create(key("one"))
        for _ in 0..<100 { store.hint() }
        #expect(reports.wait())
        #expect(reports.latest?.find(APIKey.digest(of: "one"))?.id == "one")
        follower.refresh()
        #expect(reports.all == ["changed"] && store.loads == 2)
    }

    @Test("a silence that is too long is told of once, and its end behind what the store then says")
    func silence() throws {
        let follower = follower(lag: .milliseconds(20), silenceAtMost: .milliseconds(500))
        defer { follower.stop() }
        _ = try follower.start()
        store.failure = StoreError(.unavailable, "gone")
        #expect(reports.wait() && reports.wait())
        let lost = ContinuousClock.now
        #expect(reports.all == ["lost: gone", "silent"])
        #expect(follower.silence ?? .zero > .milliseconds(500))
        while lost.duration(to: .now) < .milliseconds(700) { follower.refresh() }
        store.force(key("one"))
        store.failure = nil
        #expect(reports.wait() && reports.wait() && reports.wait())
        #expect(reports.all == ["lost: gone", "silent", "changed", "recovered", "heard"])
    }

    @Test("nothing is reported after stop")
    func stopped() throws {
        let follower = follower(lag: .milliseconds(20))
        _ = try follower.start()
        follower.stop()
        try store.create(key("one"))
        #expect(!reports.all.contains("changed"))
    }
}
