/// Base64url without padding (RFC 7515 §2), in its one canonical spelling.
///
/// Padding, `+`, `/`, white space and non-zero trailing bits are refused, so that a token has exactly one spelling:
/// caches and revocation lists keyed by a token's bytes cannot be dodged by another one.
public enum Base64URL {
    private static let invalid: UInt8 = 0xFF

    /// The value of each character, `invalid` for those outside the alphabet (RFC 4648 §5).
    private static let sextets: [UInt8] = {
        var table = [UInt8](repeating: invalid, count: 256)
        for (value, character) in alphabet.enumerated() { table[Int(character)] = UInt8(value) }
        return table
    }()

    private static let alphabet = [UInt8]("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// Replaces `output` with the decoded bytes and keeps its capacity.
    ///
    /// - Returns: false when `text` is not canonical base64url; `output` is then unspecified.
    public static func decode(_ text: Span<UInt8>, into output: inout [UInt8]) -> Bool {
        let tail = text.count & 3
        if tail == 1 { return false }
        let whole = text.count &- tail
        output.removeAll(keepingCapacity: true)
        output.append(contentsOf: repeatElement(0, count: whole / 4 * 3 + (tail == 0 ? 0 : tail - 1)))
        let table = sextets.span
        var bytes = output.mutableSpan
        var from = 0
        var to = 0
        var seen: UInt8 = 0
        while from < whole {
            let a = table[Int(text[from])]
            let b = table[Int(text[from &+ 1])]
            let c = table[Int(text[from &+ 2])]
            let d = table[Int(text[from &+ 3])]
            seen |= a | b | c | d
            bytes[to] = a << 2 | (b & 0x3F) >> 4
            bytes[to &+ 1] = b << 4 | (c & 0x3F) >> 2
            bytes[to &+ 2] = c << 6 | (d & 0x3F)
            from &+= 4
            to &+= 3
        }
        // A valid sextet is below 64; the marker for a character outside the alphabet is not.
        if seen & 0xC0 != 0 { return false }
        if tail == 0 { return true }
        let a = table[Int(text[from])]
        let b = table[Int(text[from &+ 1])]
        if a == invalid || b == invalid { return false }
        bytes[to] = a << 2 | b >> 4
        if tail == 2 { return b & 0x0F == 0 }
        let c = table[Int(text[from &+ 2])]
        if c == invalid { return false }
        bytes[to &+ 1] = b << 4 | c >> 2
        return c & 0x03 == 0
    }

    /// The decoded bytes of a text, or nil when it is not canonical.
    public static func decode(_ text: String) -> [UInt8]? {
        var output: [UInt8] = []
        let bytes = [UInt8](text.utf8)
        return decode(bytes.span, into: &output) ? output : nil
    }

    /// The canonical spelling of `bytes`.
    public static func encode(_ bytes: [UInt8]) -> String {
        var output: [UInt8] = []
        append(bytes.span, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// Appends the canonical spelling of `bytes`.
    public static func append(_ bytes: Span<UInt8>, to output: inout [UInt8]) {
        output.reserveCapacity(output.count + (bytes.count * 4 + 2) / 3)
        var index = 0
        while index < bytes.count {
            let left = bytes.count - index
            let a = bytes[index]
            let b = left > 1 ? bytes[index + 1] : 0
            let c = left > 2 ? bytes[index + 2] : 0
            output.append(alphabet[Int(a >> 2)])
            output.append(alphabet[Int((a & 0x03) << 4 | b >> 4)])
            if left > 1 { output.append(alphabet[Int((b & 0x0F) << 2 | c >> 6)]) }
            if left > 2 { output.append(alphabet[Int(c & 0x3F)]) }
            index += 3
        }
    }
}
