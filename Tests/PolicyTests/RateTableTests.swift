import Configuration
import Testing

@testable import Policy

@Suite("RateTable: a burst, then an even pace")
struct RateTableTests {
    private static let second: Int64 = 1_000_000_000

    /// What becomes of one request.
    struct Step: Sendable {
        let now: Int64
        let verdict: RateTable.Verdict

        static func passes(at now: Int64, _ remaining: Int, full: Int64) -> Step {
            Step(now: now, verdict: .passes(remaining: remaining, full: full))
        }

        static func exceeds(at now: Int64, retryAfter: Int64) -> Step {
            Step(now: now, verdict: .exceeds(retryAfter: retryAfter))
        }
    }

    /// The requests of one caller.
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let limit: String
        let steps: [Step]
        let why: String

        init(_ name: String, _ limit: String, _ steps: [Step], why: String) {
            self.name = name
            self.limit = limit
            self.steps = steps
            self.why = why
        }

        var testDescription: String { name }
    }

    /// Ten in a second are one in 100,000,000 ns.
    static let pace: [Row] = [
        Row(
            "a burst", "10/s burst=3",
            [
                .passes(at: 0, 2, full: 100_000_000), .passes(at: 0, 1, full: 200_000_000),
                .passes(at: 0, 0, full: 300_000_000), .exceeds(at: 0, retryAfter: 100_000_000),
            ], why: "three at once, and the fourth when the first has leaked"),
        Row(
            "the end of a wait", "10/s burst=3",
            [
                .passes(at: 0, 2, full: 100_000_000), .passes(at: 0, 1, full: 200_000_000),
                .passes(at: 0, 0, full: 300_000_000), .exceeds(at: 99_999_999, retryAfter: 1),
                .passes(at: 100_000_000, 0, full: 300_000_000), .exceeds(at: 100_000_000, retryAfter: 100_000_000),
            ], why: "retryAfter is exact to the nanosecond"),
        Row(
            "a pause", "10/s burst=3",
            [
                .passes(at: 0, 2, full: 100_000_000), .passes(at: 0, 1, full: 200_000_000),
                .passes(at: 0, 0, full: 300_000_000), .passes(at: 200_000_000, 1, full: 200_000_000),
                .passes(at: 500_000_000, 2, full: 100_000_000), .passes(at: 900_000_000, 2, full: 100_000_000),
            ], why: "what leaked meanwhile may come again, and never more than the burst"),
        Row(
            "the even pace without a burst", "10/s burst=1",
            [
                .passes(at: 0, 0, full: 100_000_000), .passes(at: 100_000_000, 0, full: 100_000_000),
                .exceeds(at: 199_999_999, retryAfter: 1), .passes(at: 200_000_000, 0, full: 100_000_000),
            ], why: "who keeps the pace is never refused"),
        Row(
            "refused requests", "1/m burst=1",
            [
                .passes(at: 0, 0, full: 60 * second), .exceeds(at: second, retryAfter: 59 * second),
                .exceeds(at: 2 * second, retryAfter: 58 * second), .exceeds(at: 59 * second, retryAfter: second),
                .passes(at: 60 * second, 0, full: 60 * second),
            ], why: "they count for nothing: who hammers waits no longer"),
        Row(
            "what is left between two leaks", "10/s burst=3",
            [
                .passes(at: 0, 2, full: 100_000_000), .passes(at: 50_000_000, 1, full: 150_000_000),
                .passes(at: 60_000_000, 0, full: 240_000_000), .exceeds(at: 60_000_000, retryAfter: 40_000_000),
            ], why: "remaining is in whole requests, rounded down"),
        Row(
            "a clock that stands still", "1/s",
            [.passes(at: 7, 0, full: second), .exceeds(at: 7, retryAfter: second)],
            why: "the default burst is what comes in one unit"),
    ]

    static let fractions: [Row] = [
        Row(
            "seven in an hour", "7/h burst=1",
            [
                .passes(at: 0, 0, full: 514_285_714_285), .exceeds(at: 514_285_714_284, retryAfter: 1),
                .passes(at: 514_285_714_285, 0, full: 514_285_714_285),
            ], why: "3,600 s do not divide by seven: rounded down, by less than a nanosecond each"),
        Row(
            "a million in a second", "1000000/s burst=2",
            [
                .passes(at: 0, 1, full: 1_000), .passes(at: 0, 0, full: 2_000), .exceeds(at: 0, retryAfter: 1_000),
                .passes(at: 1_000, 0, full: 2_000),
            ], why: "a microsecond each"),
        Row(
            "the largest burst at the slowest rate, after ten years", "1/h burst=1000000",
            [
                .passes(at: 315_360_000 * second, 999_999, full: 3_600 * second),
                .passes(at: 315_360_000 * second, 999_998, full: 7_200 * second),
            ], why: "114 years in nanoseconds fit into 63 bits"),
    ]

    @Test("a caller's requests, one after the other", arguments: pace + fractions)
    func steps(row: Row) throws {
        let limit = try RateLimit(text: row.limit)
        let table = RateTable(capacity: 8)
        for (index, step) in row.steps.enumerated() {
            #expect(table.take(5, limit, now: step.now) == step.verdict, "request \(index + 1): \(row.why)")
        }
    }

    @Test(
        "a burst of a million is a million requests, and not one more",
        arguments: [("1/h burst=1000000", 3_600 * second), ("1000000/s", 1_000)])
    func largestBurst(text: String, interval: Int64) throws {
        let limit = try RateLimit(text: text)
        let table = RateTable(capacity: 8)
        for _ in 1..<1_000_000 { _ = table.take(5, limit, now: Self.second) }
        #expect(
            table.take(5, limit, now: Self.second) == .passes(remaining: 0, full: 1_000_000 * interval), "the last one")
        #expect(table.take(5, limit, now: Self.second) == .exceeds(retryAfter: interval))
        #expect(table.look(5, limit, now: Self.second) == .exceeds(retryAfter: interval))
    }

    @Test(
        "over a long time the rate is what was written",
        arguments: [
            ("7/h", 7, 3_600), ("10/s burst=3", 10, 1), ("1000/m", 1_000, 60), ("999983/s burst=3", 999_983, 1),
        ])
    func average(text: String, count: Int64, unit: Int64) throws {
        let limit = try RateLimit(text: text)
        let table = RateTable(capacity: 8)
        // Somebody who comes again exactly when he may.
        var now: Int64 = 0
        var passed: Int64 = 0
        while passed < 10_000 {
            switch table.take(5, limit, now: now) {
            case .passes: passed += 1
            case .exceeds(let wait): now += wait
            }
        }
        let steady = passed - Int64(limit.burst)
        let exact = Double(steady) * Double(unit) * 1e9 / Double(count)
        #expect(abs(Double(now) - exact) <= Double(steady), "a nanosecond for each request")
    }

    // MARK: look

    @Test("look says what take will, and counts nothing")
    func look() throws {
        let limits = try ["10/s burst=3", "7/h", "1000000/s burst=1", "1/m burst=20"].map { try RateLimit(text: $0) }
        var random = Dice()
        for limit in limits {
            let table = RateTable(capacity: 8)
            var now: Int64 = 0
            for _ in 0..<2_000 {
                now += Int64.random(in: 0...limit.interval, using: &random)
                let key = UInt64.random(in: 1...4, using: &random)
                let seen = table.look(key, limit, now: now)
                #expect(table.look(key, limit, now: now) == seen, "looking twice")
                switch (seen, table.take(key, limit, now: now)) {
                case (.passes(let before, _), .passes(let after, let full)):
                    #expect(before == after + 1)
                    #expect(table.look(key, limit, now: now) == expected(after, full, limit))
                case (.exceeds(let one), .exceeds(let other)): #expect(one == other)
                case (_, let taken): Issue.record("\(seen), but then \(taken)")
                }
            }
        }
    }

    /// The same throws in each run (Knuth's MMIX).
    private struct Dice: RandomNumberGenerator {
        private var state: UInt64 = 1

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state
        }
    }

    /// What a look says behind a request that passed.
    private func expected(_ remaining: Int, _ full: Int64, _ limit: RateLimit) -> RateTable.Verdict {
        let wait = full - limit.interval * Int64(limit.burst - 1)
        return remaining > 0 ? .passes(remaining: remaining, full: full) : .exceeds(retryAfter: wait)
    }

    @Test("a look at a stranger says the whole burst, and takes nobody's place")
    func lookAtStrangers() throws {
        let limit = try RateLimit(text: "1/h burst=2")
        let table = RateTable(capacity: 8)
        for key in UInt64(1)...8 { _ = table.take(key, limit, now: 0) }
        for key in UInt64(9)...100 { #expect(table.look(key, limit, now: 0) == .passes(remaining: 2, full: 0)) }
        for key in UInt64(1)...8 {
            #expect(table.look(key, limit, now: 0) == .passes(remaining: 1, full: 3_600 * Self.second))
        }
    }
}
