import Configuration
import Synchronization
import Testing

@testable import Identity

@Suite("Usage: periods, counters and what the store hears of them")
struct UsageTests {
    // MARK: Periods

    /// A moment and the period that it lies in, as `Timestamp` reads them.
    struct Span: Sendable, CustomTestStringConvertible {
        let now: String
        let start: String
        let end: String
        let why: String

        init(_ now: String, _ start: String, _ end: String, _ why: String) {
            self.now = "\(now)Z"
            self.start = "\(start)T00:00:00Z"
            self.end = "\(end)T00:00:00Z"
            self.why = why
        }

        var testDescription: String { now }
    }

    static let days: [Span] = [
        Span("1970-01-01T00:00:00", "1970-01-01", "1970-01-02", "the epoch"),
        Span("1970-01-01T23:59:59", "1970-01-01", "1970-01-02", "the last second of a day"),
        Span("1970-01-02T00:00:00", "1970-01-02", "1970-01-03", "the first of the next"),
        Span("2024-02-28T12:00:00", "2024-02-28", "2024-02-29", "before a leap day"),
        Span("2024-02-29T12:00:00", "2024-02-29", "2024-03-01", "a leap day"),
        Span("2026-12-31T23:59:59", "2026-12-31", "2027-01-01", "the end of a year"),
        Span("9999-12-30T12:00:00", "9999-12-30", "9999-12-31", "far away"),
    ]

    static let months: [Span] = [
        Span("1970-01-01T00:00:00", "1970-01-01", "1970-02-01", "the epoch"),
        Span("1970-01-31T23:59:59", "1970-01-01", "1970-02-01", "the last second of a month"),
        Span("1970-02-01T00:00:00", "1970-02-01", "1970-03-01", "the first of the next"),
        Span("1972-02-29T00:00:00", "1972-02-01", "1972-03-01", "the first leap day"),
        Span("2000-02-15T00:00:00", "2000-02-01", "2000-03-01", "2000 is a leap year"),
        Span("2000-02-29T23:59:59", "2000-02-01", "2000-03-01", "the last second of its February"),
        Span("2000-03-01T00:00:00", "2000-03-01", "2000-04-01", "where the civil count begins"),
        Span("2023-02-28T23:59:59", "2023-02-01", "2023-03-01", "an ordinary February"),
        Span("2024-01-31T12:00:00", "2024-01-01", "2024-02-01", "January of a leap year"),
        Span("2024-02-29T12:00:00", "2024-02-01", "2024-03-01", "2024 is a leap year"),
        Span("2024-12-31T23:59:59", "2024-12-01", "2025-01-01", "the end of a leap year"),
        Span("2026-01-01T00:00:00", "2026-01-01", "2026-02-01", "the beginning of a year"),
        Span("2026-04-30T23:59:59", "2026-04-01", "2026-05-01", "thirty days"),
        Span("2026-08-31T23:59:59", "2026-08-01", "2026-09-01", "two months of 31 days in a row"),
        Span("2026-12-31T23:59:59", "2026-12-01", "2027-01-01", "the end of a year"),
        Span("2100-02-28T23:59:59", "2100-02-01", "2100-03-01", "2100 is no leap year"),
        Span("2100-03-01T00:00:00", "2100-03-01", "2100-04-01", "the day after"),
        Span("2400-02-29T00:00:00", "2400-02-01", "2400-03-01", "2400 is one again"),
        Span("9999-11-30T23:59:59", "9999-11-01", "9999-12-01", "far away"),
    ]

    private func check(_ span: Span, _ period: Quota.Period) throws {
        let found = period.span(at: try #require(Timestamp.parse(span.now)))
        #expect(found.lowerBound == Timestamp.parse(span.start), "\(span.why)")
        #expect(found.upperBound == Timestamp.parse(span.end), "\(span.why)")
    }

    @Test("a day is a day of UTC", arguments: days)
    func day(_ span: Span) throws { try check(span, .day) }

    @Test("a month is a month of UTC", arguments: months)
    func month(_ span: Span) throws { try check(span, .month) }

    @Test("from 1969 to 2500 every second lies in one month and one day, and each begins where another ended")
    func gapless() throws {
        let lengths: Set<Int64> = [28, 29, 30, 31]
        var count = 0
        var start: Int64 = 0
        while count < 531 * 12 {
            let month = Quota.Period.month.span(at: start)
            #expect(month.lowerBound == start)
            #expect(lengths.contains(Int64(month.count / 86_400)) && month.count.isMultiple(of: 86_400))
            #expect(Quota.Period.month.span(at: month.upperBound - 1) == month)
            #expect(Quota.Period.day.span(at: start) == start..<start + 86_400)
            start = month.upperBound
            count += 1
        }
        // 531 years after 1970 begins 2501.
        #expect(start == Timestamp.parse("2501-01-01T00:00:00Z"))
        #expect(Quota.Period.month.span(at: -1) == -31 * 86_400..<0, "December 1969, of a clock that was never set")
        #expect(Quota.Period.day.span(at: -1) == -86_400..<0)
        #expect(Quota.Period.day.span(at: -86_400) == -86_400..<0)
    }

    // MARK: Counters

    private static let key = UsageKey(scope: "key", subject: "key:k1", start: 0, end: 86_400)

    @Test("a counter lets the limit pass, and not one more")
    func take() {
        let counter = UsageCounter(Self.key, count: 0) { _ in }
        #expect(counter.take(limit: 3) == 2 && counter.take(limit: 3) == 1 && counter.take(limit: 3) == 0)
        #expect(counter.take(limit: 3) == nil)
        #expect(counter.count == 3, "what is refused is not counted")
        #expect(counter.take(limit: 4) == 0, "a limit that was raised")
        #expect(counter.take(limit: 2) == nil, "and one that was lowered")
        #expect(counter.take(limit: 0) == nil)
        counter.add()
        #expect(counter.count == 5, "what nothing limits is counted")
        #expect(UsageCounter(Self.key, count: 7) { _ in }.take(limit: 8) == 0, "what was counted before counts")
    }

    /// What threads count together.
    private final class Tally: Sendable {
        let passed = Atomic(0)
        let told = Atomic(0)
    }

    @Test("four shards that take at once get the limit between them")
    func parallel() {
        let tally = Tally()
        let counter = UsageCounter(Self.key, count: 0) { _ in tally.told.add(1, ordering: .relaxed) }
        Threads.run(4) { _ in
            for _ in 0..<20_000 where counter.take(limit: 50_000) != nil { tally.passed.add(1, ordering: .relaxed) }
        }
        #expect(tally.passed.load(ordering: .relaxed) == 50_000 && counter.count == 50_000)
        #expect(counter.takeUnsaved() == 50_000)
        #expect(tally.told.load(ordering: .relaxed) == 1, "one note until the store is told")
    }

    @Test("it tells once that there is something new, again when that was taken, and not when it comes back")
    func unsaved() {
        let tally = Tally()
        let counter = UsageCounter(Self.key, count: 10) { _ in tally.told.add(1, ordering: .relaxed) }
        #expect(counter.takeUnsaved() == 0, "what the store knows is not new")
        for _ in 0..<5 { counter.add() }
        _ = counter.take(limit: 100)
        _ = counter.take(limit: 1)
        #expect(tally.told.load(ordering: .relaxed) == 1)
        #expect(counter.takeUnsaved() == 6)
        #expect(counter.takeUnsaved() == 0)
        counter.add()
        #expect(tally.told.load(ordering: .relaxed) == 2)
        counter.giveBack(6)
        #expect(tally.told.load(ordering: .relaxed) == 2 && counter.takeUnsaved() == 7)
        #expect(counter.count == 17, "what the store hears of changes nothing here")
    }
}
