public import Configuration
import HTTP
import JOSE
internal import Synchronization

/// How far each caller is into its rate limits: GCRA (the virtual scheduling algorithm of ITU-T I.371), exact over all shards.
///
/// One table for the process, used by every shard at once without a lock. A slot holds, as one atomic pair, a caller's hash and
/// its theoretical arrival time (TAT): the moment at which its bucket is full again. A TAT that has passed says no more than no
/// entry does, so such a slot is cold and anybody's. Bounded by `capacity`: when all eight slots of a set are hot, the one that
/// is cold first gives way and its caller starts over, so that a flood of callers locks nobody out.
///
/// Invariant: `slots` points to `sets * ways` initialised slots from `init` to `deinit`; a slot is changed by compare-exchange
/// of the whole pair alone, so that neither half is ever another caller's.
@safe
public final class RateTable: @unchecked Sendable {
    /// Callers that it holds by default; 4 MiB.
    public static let capacity = 1 << 18
    private static let ways = 8
    /// Nanoseconds by which a shard's `now` may be behind, when it had to wait between reading the clock and counting. A TAT that is
    /// further ahead than its limit can bring it, by more than that, was another limit's.
    private static let skew: Int64 = 60_000_000_000

    /// What becomes of a request.
    public enum Verdict: Equatable, Sendable {
        /// It passes; `remaining` more would pass now, and after `full` nanoseconds the whole burst.
        case passes(remaining: Int, full: Int64)
        /// It would pass after so many nanoseconds.
        case exceeds(retryAfter: Int64)
    }

    /// A caller's hash, 0: free, and its TAT in nanoseconds of the monotonic clock.
    private struct Slot: ~Copyable {
        let pair = Atomic(WordPair(first: 0, second: 0))
    }

    /// Where a caller stands, or would.
    private struct Finding {
        let place: Int
        let pair: WordPair
        /// The TAT that counts for the caller.
        let arrival: Int64
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
    /// `now` is in nanoseconds of the monotonic clock, read for this request.
    public func take(_ key: UInt64, _ limit: RateLimit, now: Int64) -> Verdict {
        let interval = limit.interval
        let tolerance = interval * Int64(limit.burst)
        while true {
            let finding = find(key, now: now)
            let next = Self.arrival(finding, now, interval, tolerance) + interval
            let excess = next - now - tolerance
            if excess > 0 { return .exceeds(retryAfter: excess) }
            let fresh = WordPair(first: UInt(key), second: UInt(bitPattern: Int(next)))
            let (isDone, _) = unsafe slots[finding.place].pair.compareExchange(
                expected: finding.pair, desired: fresh, ordering: .relaxed)
            if isDone { return .passes(remaining: Int(-excess / interval), full: next - now) }
        }
    }

    /// Where a caller stands, without counting a request: what would remain, or how long it would have to wait.
    public func look(_ key: UInt64, _ limit: RateLimit, now: Int64) -> Verdict {
        let interval = limit.interval
        let tolerance = interval * Int64(limit.burst)
        let ahead = Self.arrival(find(key, now: now), now, interval, tolerance) - now
        let excess = ahead + interval - tolerance
        if excess > 0 { return .exceeds(retryAfter: excess) }
        return .passes(remaining: Int((tolerance - ahead) / interval), full: ahead)
    }

    /// The TAT that counts now. Nobody pays a slower limit of before at its pace: his bucket has room for one.
    private static func arrival(_ finding: Finding, _ now: Int64, _ interval: Int64, _ tolerance: Int64) -> Int64 {
        if finding.arrival > now + tolerance + skew { return now + tolerance - interval }
        return max(finding.arrival, now)
    }

    /// The caller's slot, or the one that it may take: the coldest of its set.
    private func find(_ key: UInt64, now: Int64) -> Finding {
        let first = Int(truncatingIfNeeded: key &>> 32) & (sets &- 1) &* Self.ways
        var coldest = first
        var coldestPair = WordPair(first: 0, second: 0)
        var earliest = Int64.max
        for place in first..<first &+ Self.ways {
            let pair = unsafe slots[place].pair.load(ordering: .relaxed)
            let arrival = Int64(Int(bitPattern: pair.second))
            if pair.first == UInt(key) { return Finding(place: place, pair: pair, arrival: arrival) }
            if arrival < earliest { (coldest, coldestPair, earliest) = (place, pair, arrival) }
        }
        return Finding(place: coldest, pair: coldestPair, arrival: now)
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
