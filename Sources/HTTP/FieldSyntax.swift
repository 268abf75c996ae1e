/// The character classes of RFC 9110 §5.6 as checks on bytes.
public enum FieldSyntax {
    // Bit n of the pair says whether the ASCII byte n is a token character (RFC 9110 §5.6.2).
    private static let tokenLow: UInt64 = 0x03ff_6cfa_0000_0000
    private static let tokenHigh: UInt64 = 0x57ff_ffff_c7ff_fffe

    /// A token character.
    @inline(__always)
    static func isTokenByte(_ byte: UInt8) -> Bool {
        guard byte < 0x80 else { return false }
        return ((byte < 64 ? tokenLow : tokenHigh) &>> UInt64(byte & 63)) & 1 != 0
    }

    /// An ASCII letter or digit.
    @inline(__always)
    public static func isAlphanumeric(_ byte: UInt8) -> Bool {
        byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 26
    }

    /// At least one byte, and every one a token character: a valid field name, method or option.
    public static func isToken(_ bytes: Span<UInt8>) -> Bool {
        isToken(bytes, ByteRange(start: 0, count: bytes.count))
    }

    static func isToken(_ bytes: Span<UInt8>, _ range: ByteRange) -> Bool {
        for place in range.range where !isTokenByte(bytes[place]) { return false }
        return !range.isEmpty
    }

    /// No control byte but HTAB, and no blank at either end (RFC 9110 §5.5). The empty value is valid.
    public static func isFieldValue(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count > 0 else { return true }
        if isBlank(bytes[0]) || isBlank(bytes[bytes.count - 1]) { return false }
        var place = ByteScan.firstControl(bytes, from: 0)
        while place < bytes.count {
            guard bytes[place] == 0x09 else { return false }
            place = ByteScan.firstControl(bytes, from: place &+ 1)
        }
        return true
    }

    /// At least one byte, and every one of 0x21…0x7E: safe in a header value, a log and a URL path segment's place.
    public static func isVisibleASCII(_ bytes: Span<UInt8>) -> Bool {
        for place in 0..<bytes.count where bytes[place] < 0x21 || bytes[place] > 0x7e { return false }
        return bytes.count > 0
    }

    /// A request id that may be taken over from a client: 1 to 64 letters, digits and `-._`. Anything else is
    /// replaced by one of our own, so that ids stay bounded and plain in logs and answers.
    public static func isRequestID(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count > 0, bytes.count <= 64 else { return false }
        for place in 0..<bytes.count {
            let byte = bytes[place]
            if isAlphanumeric(byte) { continue }
            switch byte {
            case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): continue
            default: return false
            }
        }
        return true
    }

    /// A `Host` value: a registered name of letters, digits and `-._~`, an IPv4 address or a bracketed IPv6 address, and
    /// perhaps a port of 1 to 5 digits up to 65535. RFC 3986 §3.2.2 also lets percent escapes, sub-delimiters and an
    /// empty port pass; no name that we serve has them, and servers read them in different ways.
    public static func isHost(_ bytes: Span<UInt8>) -> Bool {
        isHost(bytes, ByteRange(start: 0, count: bytes.count))
    }

    static func isHost(_ bytes: Span<UInt8>, _ range: ByteRange) -> Bool {
        var place = Int(range.start)
        let end = range.end
        guard place < end else { return false }
        if bytes[place] == UInt8(ascii: "[") {
            place &+= 1
            let first = place
            while place < end, isAddressByte(bytes[place]) { place &+= 1 }
            guard place &- first >= 2, place &- first <= 45, place < end, bytes[place] == UInt8(ascii: "]") else {
                return false
            }
            place &+= 1
        } else {
            let first = place
            while place < end, isNameByte(bytes[place]) { place &+= 1 }
            guard place > first, place &- first <= 255 else { return false }
        }
        return place == end || isPort(bytes, from: place, to: end)
    }

    private static func isPort(_ bytes: Span<UInt8>, from colon: Int, to end: Int) -> Bool {
        guard bytes[colon] == UInt8(ascii: ":"), end &- colon > 1, end &- colon <= 6 else { return false }
        var port = 0
        for place in (colon + 1)..<end {
            let digit = bytes[place] &- 0x30
            guard digit < 10 else { return false }
            port = port * 10 + Int(digit)
        }
        return port <= 65535
    }

    // Letters, digits and `-._~` (RFC 3986 §2.3).
    private static let unreservedLow: UInt64 = 0x03ff_6000_0000_0000
    private static let unreservedHigh: UInt64 = 0x47ff_fffe_87ff_fffe

    @inline(__always)
    private static func isNameByte(_ byte: UInt8) -> Bool {
        guard byte < 0x80 else { return false }
        return ((byte < 64 ? unreservedLow : unreservedHigh) &>> UInt64(byte & 63)) & 1 != 0
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 6 || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".")
    }

    @inline(__always)
    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
