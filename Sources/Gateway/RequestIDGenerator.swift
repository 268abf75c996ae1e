/// Makes request ids: 32 hex digits, unique among all shards and restarts, not secret (xoshiro256**, seeded by the system).
struct RequestIDGenerator {
    private var s0: UInt64
    private var s1: UInt64
    private var s2: UInt64
    private var s3: UInt64
    private static let digits: [16 of UInt8] = [
        48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 97, 98, 99, 100, 101, 102,
    ]

    init() {
        var system = SystemRandomNumberGenerator()
        s0 = system.next()
        s1 = system.next()
        s2 = system.next()
        s3 = system.next() | 1
    }

    private mutating func next() -> UInt64 {
        let result = rotate(s1 &* 5, 7) &* 9
        let t = s1 << 17
        s2 ^= s0
        s3 ^= s1
        s1 ^= s2
        s0 ^= s3
        s2 ^= t
        s3 = rotate(s3, 45)
        return result
    }

    private func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 { value << count | value >> (64 - count) }

    /// A number below `bound`, for choices that need no secrecy.
    mutating func number(below bound: Int) -> Int { Int(next() % UInt64(max(bound, 1))) }

    /// Appends an id.
    mutating func append(to text: inout [UInt8]) {
        for _ in 0..<2 {
            let value = next()
            for shift in stride(from: UInt64(60), through: 0, by: -4) {
                text.append(Self.digits[Int(truncatingIfNeeded: (value >> shift) & 15)])
            }
        }
    }
}
