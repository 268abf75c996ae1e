public import Configuration
import HTTP
internal import Synchronization

/// How far each caller is into its rate limits: GCRA (the virtual scheduling algorithm of ITU-T I.371), exact over all shards.
///
/// One table for the process, used by every shard at once without a lock. For each caller it holds the theoretical
/// arrival time (TAT): the moment at which its bucket is full again. A TAT that has passed says no more than no entry
/// does, so such an entry is cold and its place is anybody's. Bounded by `capacity`: when all eight places of a set are
/// hot, the one that is cold first gives way and its caller starts over, so that a flood of callers locks nobody out.
///
/// Invariant: `slots` points to `count` initialised slots from `init` to `deinit`; a slot is changed by atomics alone.
@safe
public final class RateTable: @unchecked Sendable {
    /// Callers that it holds by default; 4 MiB.
    public static let capacity = 1 << 18
    private static let ways = 8

    /// What becomes of a request.
    public enum Verdict: Equatable, Sendable {
        /// It passes; `remaining` more would pass now, and after `full` nanoseconds the whole burst.
        case passes(remaining: Int, full: Int64)
        /// It would pass after so many nanoseconds.
        case exceeds(retryAfter: Int64)
    }

    private struct Slot: ~Copyable {
        /// The caller's hash; 0: free.
        let key = Atomic<UInt64>(0)
        /// Nanoseconds of the monotonic clock.
        let arrival = Atomic<Int64>(0)
    }

    private let slots: UnsafeMutablePointer<Slot>
    private let sets: Int

    /// An empty table for at least `capacity` callers.
    public init(capacity: Int = RateTable.capacity) {
        var sets = 1
        while sets * Self.ways < capacity { sets *= 2 }
        self.sets = sets
        unsafe slots = .allocate(capacity: sets * Self.ways)
        for index in 0..<sets * Self.ways { unsafe (slots + index).initialize(to: Slot()) }
    }

    deinit {
        unsafe slots.deinitialize(count: sets * Self.ways)
        unsafe slots.deallocate()
    }

    /// Counts a request of the caller `key`, which is a hash that nobody outside can choose, if its limit allows that.
    /// `now` is in nanoseconds of the monotonic clock.
    public func take(_ key: UInt64, _ limit: RateLimit, now: Int64) -> Verdict {
        let interval = limit.interval
        let tolerance = interval * Int64(limit.burst)
        let place = place(of: key, now: now)
        var arrival = unsafe slots[place].arrival.load(ordering: .relaxed)
        while true {
            let next = max(arrival, now) + interval
            guard next - now <= tolerance else { return .exceeds(retryAfter: next - now - tolerance) }
            let (isDone, found) = unsafe slots[place].arrival.compareExchange(
                expected: arrival, desired: next, ordering: .relaxed)
            if isDone { return .passes(remaining: Int((tolerance - (next - now)) / interval), full: next - now) }
            arrival = found
        }
    }

    /// Where a caller stands, without counting a request: what would remain, or how long it would have to wait.
    public func look(_ key: UInt64, _ limit: RateLimit, now: Int64) -> Verdict {
        let interval = limit.interval
        let tolerance = interval * Int64(limit.burst)
        let first = Int(truncatingIfNeeded: key &>> 32) & (sets &- 1) &* Self.ways
        for place in first..<first &+ Self.ways
        where unsafe slots[place].key.load(ordering: .relaxed) == key {
            let ahead = max(unsafe slots[place].arrival.load(ordering: .relaxed) - now, 0)
            if ahead > tolerance - interval { return .exceeds(retryAfter: ahead - (tolerance - interval)) }
            return .passes(remaining: Int((tolerance - ahead) / interval), full: ahead)
        }
        return .passes(remaining: limit.burst, full: 0)
    }

    /// Where the caller stands, or stands from now on.
    private func place(of key: UInt64, now: Int64) -> Int {
        let first = Int(truncatingIfNeeded: key &>> 32) & (sets &- 1) &* Self.ways
        // A lost race means that another shard has taken the place: it is looked at anew, a few times at most.
        for _ in 0..<Self.ways {
            var free = -1
            var coldest = first
            var earliest = Int64.max
            for place in first..<first &+ Self.ways {
                let known = unsafe slots[place].key.load(ordering: .relaxed)
                if known == key { return place }
                let arrival = unsafe slots[place].arrival.load(ordering: .relaxed)
                if free < 0, known == 0 || arrival <= now { free = place }
                if arrival < earliest { (coldest, earliest) = (place, arrival) }
            }
            let chosen = free >= 0 ? free : coldest
            let known = unsafe slots[chosen].key.load(ordering: .relaxed)
            let (isDone, _) = unsafe slots[chosen].key.compareExchange(
                expected: known, desired: key, ordering: .relaxed)
            guard isDone else { continue }
            if free < 0 { unsafe slots[chosen].arrival.store(now, ordering: .relaxed) }
            return chosen
        }
        return first
    }
}

/// Hashes of those whom requests are counted by, under a key that is drawn once for the process.
public enum SubjectHash {
    private static let hash = KeyedHash()

    /// The hash of a name.
    public static func of(_ bytes: Span<UInt8>) -> UInt64 { hash(bytes) }

    /// The hash of a name.
    public static func of(_ text: String) -> UInt64 {
        let bytes = Array(text.utf8)
        return hash(bytes.span)
    }

    /// One for a subject under a limit: those of two limits have nothing to do with each other.
    @inline(__always)
    public static func mix(_ subject: UInt64, _ limit: UInt64) -> UInt64 { ByteWords.mix(subject, limit) | 1 }
}
