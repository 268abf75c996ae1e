/// 256 bits: a SHA-256 value that can be a dictionary's key.
public struct Digest256: Hashable, Sendable {
    /// The words, in the order of the bytes; each holds eight of them, first byte lowest.
    var words: (UInt64, UInt64, UInt64, UInt64)

    /// All bits zero.
    public init() { words = (0, 0, 0, 0) }

    /// From 32 bytes; nil for any other number.
    public init?(_ bytes: Span<UInt8>) {
        guard bytes.count == 32 else { return nil }
        words = (Self.word(bytes, 0), Self.word(bytes, 8), Self.word(bytes, 16), Self.word(bytes, 24))
    }

    /// The 32 bytes.
    public var bytes: [UInt8] {
        [words.0, words.1, words.2, words.3].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) }
        }
    }

    /// The first 64 bits: as good as any hash of a value that nobody can choose.
    public var first: UInt64 { words.0 }

    /// Whether both are the same, in a time that does not depend on where they differ.
    public func constantTimeEquals(_ other: Digest256) -> Bool {
        let difference =
            (words.0 ^ other.words.0) | (words.1 ^ other.words.1) | (words.2 ^ other.words.2)
            | (words.3 ^ other.words.3)
        return difference == 0
    }

    /// Whether both are the same.
    public static func == (one: Digest256, other: Digest256) -> Bool { one.constantTimeEquals(other) }

    /// Feeds all 256 bits.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }

    private static func word(_ bytes: Span<UInt8>, _ start: Int) -> UInt64 {
        var word: UInt64 = 0
        for index in 0..<8 { word |= UInt64(bytes[start + index]) << (8 * UInt64(index)) }
        return word
    }
}
