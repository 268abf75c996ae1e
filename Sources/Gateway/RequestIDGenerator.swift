/// Makes request ids: 32 hex digits, unique among all shards and restarts, not secret (xoshiro256**, seeded by the system).
struct RequestIDGenerator {
    private var s0: UInt64
    private var s1: UInt64
    private var s2: UInt64
    private var s3: UInt64

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
        let (first, second) = (next(), next())
        text.append(addingCapacity: 32) { output in
            Self.append(first >> 32, to: &output)
            Self.append(first & 0xffff_ffff, to: &output)
            Self.append(second >> 32, to: &output)
            Self.append(second & 0xffff_ffff, to: &output)
        }
    }

    @inline(__always)
    private static func append(_ half: UInt64, to output: inout OutputSpan<UInt8>) {
        let digits = digits(half)
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
            output.append(UInt8(truncatingIfNeeded: digits &>> shift))
        }
    }

    /// The eight hex digits of 32 bits, a byte each: bit 4 of what is added to tells a digit above nine.
    private static func digits(_ value: UInt64) -> UInt64 {
        var spread = (value | value << 16) & 0x0000_ffff_0000_ffff
        spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff
        spread = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f
        let letters = (spread &+ 0x0606_0606_0606_0606) &>> 4 & 0x0101_0101_0101_0101
        return spread &+ 0x3030_3030_3030_3030 &+ letters &* 39
    }
}
