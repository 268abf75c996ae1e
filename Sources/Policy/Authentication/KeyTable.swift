public import JOSE

/// Every API key by its SHA-256, as it stood when the table was made. Immutable, and replaced whole. Shards share its
/// memory, each by an object of its own (`replica`).
///
/// Most keys are in one index, and those that changed since it was made in a small one before it, so that a change costs a million keys
/// nothing. A place below the large one's count is there, others are in the small one.
public final class KeyTable: Sendable {
    /// A table without keys.
    public static let empty = KeyTable([])
    /// Changed keys at most before all are put in one index again: some hundred milliseconds for a million.
    static let changesAtMost = 4_096

    private let most: KeyIndex
    private let changed: KeyIndex
    /// Keys of `most` that `changed` has another record of.
    private let outdatedCount: Int

    /// A table of these records. If two have one digest, the first counts.
    public convenience init(_ records: [KeyRecord]) {
        self.init(most: KeyIndex(records), changed: KeyIndex([]), outdatedCount: 0)
    }

    /// A table of all records of a store that may have been set back: what `former` knows to have been revoked or rotated stays so.
    public convenience init(_ records: [KeyRecord], remembering former: KeyTable) {
        self.init(
            former.count == 0
                ? records
                : records.map { record in
                    guard let place = former.place(of: record.digest) else { return record }
                    let (revokedAt, graceUntil) = former.ends(at: place)
                    var kept = record
                    kept.revokedAt = record.revokedAt ?? revokedAt
                    kept.graceUntil = record.graceUntil ?? graceUntil
                    return kept
                })
    }

    private init(most: KeyIndex, changed: KeyIndex, outdatedCount: Int) {
        self.most = most
        self.changed = changed
        self.outdatedCount = outdatedCount
    }

    /// The table after these keys were made or changed; nil where one of them cannot be used any more, which only all
    /// records tell.
    public func updated(with records: [KeyRecord]) -> KeyTable? {
        guard records.allSatisfy(KeyIndex.isUsable) else { return nil }
        // The newest first: of two with one digest the first counts.
        let all = KeyIndex(changed, changedBy: KeyIndex(records.reversed()))
        if all.count > KeyTable.changesAtMost {
            return KeyTable(most: KeyIndex(most, changedBy: all), changed: KeyIndex([]), outdatedCount: 0)
        }
        let outdated = all.records.count { most.place(of: $0.digest) != nil }
        return KeyTable(most: most, changed: all, outdatedCount: outdated)
    }

    /// The same table as another object: processors that count one object's references take its cache line from each
    /// other at every request.
    func replica() -> KeyTable { KeyTable(most: most, changed: changed, outdatedCount: outdatedCount) }

    /// How many keys it holds.
    public var count: Int { most.count + changed.count - outdatedCount }

    /// Records that were left out, because their ids could not be header values: 1 to 256 visible ASCII bytes. A request
    /// with such a key is refused.
    public var unusableCount: Int { most.unusableCount }

    /// The record of the key with this SHA-256, whatever its standing.
    public func find(_ digest: Digest256) -> KeyRecord? { place(of: digest).map { record(at: $0) } }

    /// The place of the key with this SHA-256. Places mean nothing in another table.
    func place(of digest: Digest256) -> Int? {
        if changed.count > 0, let place = changed.place(of: digest) { return most.count &+ place }
        return most.place(of: digest)
    }

    /// Whether the key at a place may be used.
    func standing(at place: Int, now: Int64) -> KeyStanding {
        place < most.count ? most.standing(at: place, now: now) : changed.standing(at: place &- most.count, now: now)
    }

    private func ends(at place: Int) -> (revokedAt: Int64?, graceUntil: Int64?) {
        place < most.count ? most.ends(at: place) : changed.ends(at: place - most.count)
    }

    /// All that is known of the key at a place.
    func record(at place: Int) -> KeyRecord {
        place < most.count ? most.record(at: place) : changed.record(at: place - most.count)
    }
}
