/// Searches and comparisons on bytes, eight at a time. All loads are bounds-checked by `RawSpan`; the `unsafe` below
/// marks only that bytes are read as an integer, of which every bit pattern is valid.
///
/// The flag tricks (`below`, `matching`) may set false flags, but only in bytes above a true one, so the lowest flag
/// is exact.
enum ByteScan {
    static let ones: UInt64 = 0x0101_0101_0101_0101
    static let highs: UInt64 = 0x8080_8080_8080_8080

    @inline(__always)
    static func load(_ bytes: Span<UInt8>, _ offset: Int) -> UInt64 {
        unsafe UInt64(littleEndian: bytes.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// Invariant: the caller's loop condition says that `offset + 8 ≤ bytes.count`.
    @inline(__always)
    private static func loadUnchecked(_ bytes: Span<UInt8>, _ offset: Int) -> UInt64 {
        unsafe UInt64(littleEndian: bytes.bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }

    /// Flags bytes below `limit` (≤ 0x80).
    @inline(__always)
    static func below(_ word: UInt64, _ limit: UInt64) -> UInt64 {
        (word &- limit &* ones) & ~word & highs
    }

    /// Flags bytes equal to `byte`.
    @inline(__always)
    static func matching(_ word: UInt64, _ byte: UInt64) -> UInt64 {
        let difference = word ^ (byte &* ones)
        return (difference &- ones) & ~difference & highs
    }

    /// The first control byte (below 0x20, or DEL), which ends a field value or makes it invalid.
    @inline(__always)
    static func firstControl(_ bytes: Span<UInt8>, from start: Int) -> Int {
        let near = controlNear(bytes, from: start, to: min(bytes.count, start &+ 32))
        if near < start &+ 32 { return near }
        // A long value (a token, a cookie) goes on in steps of 32.
        return controlNear(bytes, from: skipPlain(bytes, from: near), to: bytes.count)
    }

    /// The first control byte before `end`, or `end`.
    @inline(__always)
    private static func controlNear(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
        var place = start
        while place &+ 8 <= end {
            let word = loadUnchecked(bytes, place)
            let flags = below(word, 0x20) | matching(word, 0x7f)
            if flags != 0 { return place &+ flags.trailingZeroBitCount >> 3 }
            place &+= 8
        }
        while place < end, bytes[place] >= 0x20, bytes[place] != 0x7f { place &+= 1 }
        return place
    }

    /// Skips blocks of 32 bytes without a control byte.
    @inline(never)
    private static func skipPlain(_ bytes: Span<UInt8>, from start: Int) -> Int {
        let blank = SIMD16<UInt8>(repeating: 0x20)
        let delete = SIMD16<UInt8>(repeating: 0x7f)
        var place = start
        while place &+ 32 <= bytes.count {
            // Invariant: the loop condition leaves 32 bytes from `place` on.
            let low = unsafe bytes.bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: place, as: SIMD16<UInt8>.self)
            let high = unsafe bytes.bytes.unsafeLoadUnaligned(
                fromUncheckedByteOffset: place &+ 16, as: SIMD16<UInt8>.self)
            let flags = (low .< blank) .| (low .== delete) .| (high .< blank) .| (high .== delete)
            if any(flags) { break }
            place &+= 32
        }
        return place
    }

    /// The first colon, blank or control byte: the end of a field name, or what makes it invalid.
    @inline(__always)
    static func firstNameEnd(_ bytes: Span<UInt8>, from start: Int) -> Int {
        let end = bytes.count
        var place = start
        while place &+ 8 <= end {
            let word = loadUnchecked(bytes, place)
            let flags = below(word, 0x21) | matching(word, 0x3a)
            if flags != 0 { return place &+ flags.trailingZeroBitCount >> 3 }
            place &+= 8
        }
        while place < end, bytes[place] > 0x20, bytes[place] != 0x3a { place &+= 1 }
        return place
    }

    /// The first byte that cannot stand in a request target (blank, control, `#`, DEL, 0x80…), or `?`.
    @inline(__always)
    static func firstTargetStop(_ bytes: Span<UInt8>, from start: Int) -> Int {
        let end = bytes.count
        var place = start
        while place &+ 8 <= end {
            let word = loadUnchecked(bytes, place)
            let flags =
                below(word, 0x21) | matching(word, 0x23) | matching(word, 0x3f) | matching(word, 0x7f) | (word & highs)
            if flags != 0 { return place &+ flags.trailingZeroBitCount >> 3 }
            place &+= 8
        }
        while place < end {
            let byte = bytes[place]
            if byte < 0x21 || byte == 0x23 || byte == 0x3f || byte >= 0x7f { return place }
            place &+= 1
        }
        return place
    }

    /// Byte for byte the same as `literal`.
    @inline(__always)
    static func equal(_ bytes: Span<UInt8>, _ range: ByteRange, _ literal: StaticString) -> Bool {
        guard Int(range.count) == literal.utf8CodeUnitCount else { return false }
        let other = unsafe Span(_unsafeStart: literal.utf8Start, count: literal.utf8CodeUnitCount)
        for index in 0..<other.count where bytes[Int(range.start) &+ index] != other[index] { return false }
        return true
    }

    /// The same as `literal`, which is in lower case, whatever the case of the bytes.
    @inline(__always)
    static func equalFolded(_ bytes: Span<UInt8>, _ range: ByteRange, _ literal: StaticString) -> Bool {
        Int(range.count) == literal.utf8CodeUnitCount && hasPrefixFolded(bytes, range, literal)
    }

    /// Begins with `literal`, which is in lower case, whatever the case of the bytes.
    @inline(__always)
    static func hasPrefixFolded(_ bytes: Span<UInt8>, _ range: ByteRange, _ literal: StaticString) -> Bool {
        guard Int(range.count) >= literal.utf8CodeUnitCount else { return false }
        let other = unsafe Span(_unsafeStart: literal.utf8Start, count: literal.utf8CodeUnitCount)
        for index in 0..<other.count where lowered(bytes[Int(range.start) &+ index]) != other[index] { return false }
        return true
    }

    /// Both parts are the same but for the case of letters.
    static func equalFolded(_ bytes: Span<UInt8>, _ first: ByteRange, _ second: ByteRange) -> Bool {
        guard first.count == second.count else { return false }
        for index in 0..<Int(first.count) {
            let left = lowered(bytes[Int(first.start) &+ index])
            if left != lowered(bytes[Int(second.start) &+ index]) { return false }
        }
        return true
    }

    @inline(__always)
    static func lowered(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }
}
