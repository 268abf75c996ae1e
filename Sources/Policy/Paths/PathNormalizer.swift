/// Brings a request's path into the one form that is routed, checked and forwarded (RFC 3986 §6.2.2), so that no two
/// steps can see two paths (CWE-551, Envoy CVE-2019-9901).
///
/// The form: begins with `/`; no empty, `.` or `..` segment (a final slash stays); escapes have upper-case digits and
/// stand only for bytes that are not unreserved; every byte is pchar. Normalising it again changes nothing. One pass:
/// a slash that is doubled is no segment, so `/a//../b` is `/b`, as nginx has it. `..` above the root is dropped
/// (RFC 3986 §5.2.4). A visible ASCII byte that the grammar forbids (`|`, `"`, `[` …) is escaped, so that it and its
/// escape are one path. An escape is decoded once: `%252e` stays.
public enum PathNormalizer {
    /// Writes the normal form of `path` (without query) into `out`, whose former content is dropped and whose memory is
    /// kept. An empty path is `/` (RFC 9110 §4.2.3). The error says why the path is refused; `out` is then of no use.
    public static func normalize(_ path: Span<UInt8>, into out: inout [UInt8]) -> PathError? {
        out.removeAll(keepingCapacity: true)
        if isNormal(path) {
            unsafe path.withUnsafeBufferPointer { unsafe out.append(contentsOf: $0) }
            return nil
        }
        return rewrite(path, into: &out)
    }

    /// The path is in normal form as it stands. False also for a few rare ones that are (`/..x`, `/%20`): those take
    /// the longer way.
    public static func isNormal(_ path: Span<UInt8>) -> Bool {
        let end = path.count
        guard end > 0, path[0] == slash else { return false }
        if PathWords.areOrdinary(path) { return true }
        var place = 1
        var isSegmentStart = true
        while place < end {
            let byte = path[place]
            if PathBytes.isSegmentByte(byte) {
                if isSegmentStart, byte == dot, mayBeDotSegment(path, place) { return false }
                isSegmentStart = false
            } else {
                guard byte == slash, !isSegmentStart else { return false }
                isSegmentStart = true
            }
            place &+= 1
        }
        return true
    }

    private static let slash = UInt8(ascii: "/")
    private static let dot = UInt8(ascii: ".")

    /// The segment that begins here with a dot goes on in a way that only the longer way decides on.
    private static func mayBeDotSegment(_ path: Span<UInt8>, _ place: Int) -> Bool {
        let next = place &+ 1
        guard next < path.count else { return true }
        let byte = path[next]
        return byte == dot || byte == slash || byte == UInt8(ascii: ";")
    }

    private static func rewrite(_ path: Span<UInt8>, into out: inout [UInt8]) -> PathError? {
        guard path.count > 0 else {
            out.append(slash)
            return nil
        }
        guard path[0] == slash else { return .notAbsolute }
        out.reserveCapacity(path.count)
        out.append(slash)
        // `out` ends in a slash whenever a segment begins; the segment under way is what stands behind `start`.
        var start = 1
        var text = EscapedUTF8()
        var place = 1
        while place < path.count {
            let byte = path[place]
            guard byte == UInt8(ascii: "%") || text.isComplete else { return .invalidUTF8 }
            switch byte {
            case slash:
                if let error = endSegment(&out, &start, slashFollows: true) { return error }
            case UInt8(ascii: "%"):
                guard place &+ 2 < path.count, let high = PathBytes.hexValue(path[place &+ 1]),
                    let low = PathBytes.hexValue(path[place &+ 2])
                else { return .invalidEscape }
                if let error = append(escaped: high &<< 4 | low, &text, to: &out) { return error }
                place &+= 2
            default:
                if let error = append(raw: byte, to: &out) { return error }
            }
            place &+= 1
        }
        guard text.isComplete else { return .invalidUTF8 }
        return endSegment(&out, &start, slashFollows: false)
    }

    private static func append(raw byte: UInt8, to out: inout [UInt8]) -> PathError? {
        if PathBytes.isSegmentByte(byte) {
            out.append(byte)
            return nil
        }
        switch byte {
        case 0...0x20, 0x7f: return .controlByte
        case 0x80...: return .rawNonASCII
        case UInt8(ascii: "\\"): return .backslash
        case UInt8(ascii: "#"), UInt8(ascii: "?"): return .delimiter
        default:
            appendEscape(of: byte, to: &out)
            return nil
        }
    }

    private static func append(escaped byte: UInt8, _ text: inout EscapedUTF8, to out: inout [UInt8]) -> PathError? {
        if byte >= 0x80 {
            guard text.take(byte) else { return .invalidUTF8 }
            appendEscape(of: byte, to: &out)
            return nil
        }
        guard text.isComplete else { return .invalidUTF8 }
        switch byte {
        case 0..<0x20, 0x7f: return .controlByte
        case slash, UInt8(ascii: "\\"): return .encodedSeparator
        default:
            if PathBytes.isUnreserved(byte) { out.append(byte) } else { appendEscape(of: byte, to: &out) }
            return nil
        }
    }

    private static func appendEscape(of byte: UInt8, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "%"))
        out.append(PathBytes.hexDigit(byte &>> 4))
        out.append(PathBytes.hexDigit(byte & 15))
    }

    /// Judges the segment behind `start`: a dot segment goes, and with `..` its parent; an empty one is a doubled slash.
    private static func endSegment(_ out: inout [UInt8], _ start: inout Int, slashFollows: Bool) -> PathError? {
        let count = out.count &- start
        guard count > 0 else { return nil }
        if out[start] == dot {
            let dots = count > 1 && out[start &+ 1] == dot ? 2 : 1
            if count == dots {
                if dots == 2, start > 1 {
                    start &-= 1
                    while out[start &- 1] != slash { start &-= 1 }
                }
                out.removeSubrange(start...)
                return nil
            }
            if isSemicolon(out, at: start &+ dots) { return .dotSegmentParameter }
        }
        if slashFollows {
            out.append(slash)
            start = out.count
        }
        return nil
    }

    /// `;` or its escape. Servers that cut parameters off differ in whether they decode first.
    private static func isSemicolon(_ out: [UInt8], at place: Int) -> Bool {
        if out[place] == UInt8(ascii: ";") { return true }
        return out[place] == UInt8(ascii: "%") && out[place &+ 1] == UInt8(ascii: "3")
            && out[place &+ 2] == UInt8(ascii: "B")
    }
}
