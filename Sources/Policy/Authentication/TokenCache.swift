import JOSE

/// Tokens that were verified, with their principals, so that a signature is checked once. Confined to its authenticator;
/// a reload makes a new one, so no entry outlives the keys that it was checked with.
///
/// Only what verified gets in: with its principal while it is good, or with its expiry when that is all that is wrong with
/// it, since clients go on sending a token that has expired. No other failure is remembered. A hit needs the same bytes, all of them, whatever the hash says, and the present moment
/// within the time for which the token was found good. Bounded by entries and by bytes: sets of eight places, of which
/// the clock rule picks the next victim (what was used since it was last passed over gets another round). A token may
/// stand in either of two sets, and goes where there is more room: with one set each, half a table of tokens would
/// already crowd some out. A hit allocates nothing.
final class TokenCache {
    private static let ways = 8
    /// A token's parsed claims and header lines take a multiple of its own size: JSON's smallest member is two bytes,
    /// its parsed form about twenty.
    private static let bytesPerTokenByte = 12
    private static let bytesPerEntry = 512

    private struct Slot {
        var token: [UInt8] = []
        /// Nil for a token that has expired.
        var principal: Principal?
        /// When that was, in seconds since 1970.
        var expiredAt: Int64 = 0
        /// The entry is good while `from` ≤ now < `until`.
        var from: Int64 = 0
        var until: Int64 = 0
        var wasUsed = false
        /// The epoch of the revocations that do not name it.
        var cleanEpoch: UInt64 = 0
        /// What its claims take beyond what its own length tells.
        var weight = 0
        var cost: Int { token.count * bytesPerTokenByte + bytesPerEntry + weight }
    }

    /// What is known of a token.
    enum Finding {
        /// `place` is where it stands until the next insertion.
        case principal(Principal, place: Int)
        case expired(at: Int64)
    }

    /// Seconds for which it is remembered that a token has expired.
    private static let expiredMemory: Int64 = 300

    private let hash = KeyedHash()
    /// One for each slot; 0 marks a free one. Eight tags of a set are one cache line.
    private var tags: [UInt64]
    private var slots: [Slot]
    private var hand = 0
    private let byteLimit: Int
    /// Entries it holds.
    private(set) var count = 0
    /// What they take, reckoned generously.
    private(set) var byteCount = 0

    /// For at least `capacity` entries, rounded up to full sets, and at most `byteLimit` bytes. 0 entries: it stays empty.
    init(capacity: Int, byteLimit: Int) {
        var sets = capacity > 0 ? 1 : 0
        while sets * TokenCache.ways < capacity { sets *= 2 }
        tags = [UInt64](repeating: 0, count: sets * TokenCache.ways)
        slots = [Slot](repeating: Slot(), count: sets * TokenCache.ways)
        self.byteLimit = byteLimit
    }

    /// The most entries it can hold.
    var capacity: Int { slots.count }

    /// The hash under which a token is found and inserted.
    @inline(__always)
    func tag(of token: Span<UInt8>) -> UInt64 { hash(token) }

    /// What is known now of a token that was verified.
    @inline(__always)
    func find(_ token: Span<UInt8>, tag: UInt64, now: Int64) -> Finding? {
        guard !tags.isEmpty else { return nil }
        guard let place = place(of: token, in: firstSet(of: tag), tag) ?? place(of: token, in: secondSet(of: tag), tag)
        else { return nil }
        // Before `from` the clock was set back: `nbf` has to be looked at again. From `until` on it is expired.
        guard now >= slots[place].from, now < slots[place].until else {
            remove(place)
            return nil
        }
        if !slots[place].wasUsed { slots[place].wasUsed = true }
        if let principal = slots[place].principal { return .principal(principal, place: place) }
        return .expired(at: slots[place].expiredAt)
    }

    /// Whether the token at a place was found clean in this epoch.
    @inline(__always)
    func isClean(_ place: Int, in epoch: UInt64) -> Bool { slots[place].cleanEpoch == epoch }

    /// Notes that nothing up to this epoch revokes the token at a place.
    func markClean(_ place: Int, in epoch: UInt64) { slots[place].cleanEpoch = epoch }

    /// Remembers a token that was verified at `now` and expires, leeway included, at `until`.
    func insert(
        _ token: Span<UInt8>, tag: UInt64, principal: Principal, weight: Int = 0, now: Int64, until: Int64
    ) {
        insert(token, tag: tag, Slot(principal: principal, from: now, until: until, weight: weight), now: now)
    }

    /// Remembers a token in which nothing is wrong but that it has expired, at `time`, as of `now`.
    func insertExpired(_ token: Span<UInt8>, tag: UInt64, at time: Int64, now: Int64) {
        let slot = Slot(expiredAt: time, from: now, until: now &+ TokenCache.expiredMemory)
        insert(token, tag: tag, slot, now: now)
    }

    private func insert(_ token: Span<UInt8>, tag: UInt64, _ entry: Slot, now: Int64) {
        var slot = entry
        unsafe token.withUnsafeBufferPointer { unsafe slot.token.append(contentsOf: $0) }
        guard !tags.isEmpty, now < slot.until, slot.cost <= byteLimit else { return }
        let place = victim(for: token, tag: tag, now: now)
        remove(place)
        while byteCount + slot.cost > byteLimit { evictNext() }
        tags[place] = tag
        count += 1
        byteCount += slot.cost
        slots[place] = slot
    }

    /// Forgets everything.
    func removeAll() {
        for place in slots.indices { remove(place) }
    }

    @inline(__always)
    private func firstSet(of tag: UInt64) -> Range<Int> { set(Int(truncatingIfNeeded: tag &>> 32)) }

    @inline(__always)
    private func secondSet(of tag: UInt64) -> Range<Int> { set(Int(truncatingIfNeeded: tag)) }

    /// The set that a number falls into, whose lowest bits are not used: that of a tag is always set.
    @inline(__always)
    private func set(_ number: Int) -> Range<Int> {
        let base = number & (tags.count &- 1) & ~(TokenCache.ways &- 1)
        return base..<(base &+ TokenCache.ways)
    }

    @inline(__always)
    private func place(of token: Span<UInt8>, in set: Range<Int>, _ tag: UInt64) -> Int? {
        for place in set where tags[place] == tag && ByteWords.equal(slots[place].token, token) { return place }
        return nil
    }

    /// The place for a token: its own, a free or expired one in the emptier of its sets, or the one there that was not
    /// used for longest.
    private func victim(for token: Span<UInt8>, tag: UInt64, now: Int64) -> Int {
        let first = firstSet(of: tag)
        let second = secondSet(of: tag)
        if let own = place(of: token, in: first, tag) ?? place(of: token, in: second, tag) { return own }
        let isFree = { [self] (place: Int) in tags[place] == 0 || now >= slots[place].until }
        let set = first.count(where: isFree) >= second.count(where: isFree) ? first : second
        if let free = set.first(where: isFree) { return free }
        for place in set {
            if !slots[place].wasUsed { return place }
            slots[place].wasUsed = false
        }
        // All were in use, and all have lost their mark: one of them by the hash, which nobody outside foresees.
        return set.lowerBound + Int(truncatingIfNeeded: tag >> 56) & (TokenCache.ways - 1)
    }

    /// The clock over the whole table, for the bound in bytes.
    private func evictNext() {
        while true {
            let place = hand
            hand = (hand + 1) % slots.count
            guard tags[place] != 0 else { continue }
            if slots[place].wasUsed {
                slots[place].wasUsed = false
            } else {
                remove(place)
                return
            }
        }
    }

    private func remove(_ place: Int) {
        guard tags[place] != 0 else { return }
        byteCount -= slots[place].cost
        count -= 1
        tags[place] = 0
        slots[place] = Slot()
    }
}
