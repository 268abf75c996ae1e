/// A name of up to 32 bytes as four words, letters in lower case.
///
/// Folding sets bit 5 of every byte. Among bytes above 0x20 only letters, and bytes that no known name has, change by
/// it; so if the key equals a known name's key and no byte was a control byte, the name *is* that name.
struct NameKey: Equatable {
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

/// Finds a `FieldName` by its key: one multiplication, one look-up, one comparison in nearly every case.
final class FieldNameTable: Sendable {
    static let shared = FieldNameTable()

    private struct Slot {
        var key: NameKey
        var count: Int
        var id: FieldName
    }

    private static let size = 256
    private let slots: [Slot]

    private init() {
        let empty = Slot(key: NameKey(Span(), from: 0, count: 0), count: 0, id: .other)
        var slots = [Slot](repeating: empty, count: FieldNameTable.size)
        for id in FieldName.allCases where id != .other {
            let name = unsafe Span(_unsafeStart: id.text.utf8Start, count: id.text.utf8CodeUnitCount)
            let key = NameKey(name, from: 0, count: name.count)
            var place = FieldNameTable.place(of: key, count: name.count)
            while slots[place].count != 0 { place = (place + 1) % FieldNameTable.size }
            slots[place] = Slot(key: key, count: name.count, id: id)
        }
        self.slots = slots
    }

    @inline(__always)
    private static func place(of key: NameKey, count: Int) -> Int {
        var hash = key.first ^ (key.second &* 0xff51_afd7_ed55_8ccd)
        hash ^= (key.third &+ UInt64(truncatingIfNeeded: count)) &* 0xc4ce_b9fe_1a85_ec53
        return Int(truncatingIfNeeded: (hash &* 0x9e37_79b9_7f4a_7c15) &>> 56)
    }

    @inline(__always)
    func find(_ key: NameKey, count: Int) -> FieldName {
        guard count <= NameKey.capacity else { return .other }
        var place = FieldNameTable.place(of: key, count: count)
        while slots[place].count != 0 {
            if slots[place].count == count, slots[place].key == key { return slots[place].id }
            place = (place &+ 1) & (FieldNameTable.size &- 1)
        }
        return .other
    }
}
