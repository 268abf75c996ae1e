import JOSE

/// A quick look at eight bytes of a path at a time, for the paths that nearly all requests have.
enum PathWords {
    private static let highs: UInt64 = 0x8080_8080_8080_8080

    /// Only letters, digits and `/ - . _ ~ : ; @`, and no slash is followed by a slash or a dot: the path is then in normal
    /// form. False says nothing.
    @inline(__always)
    static func areOrdinary(_ path: Span<UInt8>) -> Bool {
        var place = 0
        var isBehindSlash: UInt64 = 0
        while place < path.count {
            let rest = path.count &- place
            // A letter fills up the last word.
            let word =
                rest >= 8
                ? ByteWords.load(path, place)
                : ByteWords.tail(path, place, rest)
                    | ((0x61 &* ByteWords.ones) &<< (UInt64(truncatingIfNeeded: rest) &* 8))
            guard word & highs == 0 else { return false }
            let letters = from(0x61, word) & ~from(0x7b, word) | from(0x40, word) & ~from(0x5b, word)
            let others = from(0x5f, word) & ~from(0x60, word) | from(0x7e, word) & ~from(0x7f, word)
            guard letters | others | (from(0x2d, word) & ~from(0x3c, word)) == highs else { return false }
            let slashes = from(0x2f, word) & ~from(0x30, word)
            let dotsAndSlashes = from(0x2e, word) & ~from(0x30, word)
            guard (slashes &<< 8 | isBehindSlash) & dotsAndSlashes == 0 else { return false }
            isBehindSlash = slashes &>> 56
            place &+= 8
        }
        return true
    }

    /// Flags the bytes that are `byte` or more, when all are below 0x80: no sum carries over into the next byte.
    @inline(__always)
    private static func from(_ byte: UInt64, _ word: UInt64) -> UInt64 {
        (word &+ (0x80 &- byte) &* ByteWords.ones) & highs
    }
}
