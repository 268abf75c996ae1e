/// Compares bytes with literals.
enum TextMatch {
    /// Whether `text`, in lower case, is somewhere among the bytes, in any case.
    static func containsIgnoringCase(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: String) -> Bool {
        let count = text.utf8.count
        guard range.count >= count else { return false }
        for start in range.lowerBound...range.upperBound - count
        where equalsIgnoringCase(bytes, start..<start + count, text) { return true }
        return false
    }

    /// Whether `bytes` are `path`, with or without one final slash.
    static func isPath(_ bytes: Span<UInt8>, _ path: StaticString) -> Bool {
        let count = path.utf8CodeUnitCount
        guard bytes.count == count || (bytes.count == count + 1 && bytes[count] == UInt8(ascii: "/")) else {
            return false
        }
        return path.withUTF8Buffer { literal in
            for index in 0..<count where unsafe bytes[index] != literal[index] { return false }
            return true
        }
    }

    /// Whether these bytes are `text`, whatever the case of ASCII letters.
    static func equalsIgnoringCase(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: String) -> Bool {
        guard range.count == text.utf8.count else { return false }
        var index = range.lowerBound
        for byte in text.utf8 {
            if lower(bytes[index]) != lower(byte) { return false }
            index += 1
        }
        return true
    }

    /// Whether these bytes begin with `text`, whatever the case of ASCII letters.
    static func hasPrefixIgnoringCase(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: String) -> Bool {
        let end = range.lowerBound + text.utf8.count
        return end <= range.upperBound && equalsIgnoringCase(bytes, range.lowerBound..<end, text)
    }

    private static func lower(_ byte: UInt8) -> UInt8 { byte >= 65 && byte <= 90 ? byte | 0x20 : byte }

    /// Whether two pieces of the same bytes are equal, whatever the case of ASCII letters.
    static func equalsIgnoringCase(_ bytes: Span<UInt8>, _ one: Range<Int>, _ other: Range<Int>) -> Bool {
        one.count == other.count && zip(one, other).allSatisfy { lower(bytes[$0]) == lower(bytes[$1]) }
    }
}
