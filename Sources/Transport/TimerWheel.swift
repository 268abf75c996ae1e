/// A deadline. Moving it later is one store: the wheel notices when the old place comes round.
///
/// Invariant: confined to its shard's queue. Linked into at most one slot of the wheel, which keeps it alive while it is. Every
/// channel is one itself, so that what most requests set lies beside what they look at anyway; those that need more have
/// `ChannelTimer`s.
open class ShardTimer {
    /// When it is due; `.distantFuture` for never.
    public fileprivate(set) final var deadline = MonotonicTime.distantFuture
    fileprivate final var next: ShardTimer?
    fileprivate final unowned(unsafe) var previous: ShardTimer?
    fileprivate final var linkedTick: Int64 = -1
    /// Its time has come, and nobody moved, cleared or removed it since.
    fileprivate(set) final var isDue = false

    init() {}

    /// A deadline is set.
    public final var isSet: Bool { deadline != .distantFuture }

    /// Tells its channel.
    func fire() {}
}

/// A further deadline of a channel.
///
/// Invariant: `remove` is called before the channel goes away, so that `channel` is alive while the timer is linked.
public final class ChannelTimer: ShardTimer {
    private unowned let channel: Channel

    /// A timer that is not set.
    public init(channel: Channel) { self.channel = channel }

    override func fire() { channel.timerFired(self) }
}

/// Timers hashed by their tick. Setting, moving and clearing are O(1); a tick looks at one slot.
///
/// Deadlines are met to within one tick, never early. A deadline farther than the wheel's span is linked at its end and
/// linked anew from there.
struct TimerWheel {
    /// The grain of every time-out.
    static let tickNanoseconds: Int64 = 20_000_000
    /// Ticks that the wheel spans: 10.24 s.
    static let slotCount = 512

    private var slots = [ShardTimer?](repeating: nil, count: slotCount)
    private var currentTick: Int64
    /// Timers that are linked.
    private(set) var count = 0

    init(now: MonotonicTime) { currentTick = now.nanoseconds / Self.tickNanoseconds }

    /// When the next tick is due.
    var nextTick: MonotonicTime { MonotonicTime(nanoseconds: (currentTick + 1) * Self.tickNanoseconds) }

    @inline(__always)
    mutating func set(_ timer: ShardTimer, to deadline: MonotonicTime) {
        timer.deadline = deadline
        timer.isDue = false
        // The tick behind the deadline: never early.
        let tick = deadline.nanoseconds / Self.tickNanoseconds + 1
        if timer.linkedTick >= 0 && timer.linkedTick <= tick { return }
        if deadline == .distantFuture { return }
        relink(timer, at: tick)
    }

    /// Forgets the deadline; the place in the wheel is given up when it comes round.
    @inline(__always)
    mutating func clear(_ timer: ShardTimer) {
        timer.deadline = .distantFuture
        timer.isDue = false
    }

    /// Forgets the timer altogether.
    mutating func remove(_ timer: ShardTimer) {
        clear(timer)
        unlink(timer)
    }

    private mutating func relink(_ timer: ShardTimer, at tick: Int64) {
        unlink(timer)
        let place = min(max(tick, currentTick + 1), currentTick + Int64(Self.slotCount) - 1)
        let slot = Int(place % Int64(Self.slotCount))
        timer.linkedTick = place
        timer.next = slots[slot]
        unsafe slots[slot]?.previous = timer
        slots[slot] = timer
        count += 1
    }

    private mutating func unlink(_ timer: ShardTimer) {
        guard timer.linkedTick >= 0 else { return }
        let slot = Int(timer.linkedTick % Int64(Self.slotCount))
        let next = timer.next
        if let previous = unsafe timer.previous {
            previous.next = next
        } else {
            slots[slot] = next
        }
        unsafe next?.previous = unsafe timer.previous
        timer.next = nil
        unsafe timer.previous = nil
        timer.linkedTick = -1
        count -= 1
    }

    /// Moves on to `now` and gives back the timers that are due. Whoever tells their channels asks `isDue` each time: what
    /// one channel does may take another's deadline, and the channel itself, away.
    mutating func advance(to now: MonotonicTime) -> [ShardTimer] {
        let tick = now.nanoseconds / Self.tickNanoseconds
        guard tick > currentTick else { return [] }
        var due: [ShardTimer] = []
        let first = max(currentTick + 1, tick - Int64(Self.slotCount) + 1)
        currentTick = tick
        for passed in first...tick {
            var timer = slots[Int(passed % Int64(Self.slotCount))]
            while let linked = timer {
                timer = linked.next
                unlink(linked)
                if linked.deadline <= now {
                    linked.deadline = .distantFuture
                    linked.isDue = true
                    due.append(linked)
                } else if linked.isSet {
                    relink(linked, at: linked.deadline.nanoseconds / Self.tickNanoseconds + 1)
                }
            }
        }
        return due
    }
}
