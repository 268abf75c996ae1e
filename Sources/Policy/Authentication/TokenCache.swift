/// Tokens that were verified, with their principals, so that a signature is checked once. Confined to its authenticator;
/// a reload makes a new one, so no entry outlives the keys that it was checked with.
///
/// Only what verified gets in. A hit needs the same bytes, all of them, whatever the hash says, and the present moment
/// within the time for which the token was found good. Bounded by entries and by bytes: sets of eight places, of which
/// the clock rule picks the next victim (what was used since the hand last passed gets another round). A hit allocates
/// nothing.
final class TokenCache {
    private static let ways = 8
    /// A token's parsed claims and header lines take a multiple of its own size: JSON's smallest member is two bytes,
    /// its parsed form about twenty.
    private static let bytesPerTokenByte = 12
    private static let bytesPerEntry = 512

    private struct Slot {
        var token: [UInt8] = []
        var principal: Principal?
        /// The entry is good while `from` ≤ now < `until`.
        var from: Int64 = 0
        var until: Int64 = 0
        var wasUsed = false
        var cost: Int { token.count * bytesPerTokenByte + bytesPerEntry }
    }

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

    /// The principal of a token that was verified and is good now.
    @inline(__always)
    func find(_ token: Span<UInt8>, tag: UInt64, now: Int64) -> Principal? {
        guard !tags.isEmpty else { return nil }
        let base = firstSlot(of: tag)
        for place in base..<(base &+ TokenCache.ways) where tags[place] == tag {
            guard ByteWords.equal(slots[place].token, token) else { continue }
            // Before `from` the clock was set back: `nbf` has to be looked at again. From `until` on it is expired.
            guard now >= slots[place].from, now < slots[place].until else {
                remove(place)
                return nil
            }
            slots[place].wasUsed = true
            return slots[place].principal
        }
        return nil
    }

    /// Remembers a token that was verified at `now` and expires, leeway included, at `until`.
    func insert(_ token: Span<UInt8>, tag: UInt64, principal: Principal, now: Int64, until: Int64) {
        var slot = Slot(principal: principal, from: now, until: until)
        unsafe token.withUnsafeBufferPointer { unsafe slot.token.append(contentsOf: $0) }
        guard !tags.isEmpty, now < until, slot.cost <= byteLimit else { return }
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
    private func firstSlot(of tag: UInt64) -> Int {
        Int(truncatingIfNeeded: tag &>> 32) & (tags.count &- 1) & ~(TokenCache.ways &- 1)
    }

    /// The place for a token in its set: its own, a free one, an expired one, or the one that was not used for longest.
    private func victim(for token: Span<UInt8>, tag: UInt64, now: Int64) -> Int {
        let base = firstSlot(of: tag)
        let set = base..<(base + TokenCache.ways)
        for place in set where tags[place] == tag && ByteWords.equal(slots[place].token, token) { return place }
        for place in set where tags[place] == 0 || now >= slots[place].until { return place }
        for place in set {
            if !slots[place].wasUsed { return place }
            slots[place].wasUsed = false
        }
        // All were in use, and all have lost their mark: one of them by the hash, which nobody outside foresees.
        return base + Int(truncatingIfNeeded: tag >> 8) & (TokenCache.ways - 1)
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
