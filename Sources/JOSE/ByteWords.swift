/// Bytes eight at a time. All loads are bounds-checked by `RawSpan`; the `unsafe` below marks only that bytes are read
/// as an integer, of which every bit pattern is valid.
public enum ByteWords {
    /// A one in each byte.
    @inlinable @inline(__always)
    public static var ones: UInt64 { 0x0101_0101_0101_0101 }

    /// The eight bytes from `offset` on, the first one lowest.
    @inlinable @inline(__always)
    public static func load(_ bytes: Span<UInt8>, _ offset: Int) -> UInt64 {
        unsafe UInt64(littleEndian: bytes.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The fewer than eight bytes from `offset` on, the first one lowest, zero behind them.
    @inlinable @inline(__always)
    public static func tail(_ bytes: Span<UInt8>, _ offset: Int, _ count: Int) -> UInt64 {
        guard count > 0 else { return 0 }
        let bits = UInt64(truncatingIfNeeded: count) &* 8
        // One load that also covers bytes before or behind the tail costs less than a loop over it.
        if offset &+ count >= 8 { return load(bytes, offset &+ count &- 8) &>> (64 &- bits) }
        if offset &+ 8 <= bytes.count { return load(bytes, offset) & ((1 &<< bits) &- 1) }
        var word: UInt64 = 0
        for index in 0..<count { word |= UInt64(bytes[offset &+ index]) &<< (UInt64(truncatingIfNeeded: index) &* 8) }
        return word
    }

    /// The first place from `start` on with this byte, or `bytes.count`.
    @inlinable @inline(__always)
    public static func first(_ byte: UInt8, in bytes: Span<UInt8>, from start: Int) -> Int {
        var place = start
        while place &+ 8 <= bytes.count {
            let difference = load(bytes, place) ^ (UInt64(byte) &* ones)
            // False flags can only stand above a true one, so the lowest is exact.
            let flags = (difference &- ones) & ~difference & (ones &<< 7)
            if flags != 0 { return place &+ flags.trailingZeroBitCount &>> 3 }
            place &+= 8
        }
        while place < bytes.count, bytes[place] != byte { place &+= 1 }
        return place
    }

    /// Byte for byte the same. Not in constant time.
    @inlinable @inline(__always)
    public static func equal(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        left.count == right.count && equal(left, 0, right, 0, left.count)
    }

    /// Byte for byte the same, for an array that an object holds: a span of it could not leave its access.
    @inlinable @inline(__always)
    public static func equal(_ left: [UInt8], _ right: Span<UInt8>) -> Bool { equal(left.span, right) }

    /// `bytes` begins with `prefix`.
    @inlinable @inline(__always)
    public static func hasPrefix(_ bytes: Span<UInt8>, _ prefix: [UInt8]) -> Bool {
        bytes.count >= prefix.count && equal(bytes, 0, prefix.span, 0, prefix.count)
    }

    /// The `count` bytes from these offsets on are the same.
    @inlinable @inline(__always)
    public static func equal(_ left: Span<UInt8>, _ from: Int, _ right: Span<UInt8>, _ start: Int, _ count: Int) -> Bool
    {
        var place = 0
        while place &+ 8 <= count {
            if load(left, from &+ place) != load(right, start &+ place) { return false }
            place &+= 8
        }
        let rest = count &- place
        return tail(left, from &+ place, rest) == tail(right, start &+ place, rest)
    }

    /// The high half of the product folded onto the low one: each bit of the result depends on all bits of both.
    @inlinable @inline(__always)
    public static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }

    /// A text's letters in lower case, other bytes as they are.
    @inlinable @inline(__always)
    public static func lowered(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
}
