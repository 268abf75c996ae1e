internal import HTTP
internal import JOSE

/// API keys by their SHA-256: 4 bytes a place in a hash table that is at most half full, about 120 bytes a key, and the texts in one array. So
/// a look-up touches few cache lines, and whoever lets the last reference go frees three arrays instead of millions of strings.
struct KeyIndex: Sendable {
    private struct Entry: Sendable {
        var digest: Digest256
        var createdAt: Int64
        var expiresAt: Int64?
        var revokedAt: Int64?
        var graceUntil: Int64?
        /// Where its texts begin: id, agent, owner, name, prefix, one behind the other.
        var text: Int
        var counts: (id: UInt16, agent: UInt16, owner: UInt16, name: UInt32, prefix: UInt32)

        var textRange: Range<Int> {
            text..<text + Int(counts.id) + Int(counts.agent) + Int(counts.owner) + Int(counts.name) + Int(counts.prefix)
        }
    }

    /// Places of `entries` plus one; 0 is free. Linear probing.
    private var places: [UInt32]
    private var entries: [Entry] = []
    private var text: [UInt8] = []
    /// By the place of those keys that have any: few do.
    private var limits: [Int: KeyLimits] = [:]
    /// Records that were left out (`isUsable`).
    private(set) var unusableCount = 0

    private init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        places = [UInt32](repeating: 0, count: size)
        entries.reserveCapacity(capacity)
    }

    /// These records. If two have one digest, the first counts.
    init(_ records: [KeyRecord]) {
        self.init(capacity: records.count)
        for record in records { append(record) }
    }

    /// What `former` holds, but for the keys that `recent` has another record of, and those.
    init(_ former: KeyIndex, changedBy recent: KeyIndex) {
        self.init(capacity: former.count + recent.count)
        for place in recent.entries.indices { append(recent, place) }
        for place in former.entries.indices where recent.place(of: former.entries[place].digest) == nil {
            append(former, place)
        }
        unusableCount = former.unusableCount
    }

    /// How many keys it holds.
    var count: Int { entries.count }

    /// Every record.
    var records: [KeyRecord] { entries.indices.map(record(at:)) }

    /// The place of the key with this SHA-256, from 0 to `count` - 1.
    @inline(__always)
    func place(of digest: Digest256) -> Int? {
        let mask = places.count &- 1
        var place = Int(truncatingIfNeeded: digest.first) & mask
        while places[place] != 0 {
            let entry = Int(places[place]) &- 1
            if entries[entry].digest.constantTimeEquals(digest) { return entry }
            place = (place &+ 1) & mask
        }
        return nil
    }

    /// Whether the key at a place may be used.
    @inline(__always)
    func standing(at place: Int, now: Int64) -> KeyStanding {
        KeyStanding(
            expiresAt: entries[place].expiresAt, revokedAt: entries[place].revokedAt,
            graceUntil: entries[place].graceUntil, now: now)
    }

    /// When the key at a place was revoked, and until when it lives since it was rotated.
    func ends(at place: Int) -> (revokedAt: Int64?, graceUntil: Int64?) {
        (entries[place].revokedAt, entries[place].graceUntil)
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

    /// Whether a record's ids can be header values: 1 to 256 visible ASCII bytes.
    static func isUsable(_ record: KeyRecord) -> Bool {
        [record.id, record.agentID, record.ownerID].allSatisfy { id in
            let bytes = Array(id.utf8)
            return bytes.count <= 256 && FieldSyntax.isVisibleASCII(bytes.span)
        }
    }

    // MARK: Making it

    private mutating func append(_ record: KeyRecord) {
        guard KeyIndex.isUsable(record) else { return unusableCount += 1 }
        guard place(of: record.digest) == nil else { return }
        let start = text.count
        for part in [record.id, record.agentID, record.ownerID, record.name, record.prefix] { text += part.utf8 }
        append(
            Entry(
                digest: record.digest, createdAt: record.createdAt, expiresAt: record.expiresAt,
                revokedAt: record.revokedAt, graceUntil: record.graceUntil, text: start,
                counts: (
                    UInt16(record.id.utf8.count), UInt16(record.agentID.utf8.count), UInt16(record.ownerID.utf8.count),
                    UInt32(record.name.utf8.count), UInt32(record.prefix.utf8.count)
                )), record.limits)
    }

    private mutating func append(_ other: KeyIndex, _ place: Int) {
        var entry = other.entries[place]
        let start = text.count
        text += other.text[entry.textRange]
        entry.text = start
        append(entry, other.limits[place] ?? KeyLimits())
    }

    private mutating func append(_ entry: Entry, _ own: KeyLimits) {
        let mask = places.count - 1
        var place = Int(truncatingIfNeeded: entry.digest.first) & mask
        while places[place] != 0 { place = (place + 1) & mask }
        if own != KeyLimits() { limits[entries.count] = own }
        entries.append(entry)
        places[place] = UInt32(entries.count)
    }
}
