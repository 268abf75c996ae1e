/// A name of up to 32 bytes as four words, letters in lower case.
///
/// Folding sets bit 5 of every byte. Among bytes above 0x20 only letters, and bytes that no known name has, change by
/// it; so if the key equals a known name's key and no byte was a control byte, the name *is* that name.
struct NameKey {
    static let capacity = 32
    private static let fold: UInt64 = 0x2020_2020_2020_2020

    var first: UInt64 = 0
    var second: UInt64 = 0
    var third: UInt64 = 0
    var fourth: UInt64 = 0

    @inline(__always)
    init(_ bytes: Span<UInt8>, from start: Int, count: Int) {
        guard count <= NameKey.capacity else { return }
        let rest = count & 7
        let tail = NameKey.tail(bytes, from: start, count: count, rest: rest)
        switch count >> 3 {
        case 0:
            first = tail
        case 1:
            first = ByteScan.load(bytes, start) | NameKey.fold
            second = tail
        case 2:
            first = ByteScan.load(bytes, start) | NameKey.fold
            second = ByteScan.load(bytes, start &+ 8) | NameKey.fold
            third = tail
        default:
            first = ByteScan.load(bytes, start) | NameKey.fold
            second = ByteScan.load(bytes, start &+ 8) | NameKey.fold
            third = ByteScan.load(bytes, start &+ 16) | NameKey.fold
            fourth = count == 32 ? ByteScan.load(bytes, start &+ 24) | NameKey.fold : tail
        }
    }

    /// The last `rest` bytes of the name, folded; the other bytes of the word are zero.
    @inline(__always)
    private static func tail(_ bytes: Span<UInt8>, from start: Int, count: Int, rest: Int) -> UInt64 {
        guard rest > 0 else { return 0 }
        let bits = UInt64(truncatingIfNeeded: rest) &* 8
        let mask: UInt64 = (1 &<< bits) &- 1
        if count >= 8 {
            return (ByteScan.load(bytes, start &+ count &- 8) &>> (64 &- bits)) | (fold & mask)
        }
        if start &+ 8 <= bytes.count {
            return (ByteScan.load(bytes, start) | fold) & mask
        }
        var word: UInt64 = 0
        for index in 0..<count { word |= UInt64(bytes[start &+ index]) &<< UInt64(index * 8) }
        return word | (fold & mask)
    }

    /// Without a branch for each word.
    @inline(__always)
    func equals(_ other: NameKey) -> Bool {
        (first ^ other.first) | (second ^ other.second) | (third ^ other.third) | (fourth ^ other.fourth) == 0
    }

    /// The name with every separator read as `-`, as an application behind CGI's rules would see it.
    init(aliasOf bytes: Span<UInt8>, from start: Int, count: Int) {
        guard count <= NameKey.capacity else { return }
        for index in 0..<count {
            let byte = bytes[start &+ index]
            let folded = UInt64(FieldSyntax.isAlphanumeric(byte) ? byte | 0x20 : UInt8(ascii: "-"))
            let bits = UInt64(index & 7) &* 8
            switch index >> 3 {
            case 0: first |= folded &<< bits
            case 1: second |= folded &<< bits
            case 2: third |= folded &<< bits
            default: fourth |= folded &<< bits
            }
        }
    }
}

/// Finds a `FieldName` by its key: one multiplication, one look-up, one comparison. The multiplier is searched once so that
/// no two names share a slot.
final class FieldNameTable: Sendable {
    static let shared = FieldNameTable()

    private struct Slot {
        var key: NameKey
        var id: FieldName
    }

    private static let bits: UInt64 = 9
    private let slots: [Slot]
    private let multiplier: UInt64

    private init() {
        let names = FieldName.allCases.filter { $0 != .other }
        let keys = names.map { id in
            let text = id.text
            let bytes = unsafe Span(_unsafeStart: text.utf8Start, count: text.utf8CodeUnitCount)
            return NameKey(bytes, from: 0, count: bytes.count)
        }
        var multiplier: UInt64 = 0x9e37_79b9_7f4a_7c15
        while Set(keys.map { FieldNameTable.place(of: $0, multiplier) }).count < keys.count {
            multiplier = multiplier &* 0x5851_f42d_4c95_7f2d &+ 2
        }
        let empty = Slot(key: NameKey(Span(), from: 0, count: 0), id: .other)
        var slots = [Slot](repeating: empty, count: 1 << Int(FieldNameTable.bits))
        for (key, id) in zip(keys, names) {
            slots[FieldNameTable.place(of: key, multiplier)] = Slot(key: key, id: id)
        }
        self.slots = slots
        self.multiplier = multiplier
    }

    @inline(__always)
    private static func place(of key: NameKey, _ multiplier: UInt64) -> Int {
        let mixed = key.first ^ (key.second &<< 1) ^ (key.third &<< 2) ^ (key.fourth &<< 3)
        return Int(truncatingIfNeeded: (mixed &* multiplier) &>> (64 &- bits))
    }

    /// The name with this key. A key has zeros behind its name and a name has none, so the length needs no comparison;
    /// names that are too long have the empty key, which belongs to `.other`.
    @inline(__always)
    func find(_ key: NameKey) -> FieldName {
        let slot = slots[FieldNameTable.place(of: key, multiplier)]
        return slot.key.equals(key) ? slot.id : .other
    }
}
