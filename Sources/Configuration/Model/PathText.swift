/// The normal form of a path as RFC 3986 §6.2.2 has it, for patterns: what is not in it could never match.
enum PathText {
    /// A word of letters, digits and `_` that does not start with a digit.
    static func isParameterName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !isDigit(first), name.utf8.count <= 64 else { return false }
        return name.utf8.allSatisfy { isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "_") }
    }

    /// Why a segment can be part of no pattern; nil when it can.
    static func objection(to segment: String) -> String? {
        let bytes = Array(segment.utf8)
        for (index, byte) in bytes.enumerated() {
            switch byte {
            case UInt8(ascii: "?"): return "'?' in a path pattern: the query takes no part in matching"
            case UInt8(ascii: "#"): return "'#' in a path pattern: a request has no fragment"
            case UInt8(ascii: "\\"): return "'\\' in a path pattern: such a request is refused"
            case 0...0x20, 0x7f: return "a blank or control character in a path pattern: such a request is refused"
            case UInt8(ascii: "%"):
                guard let value = escape(bytes, at: index) else {
                    return "'%' in a path pattern without two hex digits"
                }
                if value == 0 || value == UInt8(ascii: "/") || value == UInt8(ascii: "\\") {
                    return "'\(escaped(value))' in a path pattern: such a request is refused"
                }
            default: break
            }
        }
        if segment.hasPrefix(".;") || segment.hasPrefix("..;") { return "';' inside a dot segment is refused" }
        return nil
    }

    /// The form that requests are matched in; nil when `path` has what no request may have.
    static func normalForm(of path: String) -> String? {
        var segments: [String] = []
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        var endsInSlash = false
        for part in parts {
            guard objection(to: String(part)) == nil else { return nil }
            let segment = normalSegment(Array(part.utf8))
            endsInSlash = segment.isEmpty || segment == "." || segment == ".."
            switch segment {
            case "", ".": break
            case "..": _ = segments.popLast()
            default: segments.append(segment)
            }
        }
        return "/" + segments.joined(separator: "/") + (endsInSlash && !segments.isEmpty ? "/" : "")
    }

    private static func normalSegment(_ bytes: [UInt8]) -> String {
        var out = ""
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "%"), let value = escape(bytes, at: index) {
                out += isUnreserved(value) ? String(UnicodeScalar(value)) : escaped(value)
                index += 3
            } else {
                out += isPlain(byte) ? String(UnicodeScalar(byte)) : escaped(byte)
                index += 1
            }
        }
        return out
    }

    private static func escape(_ bytes: [UInt8], at index: Int) -> UInt8? {
        guard index + 2 < bytes.count, let high = hexValue(bytes[index + 1]), let low = hexValue(bytes[index + 2])
        else { return nil }
        return high << 4 | low
    }

    private static func escaped(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return "%" + (digits.count == 1 ? "0" : "") + digits
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// pchar of RFC 3986 §3.3, and the braces of parameters.
    private static func isPlain(_ byte: UInt8) -> Bool { isUnreserved(byte) || "!$&'()*+,;=:@{}".utf8.contains(byte) }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        isLetter(byte) || isDigit(byte) || "-._~".utf8.contains(byte)
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) && byte < 0x80
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
