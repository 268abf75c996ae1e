/// The character classes of RFC 3986 §2 and §3.3, one bit for each ASCII byte.
enum PathBytes {
    private static let segmentLow: UInt64 = 0x2fff_7fd2_0000_0000
    private static let segmentHigh: UInt64 = 0x47ff_fffe_87ff_ffff
    private static let unreservedLow: UInt64 = 0x03ff_6000_0000_0000
    private static let unreservedHigh: UInt64 = 0x47ff_fffe_87ff_fffe

    /// May stand in a segment as it is: pchar of RFC 3986 §3.3, but for the `%` of an escape.
    @inline(__always)
    static func isSegmentByte(_ byte: UInt8) -> Bool {
        byte < 0x80 && ((byte < 64 ? segmentLow : segmentHigh) &>> UInt64(byte & 63)) & 1 != 0
    }

    /// Means the same with and without an escape (RFC 3986 §2.3).
    @inline(__always)
    static func isUnreserved(_ byte: UInt8) -> Bool {
        byte < 0x80 && ((byte < 64 ? unreservedLow : unreservedHigh) &>> UInt64(byte & 63)) & 1 != 0
    }

    /// The value of a hex digit in either case.
    @inline(__always)
    static func hexValue(_ byte: UInt8) -> UInt8? {
        let digit = byte &- 0x30
        if digit < 10 { return digit }
        let letter = (byte | 0x20) &- 0x61
        return letter < 6 ? letter &+ 10 : nil
    }

    /// The upper-case hex digit of a value below 16 (RFC 3986 §6.2.2.1).
    @inline(__always)
    static func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 &+ value : 0x37 &+ value }
}

/// Follows escaped bytes and knows whether they are UTF-8 (RFC 3629 §4, the grammar's ranges).
struct EscapedUTF8 {
    /// Continuation bytes that have to follow.
    private var missing: UInt8 = 0
    private var lowest: UInt8 = 0x80
    private var highest: UInt8 = 0xbf

    /// No sequence is open.
    var isComplete: Bool { missing == 0 }

    /// Takes one byte of 0x80 or more; false if it cannot stand here.
    mutating func take(_ byte: UInt8) -> Bool {
        if missing > 0 {
            guard byte >= lowest, byte <= highest else { return false }
            missing -= 1
            (lowest, highest) = (0x80, 0xbf)
            return true
        }
        switch byte {
        case 0xc2...0xdf: missing = 1
        case 0xe0: (missing, lowest) = (2, 0xa0)
        case 0xed: (missing, highest) = (2, 0x9f)
        case 0xe1...0xef: missing = 2
        case 0xf0: (missing, lowest) = (3, 0x90)
        case 0xf1...0xf3: missing = 3
        case 0xf4: (missing, highest) = (3, 0x8f)
        default: return false
        }
        return true
    }
}
