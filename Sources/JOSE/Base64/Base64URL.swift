/// Base64url without padding (RFC 7515 §2), in its one canonical spelling.
///
/// Padding, `+`, `/`, white space and non-zero trailing bits are refused, so that a token has exactly one spelling:
/// caches and revocation lists keyed by a token's bytes cannot be dodged by another one.
public enum Base64URL {
    private static let alphabet = [UInt8]("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// Replaces `output` with the decoded bytes and keeps its capacity.
    ///
    /// - Returns: false when `text` is not canonical base64url; `output` is then unspecified.
    public static func decode(_ text: Span<UInt8>, into output: inout [UInt8]) -> Bool {
        if text.count & 3 == 1 { return false }
        output.removeAll(keepingCapacity: true)
        var isCanonical = true
        output.append(addingCapacity: text.count / 4 * 3 + 2) { bytes in isCanonical = decode(text, onto: &bytes) }
        return isCanonical
    }

    private static func decode(_ text: Span<UInt8>, onto output: inout OutputSpan<UInt8>) -> Bool {
        var place = 0
        while place &+ 8 <= text.count {
            guard let sextets = sextets(ByteWords.load(text, place)) else { return false }
            let bits = packed(sextets)
            for shift in stride(from: UInt64(40), through: 0, by: -8) {
                output.append(UInt8(truncatingIfNeeded: bits &>> shift))
            }
            place &+= 8
        }
        let rest = text.count &- place
        if rest == 0 { return true }
        // The bytes behind the rest become `A`, whose value is 0.
        let padding = ByteWords.ones &* 0x41 &<< UInt64(truncatingIfNeeded: rest &* 8)
        guard let sextets = sextets(ByteWords.tail(text, place, rest) | padding) else { return false }
        let bits = packed(sextets)
        let size = UInt64(truncatingIfNeeded: rest &* 3 / 4)
        for index in 0..<size { output.append(UInt8(truncatingIfNeeded: bits &>> (40 &- index &* 8))) }
        // Bits beyond the last byte would be a second spelling of it.
        return bits & (1 &<< (48 &- size &* 8) &- 1) == 0
    }

    /// The values of eight characters, the first one lowest; nil when one of them is outside the alphabet
    /// (RFC 4648 §5).
    ///
    /// Each flag is the lowest bit of a byte. The ranges do not overlap and all bytes are below 0x80, so no sum or
    /// difference leaves its byte.
    @inline(__always)
    private static func sextets(_ word: UInt64) -> UInt64? {
        let high = ByteWords.ones &<< 7
        func flags(from first: UInt64, through last: UInt64) -> UInt64 {
            let reached = word &+ (0x80 &- first) &* ByteWords.ones
            let passed = word &+ (0x7F &- last) &* ByteWords.ones
            return (reached & ~passed & high) &>> 7
        }
        guard word & high == 0 else { return nil }
        let upper = flags(from: 0x41, through: 0x5A)
        let lower = flags(from: 0x61, through: 0x7A)
        let digits = flags(from: 0x30, through: 0x39)
        let hyphens = flags(from: 0x2D, through: 0x2D)
        let underscores = flags(from: 0x5F, through: 0x5F)
        guard upper | lower | digits | hyphens | underscores == ByteWords.ones else { return nil }
        let down = upper &* 0x41 &+ lower &* (0x61 &- 26) &+ underscores &* (0x5F &- 63)
        let up = digits &* (52 &- 0x30) &+ hyphens &* (62 &- 0x2D)
        return word &- down &+ up
    }

    /// Eight sextets as 48 bits, the first one highest: neighbours come together, by twos, by fours, by eights.
    @inline(__always)
    private static func packed(_ sextets: UInt64) -> UInt64 {
        let ones = sextets.byteSwapped
        let twos = (ones & 0x3F00_3F00_3F00_3F00) &>> 2 | ones & 0x003F_003F_003F_003F
        let fours = (twos & 0x0FFF_0000_0FFF_0000) &>> 4 | twos & 0x0000_0FFF_0000_0FFF
        return (fours &>> 32) &<< 24 | fours & 0x00FF_FFFF
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
