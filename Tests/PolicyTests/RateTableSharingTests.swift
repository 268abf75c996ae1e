import Configuration
import Glibc
import Synchronization
import Testing

@testable import Policy

@Suite("RateTable: many callers, many shards")
struct RateTableSharingTests {
    private static let hour: Int64 = 3_600_000_000_000

    /// One set of eight places: every key meets every other.
    private let oneSet = RateTable(capacity: 8)

    private func passes(_ table: RateTable, _ key: UInt64, _ limit: RateLimit, now: Int64 = 0) -> Bool {
        if case .passes = table.take(key, limit, now: now) { true } else { false }
    }

    // MARK: Callers

    @Test("callers have nothing to do with each other")
    func independence() throws {
        let limit = try RateLimit(text: "1/h burst=2")
        let other = UInt64(1) << 32 | 1
        for table in [oneSet, RateTable(capacity: 16)] {
            #expect(passes(table, 1, limit) && passes(table, 1, limit) && !passes(table, 1, limit))
            #expect(table.look(other, limit, now: 0) == .passes(remaining: 2, full: 0), "the same low half")
            #expect(passes(table, other, limit) && passes(table, other, limit) && !passes(table, other, limit))
            #expect(!passes(table, 1, limit))
        }
    }

    @Test("ten thousand callers in the table of the process have a request each")
    func many() throws {
        let limit = try RateLimit(text: "1/h burst=1")
        let table = RateTable()
        let scope = SubjectHash.of("route:POST /a/")
        let keys = (0..<10_000).map { SubjectHash.mix(SubjectHash.of("user:\($0)"), scope) }
        #expect(keys.allSatisfy { passes(table, $0, limit) })
        #expect(keys.allSatisfy { !passes(table, $0, limit) })
        let elsewhere = SubjectHash.mix(SubjectHash.of("user:1"), SubjectHash.of("route:GET /b/"))
        #expect(passes(table, elsewhere, limit), "another route counts for itself")
    }

    @Test("callers who have leaked away give way, and those who have not stay")
    func cold() throws {
        let limit = try RateLimit(text: "10/s burst=1")
        let slow = try RateLimit(text: "1/h burst=1")
        #expect(passes(oneSet, 1, slow))
        for key in UInt64(2)...8 { #expect(passes(oneSet, key, limit)) }
        let later: Int64 = 100_000_000
        for key in UInt64(9)...15 { #expect(passes(oneSet, key, limit, now: later)) }
        for key in UInt64(9)...15 { #expect(!passes(oneSet, key, limit, now: later), "each has a place") }
        #expect(!passes(oneSet, 1, slow, now: later))
    }

    @Test("when nobody has leaked away, the one who would first gives way and starts over")
    func eviction() throws {
        let limit = try RateLimit(text: "1/h burst=10")
        for key in UInt64(1)...8 { for _ in 0..<key { _ = oneSet.take(key, limit, now: 0) } }
        #expect(oneSet.take(9, limit, now: 0) == .passes(remaining: 9, full: Self.hour), "a newcomer has his burst")
        #expect(oneSet.look(1, limit, now: 0) == .passes(remaining: 10, full: 0))
        for key in UInt64(2)...8 {
            let used = Int64(key)
            #expect(oneSet.look(key, limit, now: 0) == .passes(remaining: Int(10 - used), full: used * Self.hour))
        }
    }

    @Test("a flood of strangers does not free those who have used up their limit")
    func flood() throws {
        let limit = try RateLimit(text: "1/h burst=5")
        let known: ClosedRange<UInt64> = 1...7
        for key in known { for _ in 0..<5 { #expect(passes(oneSet, key, limit)) } }
        for stranger in UInt64(100)..<10_100 {
            #expect(passes(oneSet, stranger, limit), "nor are strangers locked out")
            #expect(!passes(oneSet, 1 + stranger % 7, limit))
        }
    }

    @Test("each time that a caller gives way he gets one burst, and no more")
    func leniency() throws {
        let limit = try RateLimit(text: "1/h burst=5")
        for turn in 0..<50 {
            for key in UInt64(1)...9 {
                let passed = (0..<20).count { _ in passes(oneSet, key, limit) }
                #expect(passed <= 5, "turn \(turn) of \(key)")
            }
        }
    }

    // MARK: Shards

    /// What threads count together.
    private final class Tally: Sendable {
        let passed = Atomic(0)
        let refused = Atomic(0)
        let clock = Atomic(0)
        let arrived = Atomic(0)

        /// Waits until all of `count` threads have come here as often.
        func meet(_ count: Int, round: Int) {
            arrived.add(1, ordering: .acquiringAndReleasing)
            while arrived.load(ordering: .acquiring) < count * round { sched_yield() }
        }
    }

    @Test("four shards that serve one caller at once let exactly the burst pass", arguments: [1, 100, 50_000])
    func exactCount(burst: Int) throws {
        let limit = try RateLimit(text: "1/h burst=\(burst)")
        for table in [oneSet, RateTable()] {
            let tally = Tally()
            Threads.run(4) { _ in
                for _ in 0..<20_000 where passes(table, 5, limit) { tally.passed.add(1, ordering: .relaxed) }
            }
            #expect(tally.passed.load(ordering: .relaxed) == burst)
        }
    }

    @Test("callers who are known and share a set are counted exactly by four shards")
    func exactSet() throws {
        let limit = try RateLimit(text: "1/h burst=2500")
        for key in UInt64(1)...8 { _ = oneSet.take(key, limit, now: 0) }
        let tally = Tally()
        Threads.run(4) { thread in
            for round in 0..<20_000 where passes(oneSet, UInt64((thread + round) % 8 + 1), limit) {
                tally.passed.add(1, ordering: .relaxed)
            }
        }
        #expect(tally.passed.load(ordering: .relaxed) == 8 * 2_499)
    }

    @Test("while time passes, four shards let the burst pass and what leaks, and not one more")
    func exactPace() throws {
        let limit = try RateLimit(text: "1000000/s burst=10")
        let tally = Tally()
        Threads.run(4) { _ in
            for _ in 0..<20_000 {
                let now = tally.clock.add(100, ordering: .relaxed).newValue
                if passes(oneSet, 5, limit, now: Int64(now)) { tally.passed.add(1, ordering: .relaxed) }
            }
        }
        // 80,000 requests, one in 100 ns; one in 1,000 ns may pass.
        #expect(tally.passed.load(ordering: .relaxed) <= tally.clock.load(ordering: .relaxed) / 1_000 + 10)
    }

    @Test("strangers who come to one set at once have a request each")
    func strangers() throws {
        let limit = try RateLimit(text: "10/s burst=1")
        let tally = Tally()
        Threads.run(2) { thread in
            for round in 1...2_000 {
                tally.meet(2, round: round)
                let key = UInt64(round * 2 + thread + 1)
                let count = (0..<3).count { _ in passes(oneSet, key, limit, now: Int64(round) * Self.hour) }
                if count > 1 { tally.passed.add(1, ordering: .relaxed) }
                if count < 1 { tally.refused.add(1, ordering: .relaxed) }
            }
        }
        #expect(tally.passed.load(ordering: .relaxed) == 0, "nobody passes twice")
        #expect(tally.refused.load(ordering: .relaxed) == 0, "nobody is refused at once")
    }

    @Test("a shard whose clock is behind lets the burst pass, and not one more")
    func clocks() throws {
        let limit = try RateLimit(text: "1/h burst=20")
        for index in 0..<100 { _ = oneSet.take(5, limit, now: index.isMultiple(of: 2) ? 1_000_000 : 0) }
        #expect(!passes(oneSet, 5, limit, now: 1_000_000))
    }

    // MARK: Reloads

    @Test("who used up a slow limit is under a faster one soon after it was written into the file")
    func reload() throws {
        let slow = try RateLimit(text: "60/h burst=60")
        for _ in 0..<60 { #expect(passes(oneSet, 5, slow)) }
        let fast = try RateLimit(text: "10/s burst=20")
        #expect(passes(oneSet, 5, fast, now: 3_000_000_000))
    }
}
