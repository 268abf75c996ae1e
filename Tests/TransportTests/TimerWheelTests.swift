import Testing

@testable import Transport

@Suite("TimerWheel: never early, at most one tick late")
struct TimerWheelTests {
    private static let tick = TimerWheel.tickNanoseconds
    private static let span = tick * Int64(TimerWheel.slotCount)
    private let channel = Channel()

    private func at(_ nanoseconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: Self.span + nanoseconds) }

    private func wheel() -> TimerWheel { TimerWheel(now: at(0)) }

    /// Moves on tick by tick, or in larger steps, and tells when the timer came.
    private func firing(_ wheel: inout TimerWheel, _ timer: ShardTimer, from start: Int64 = 0, step: Int64 = tick)
        -> Int64?
    {
        var now = start
        while now <= start + 4 * Self.span {
            if wheel.advance(to: at(now)).contains(where: { $0 === timer }) { return now }
            now += step
        }
        return nil
    }

    static let deadlines: [Row<Int64, Int64>] = [
        Row("in no time", 0, tick), Row("in a nanosecond", 1, tick), Row("just within a tick", tick - 1, tick),
        Row("on a tick", tick, 2 * tick, why: "the tick behind it: never early"),
        Row("in a second", 1_000_000_000, 1_000_000_000 + tick),
        Row("at the end of the span", span - tick, span - tick), Row("the span", span, span + tick),
        Row("beyond the span", span + 7 * tick + 1, span + 8 * tick), Row("far beyond", 3 * span, 3 * span + tick),
        Row("in the past", -5 * tick, tick),
    ]

    @Test("a timer comes at the tick behind its deadline", arguments: deadlines)
    func fires(_ row: Row<Int64, Int64>) {
        var wheel = wheel()
        let timer = ChannelTimer(channel: channel)
        wheel.set(timer, to: at(row.input))
        #expect(firing(&wheel, timer) == row.expectation, "\(row.why)")
        #expect(!timer.isSet && wheel.count == 0)
        #expect(firing(&wheel, timer, from: 5 * Self.span) == nil, "once only")
    }

    @Test("a wheel that was not turned for long gives all that is due at once", arguments: [1, 2, 511, 512, 513, 3000])
    func jumps(ticks: Int64) {
        var wheel = wheel()
        let timers = (0..<600).map { _ in ChannelTimer(channel: channel) }
        for (index, timer) in timers.enumerated() { wheel.set(timer, to: at(Int64(index) * Self.tick)) }
        let due = wheel.advance(to: at(ticks * Self.tick))
        for (index, timer) in timers.enumerated() {
            let isDue = due.contains { $0 === timer }
            if Int64(index) < ticks { #expect(isDue && !timer.isSet) }
            if Int64(index) > ticks { #expect(!isDue && timer.deadline == at(Int64(index) * Self.tick)) }
        }
    }

    @Test(
        "a deadline that moves counts from then on",
        arguments: [
            Row("later", [2, 50], 51), Row("much later", [2, 2000], 2001), Row("earlier", [400, 3], 4),
            Row("earlier from beyond the span", [2000, 3], 4), Row("to and fro", [10, 400, 5, 9], 10),
            Row("the same", [7, 7], 8),
        ] as [Row<[Int64], Int64>])
    func moves(_ row: Row<[Int64], Int64>) {
        var wheel = wheel()
        let timer = ChannelTimer(channel: channel)
        for ticks in row.input { wheel.set(timer, to: at(ticks * Self.tick)) }
        #expect(wheel.count == 1, "linked once only")
        #expect(firing(&wheel, timer) == row.expectation * Self.tick)
    }

    @Test("a cleared timer does not come, and can be set again")
    func clears() {
        var wheel = wheel()
        let timer = ChannelTimer(channel: channel)
        wheel.set(timer, to: at(3 * Self.tick))
        wheel.clear(timer)
        #expect(!timer.isSet)
        #expect(firing(&wheel, timer) == nil)
        #expect(wheel.count == 0, "its place was given up")
        var other = TimerWheel(now: at(0))
        other.set(timer, to: at(3 * Self.tick))
        other.clear(timer)
        other.set(timer, to: at(90 * Self.tick))
        #expect(firing(&other, timer) == 91 * Self.tick)
    }

    @Test("distantFuture is never")
    func never() {
        var wheel = wheel()
        let timer = ChannelTimer(channel: channel)
        wheel.set(timer, to: .distantFuture)
        #expect(wheel.count == 0 && !timer.isSet)
        wheel.set(timer, to: at(0))
        wheel.set(timer, to: .distantFuture)
        #expect(firing(&wheel, timer) == nil)
    }

    @Test("removal from the front, the middle and the end of a slot leaves the others", arguments: 0..<5)
    func removes(place: Int) {
        var wheel = wheel()
        let timers = (0..<5).map { _ in ChannelTimer(channel: channel) }
        for timer in timers { wheel.set(timer, to: at(5 * Self.tick)) }
        wheel.remove(timers[place])
        wheel.remove(timers[place])
        #expect(wheel.count == 4)
        let due = wheel.advance(to: at(10 * Self.tick))
        #expect(due.count == 4 && !due.contains { $0 === timers[place] })
    }

    @Test("thousands of timers, set, moved and removed at random, each come when they should")
    func thousands() {
        var wheel = wheel()
        var random = Pseudorandom(seed: 7)
        let timers = (0..<5000).map { _ in ChannelTimer(channel: channel) }
        var deadlines = [Int64?](repeating: nil, count: timers.count)
        var now: Int64 = 0
        var fired = 0
        for _ in 0..<400 {
            for _ in 0..<100 {
                let index = Int(random.next() % 5000)
                switch random.next() % 8 {
                case 0:
                    wheel.remove(timers[index])
                    deadlines[index] = nil
                case 1:
                    wheel.clear(timers[index])
                    deadlines[index] = nil
                default:
                    let deadline = now + Int64(random.next() % UInt64(2 * Self.span))
                    wheel.set(timers[index], to: at(deadline))
                    deadlines[index] = deadline
                }
            }
            now += Int64(random.next() % UInt64(10 * Self.tick))
            let due = wheel.advance(to: at(now))
            fired += due.count
            for timer in due {
                guard let index = timers.firstIndex(where: { $0 === timer }) else { continue }
                if let deadline = deadlines[index] { #expect(deadline <= now) } else { Issue.record("was not set") }
                deadlines[index] = nil
            }
            #expect(deadlines.allSatisfy { $0.map { $0 > now - 2 * Self.tick } ?? true }, "none is late")
        }
        #expect(fired > 1000)
    }
}

/// The same numbers in every run.
struct Pseudorandom {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
    }
}
