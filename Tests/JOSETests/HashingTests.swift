import JOSE
import Testing

@Suite struct HashingTests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ])
    func `SHA-256 gives the values of FIPS 180-4, again and again`(text: String, hex: String) {
        let hash = SHA256()
        let bytes = [UInt8](text.utf8)
        for _ in 0..<3 {
            let value = hash.hash(bytes.span)
            let written = value.bytes.map { byte in
                let digits = String(byte, radix: 16)
                return digits.utf8.count == 1 ? "0" + digits : digits
            }
            #expect(written.joined() == hex)
        }
    }

    @Test func `256 bits compare, and go to bytes and back`() throws {
        let bytes = RandomBytes.make(32)
        let made = Digest256(bytes.span)
        let value = try #require(made)
        #expect(value.bytes == bytes)
        let short = Digest256(bytes.span.extracting(0..<31))
        #expect(short == nil)
        for index in 0..<32 {
            var other = bytes
            other[index] ^= 0x80
            let changed = try #require(digest(other))
            #expect(changed != value)
            #expect(!changed.constantTimeEquals(value))
        }
        #expect(value == digest(bytes))
    }

    private func digest(_ bytes: [UInt8]) -> Digest256? { Digest256(bytes.span) }

    private func areEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool { ConstantTime.areEqual(one.span, other.span) }

    @Test func `random bytes are not the same twice`() {
        #expect(RandomBytes.make(0).isEmpty)
        #expect(RandomBytes.make(32) != RandomBytes.make(32))
    }

    @Test func `comparison in constant time looks at length and every byte`() {
        #expect(areEqual([1, 2, 3], [1, 2, 3]))
        #expect(!areEqual([1, 2, 3], [1, 2, 4]))
        #expect(!areEqual([1, 2, 3], [1, 2]))
        #expect(areEqual([], []))
    }
}
