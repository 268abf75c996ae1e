import JOSE

/// A hash under a key that is drawn once for each table, so that nobody outside can choose credentials that collide.
/// Sixteen bytes a step. Not for storage: it differs from process to process.
struct KeyedHash: Sendable {
    private let first: UInt64
    private let second: UInt64
    private let third: UInt64

    init() {
        var generator = SystemRandomNumberGenerator()
        self.init(first: generator.next(), second: generator.next(), third: generator.next())
    }

    /// With a given key, for tests.
    init(first: UInt64, second: UInt64, third: UInt64) {
        self.first = first
        self.second = second
        self.third = third
    }

    /// The hash of `bytes`; never 0, which marks free places.
    @inline(__always)
    func callAsFunction(_ bytes: Span<UInt8>) -> UInt64 {
        let count = bytes.count
        var state = first
        var place = 0
        while place &+ 16 <= count {
            let left = ByteWords.load(bytes, place) ^ second
            state = ByteWords.mix(left, ByteWords.load(bytes, place &+ 8) ^ state)
            place &+= 16
        }
        if place &+ 8 <= count {
            state = ByteWords.mix(ByteWords.load(bytes, place) ^ third, state)
            place &+= 8
        }
        let tail = ByteWords.tail(bytes, place, count &- place)
        // The length comes last, where no byte of the input can cancel it.
        let body = ByteWords.mix(tail ^ second, state ^ third)
        return ByteWords.mix(body ^ UInt64(truncatingIfNeeded: count), first | 1) | 1
    }
}
