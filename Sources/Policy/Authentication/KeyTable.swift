import HTTP
public import JOSE

/// Every API key by its SHA-256, as it stood when the table was built. Immutable, and replaced whole. Shards share its
/// memory, each by an object of its own (`replica`).
///
/// A million keys: 4 bytes a place in a hash table that is at most half full, about 120 bytes a key, and the texts in
/// one array. So a look-up touches few cache lines, and the shard that lets the last reference go frees three arrays
/// instead of millions of strings.
public final class KeyTable: Sendable {
    /// A table without keys.
    public static let empty = KeyTable([])

    private struct Entry: Sendable {
        var digest: Digest256
        var createdAt: Int64
        var expiresAt: Int64?
        var revokedAt: Int64?
        var graceUntil: Int64?
        /// Where its texts begin: id, agent, owner, name, prefix, one behind the other.
        var text: Int
        var counts: (id: UInt16, agent: UInt16, owner: UInt16, name: UInt32, prefix: UInt32)
    }

    /// Places of `entries` plus one; 0 is free. Linear probing.
    private let places: [UInt32]
    private let entries: [Entry]
    private let text: [UInt8]
    /// By the place of those keys that have any: few do.
    private let limits: [Int: KeyLimits]
    /// Records that are left out, because their ids could not be header values: 1 to 256 visible ASCII bytes. A request
    /// with such a key is refused.
    public let unusableCount: Int

    /// A table of these records. If two have one digest, the first counts.
    public init(_ records: [KeyRecord]) {
        var size = 16
        while size < records.count * 2 { size *= 2 }
        var places = [UInt32](repeating: 0, count: size)
        var entries: [Entry] = []
        entries.reserveCapacity(records.count)
        var text: [UInt8] = []
        var limits: [Int: KeyLimits] = [:]
        var unusable = 0
        for record in records {
            guard KeyTable.isUsable(record) else {
                unusable += 1
                continue
            }
            var place = KeyTable.firstPlace(of: record.digest, in: size)
            while places[place] != 0 { place = (place + 1) & (size - 1) }
            if record.limits != KeyLimits() { limits[entries.count] = record.limits }
            entries.append(KeyTable.entry(of: record, text: &text))
            places[place] = UInt32(entries.count)
        }
        self.places = places
        self.entries = entries
        self.text = text
        self.limits = limits
        self.unusableCount = unusable
    }

    private init(_ other: KeyTable) {
        places = other.places
        entries = other.entries
        text = other.text
        limits = other.limits
        unusableCount = other.unusableCount
    }

    /// The same table as another object: processors that count one object's references take its cache line from each
    /// other at every request.
    func replica() -> KeyTable { KeyTable(self) }

    /// How many keys it holds.
    public var count: Int { entries.count }

    /// The record of the key with this SHA-256, whatever its standing.
    public func find(_ digest: Digest256) -> KeyRecord? { place(of: digest).map { record(at: $0) } }

    /// The place of the key with this SHA-256. Places are from 0 to `count` - 1 and mean nothing in another table.
    func place(of digest: Digest256) -> Int? {
        let mask = places.count &- 1
        var place = KeyTable.firstPlace(of: digest, in: places.count)
        while places[place] != 0 {
            let entry = Int(places[place]) &- 1
            if entries[entry].digest.constantTimeEquals(digest) { return entry }
            place = (place &+ 1) & mask
        }
        return nil
    }

    /// Whether the key at a place may be used.
    func standing(at place: Int, now: Int64) -> KeyStanding {
        KeyStanding(
            expiresAt: entries[place].expiresAt, revokedAt: entries[place].revokedAt,
            graceUntil: entries[place].graceUntil, now: now)
    }

    /// All that is known of the key at a place.
    func record(at place: Int) -> KeyRecord {
        let entry = entries[place]
        var start = entry.text
        func next(_ count: Int) -> String {
            defer { start += count }
            return String(decoding: text[start..<start + count], as: UTF8.self)
        }
        return KeyRecord(
            id: next(Int(entry.counts.id)), agentID: next(Int(entry.counts.agent)),
            ownerID: next(Int(entry.counts.owner)), name: next(Int(entry.counts.name)),
            prefix: next(Int(entry.counts.prefix)), createdAt: entry.createdAt, expiresAt: entry.expiresAt,
            revokedAt: entry.revokedAt, graceUntil: entry.graceUntil, digest: entry.digest,
            limits: limits[place] ?? KeyLimits())
    }

    private static func isUsable(_ record: KeyRecord) -> Bool {
        [record.id, record.agentID, record.ownerID].allSatisfy { id in
            let bytes = Array(id.utf8)
            return bytes.count <= 256 && FieldSyntax.isVisibleASCII(bytes.span)
        }
    }

    private static func entry(of record: KeyRecord, text: inout [UInt8]) -> Entry {
        let start = text.count
        for part in [record.id, record.agentID, record.ownerID, record.name, record.prefix] { text += part.utf8 }
        return Entry(
            digest: record.digest, createdAt: record.createdAt, expiresAt: record.expiresAt,
            revokedAt: record.revokedAt, graceUntil: record.graceUntil, text: start,
            counts: (
                UInt16(record.id.utf8.count), UInt16(record.agentID.utf8.count), UInt16(record.ownerID.utf8.count),
                UInt32(record.name.utf8.count), UInt32(record.prefix.utf8.count)
            ))
    }

    @inline(__always)
    private static func firstPlace(of digest: Digest256, in size: Int) -> Int {
        Int(truncatingIfNeeded: digest.first) & (size &- 1)
    }
}
