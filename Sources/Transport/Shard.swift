import CLinux
public import Dispatch
import Glibc
internal import Synchronization

/// An event loop: one serial queue, its channels and their timers.
///
/// There are two epoll sets, one within the other: answers come before requests. A round takes what upstreams say, then of what
/// clients say `requestsPerRound` events at most. With one set for both, a shard that has more to do than it can would read
/// every request that waits before it came to the first answer, and open an upstream connection for each.
///
/// Everything in it is confined to `queue`; that is why it may be `Sendable` although nothing is locked. One
/// `DispatchSource` watches the epoll descriptor. Its handler drains what is ready, lingers `lingerMilliseconds` for more,
/// and returns after `roundsPerTurn` rounds at the latest, so that blocks posted to the queue get their turn.
@safe
public final class Shard: @unchecked Sendable {
    /// Which shard it is, from 0.
    public let index: Int
    /// The serial queue that owns everything here.
    public let queue: DispatchQueue
    /// The present, read once for each batch of events.
    public private(set) var now: MonotonicTime
    /// Buffers that wait for their next use.
    public let buffers = BufferPool()

    /// Whose turn a channel's events have.
    public enum Precedence: Sendable {
        /// What finishes work that was begun.
        case answers
        /// What begins it.
        case requests
    }

    private static let eventsPerRound: Int32 = 256
    private static let requestsPerRound: Int32 = 32
    /// Stands in events for the set of those whose turn is `requests`.
    private static let requestsMark = UInt64.max
    private static let roundsPerTurn = 128
    private static let lingerMilliseconds: Int32 = 1

    /// The set of `answers`, and of `requests` as one entry.
    private let epoll: Int32
    private let requests: Int32
    private let events: UnsafeMutablePointer<epoll_event>
    private var source: (any DispatchSourceRead)?
    private var tickSource: (any DispatchSourceTimer)?
    private var isTicking = false
    /// Events that were on their way when it stopped are not delivered: their channels may be gone.
    private var isStopped = false
    /// Somebody waits for the queue: a turn ends with the round at hand.
    let isWanted = Atomic(false)
    private var wheel: TimerWheel
    private var channels: [Channel?] = []
    private var generations: [UInt32] = []
    private var freeSlots: [Int] = []
    private var deferred: [() -> Void] = []

    /// A shard that runs once `start` is called.
    public init(index: Int) throws(SocketError) {
        self.index = index
        queue = DispatchQueue(label: "gatehouse.shard.\(index)", qos: .userInitiated)
        let descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { throw SocketError("epoll_create") }
        let inner = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard inner >= 0,
            clinux_epoll_control(
                descriptor, EPOLL_CTL_ADD, inner, Readiness.readable.rawValue, Self.requestsMark) == 0
        else {
            let error = SocketError("epoll_create")
            Sockets.close(descriptor)
            if inner >= 0 { Sockets.close(inner) }
            throw error
        }
        epoll = descriptor
        requests = inner
        now = .now()
        wheel = TimerWheel(now: now)
        unsafe events = .allocate(capacity: Int(Self.eventsPerRound))
    }

    deinit {
        close(epoll)
        close(requests)
        unsafe events.deallocate()
    }

    /// Begins to serve.
    public func start() {
        let source = DispatchSource.makeReadSource(fileDescriptor: epoll, queue: queue)
        // A running loop keeps itself until it is stopped.
        source.setEventHandler { [self] in turn() }
        self.source = source
        let tick = DispatchSource.makeTimerSource(queue: queue)
        tick.setEventHandler { [self] in
            guard !isStopped else { return }
            now = .now()
            fireTimers()
        }
        // Dispatch does not let a suspended source go: at rest it is scheduled for never.
        tick.schedule(deadline: .distantFuture)
        tickSource = tick
        tick.resume()
        source.resume()
    }

    /// Ends the loop. Called on the queue, when every channel is gone.
    public func stop() {
        isStopped = true
        source?.cancel()
        tickSource?.cancel()
    }

    /// Runs `work` on the shard, later. An idle shard has not looked at the clock for long: timers that `work` sets
    /// count from now.
    public func post(_ work: @escaping @Sendable () -> Void) {
        queue.async { [self] in
            now = .now()
            work()
            if !deferred.isEmpty { runDeferred() }
        }
    }

    /// Runs `work` while none of `shards` runs: what it changes in all of them, each has changed before any of them serves
    /// again. They are awaited one by one, each for a round at most, so that those held already stand still only briefly.
    /// Never called on a shard's queue.
    public static func holding(_ shards: [Shard], _ work: () -> Void) { holding(shards[...], work) }

    private static func holding(_ shards: ArraySlice<Shard>, _ work: () -> Void) {
        guard let shard = shards.first else { return work() }
        shard.isWanted.store(true, ordering: .relaxed)
        shard.queue.sync {
            shard.isWanted.store(false, ordering: .relaxed)
            shard.now = .now()
            holding(shards.dropFirst(), work)
        }
    }

    /// Runs `work` after the events at hand, still in this turn. For what must not happen inside a callback.
    public func later(_ work: @escaping () -> Void) { deferred.append(work) }

    private func turn() {
        guard !isStopped else { return }
        var rounds = 0
        var timeout: Int32 = 0
        while rounds < Self.roundsPerTurn, !isWanted.load(ordering: .relaxed) {
            let count = unsafe epoll_wait(epoll, events, Self.eventsPerRound, timeout)
            now = .now()
            if count <= 0 {
                if timeout != 0 { break }
                timeout = Self.lingerMilliseconds
                continue
            }
            if deliver(Int(count)) {
                let count = unsafe epoll_wait(requests, events, Self.requestsPerRound, 0)
                if count > 0 { _ = deliver(Int(count)) }
            }
            if now >= wheel.nextTick { fireTimers() }
            timeout = Self.lingerMilliseconds
            rounds += 1
        }
    }

    /// Tells the channels; true when requests wait.
    private func deliver(_ count: Int) -> Bool {
        var hasRequests = false
        for index in 0..<count {
            let event = unsafe events[index]
            if unsafe event.data.u64 == Self.requestsMark {
                hasRequests = true
                continue
            }
            let slot = unsafe Int(truncatingIfNeeded: event.data.u64 & 0xffff_ffff)
            let generation = unsafe UInt32(truncatingIfNeeded: event.data.u64 >> 32)
            // An event of this batch may be for a channel that an earlier one closed.
            guard generations[slot] == generation, let channel = channels[slot] else { continue }
            unsafe channel.ready(Readiness(rawValue: event.events))
        }
        if !deferred.isEmpty { runDeferred() }
        return hasRequests
    }

    private func runDeferred() {
        while !deferred.isEmpty {
            let work = deferred
            deferred.removeAll(keepingCapacity: true)
            for item in work { item() }
        }
    }

    // MARK: Channels

    /// Watches `descriptor` for `channel`; false when the kernel refuses.
    @discardableResult
    public func add(
        _ channel: Channel, descriptor: Int32, interest: Readiness, precedence: Precedence = .requests
    ) -> Bool {
        dispatchPrecondition(condition: .onQueue(queue))
        let slot: Int
        if let free = freeSlots.popLast() {
            slot = free
        } else {
            slot = channels.count
            channels.append(nil)
            generations.append(0)
        }
        let data = UInt64(generations[slot]) << 32 | UInt64(slot)
        let set = precedence == .answers ? epoll : requests
        guard clinux_epoll_control(set, EPOLL_CTL_ADD, descriptor, interest.rawValue, data) == 0 else {
            freeSlots.append(slot)
            return false
        }
        channel.set = set
        channels[slot] = channel
        channel.slot = slot
        channel.watched = descriptor
        channel.interest = interest
        return true
    }

    /// Changes what is waited for. Costs nothing when that is the same.
    @inline(__always)
    public func setInterest(_ interest: Readiness, of channel: Channel) {
        if channel.interest != interest { changeInterest(interest, of: channel) }
    }

    @inline(never)
    private func changeInterest(_ interest: Readiness, of channel: Channel) {
        guard channel.slot >= 0 else { return }
        channel.interest = interest
        let data = UInt64(generations[channel.slot]) << 32 | UInt64(channel.slot)
        _ = clinux_epoll_control(channel.set, EPOLL_CTL_MOD, channel.watched, interest.rawValue, data)
    }

    /// Stops to watch. Called before the descriptor is closed.
    public func remove(_ channel: Channel) {
        guard channel.slot >= 0 else { return }
        _ = clinux_epoll_control(channel.set, EPOLL_CTL_DEL, channel.watched, 0, 0)
        generations[channel.slot] &+= 1
        channels[channel.slot] = nil
        freeSlots.append(channel.slot)
        channel.slot = -1
        channel.interest = []
    }

    /// From now on `new` is told what happens to the descriptor that `old` watched.
    public func replace(_ old: Channel, with new: Channel) {
        guard old.slot >= 0 else { return }
        channels[old.slot] = new
        new.slot = old.slot
        new.watched = old.watched
        new.set = old.set
        new.interest = old.interest
        old.slot = -1
        old.interest = []
    }

    /// The channels that are watched now.
    public var watchedChannels: [Channel] { channels.compactMap { $0 } }

    // MARK: Timers

    /// Sets `timer` to fire `nanoseconds` from now.
    @inline(__always)
    public func set(_ timer: ShardTimer, after nanoseconds: Int64) {
        wheel.set(timer, to: now.advanced(byNanoseconds: nanoseconds))
        if !isTicking { startTicking() }
    }

    /// Forgets a deadline.
    @inline(__always)
    public func clear(_ timer: ShardTimer) { wheel.clear(timer) }

    /// Forgets a timer for good.
    public func remove(_ timer: ShardTimer) { wheel.remove(timer) }

    private func startTicking() {
        guard let tickSource else { return }
        isTicking = true
        let interval = Int(TimerWheel.tickNanoseconds)
        tickSource.schedule(
            deadline: .now() + .nanoseconds(interval), repeating: .nanoseconds(interval), leeway: .milliseconds(5))
    }

    private func fireTimers() {
        for timer in wheel.advance(to: now) where timer.isDue { timer.fire() }
        if !deferred.isEmpty { runDeferred() }
        if wheel.count == 0, isTicking {
            isTicking = false
            tickSource?.schedule(deadline: .distantFuture)
        }
    }
}
