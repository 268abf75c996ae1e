import Testing

@testable import JOSE

@Suite("Derived keys: for another purpose, from a signing key")
struct DerivedKeyTests {
    @Test("holders of one key agree, for each purpose on another secret")
    func agreement() throws {
        let secret = [UInt8](repeating: 7, count: 32)
        let one = try SigningKey(secret: secret, algorithm: .hs256)
        let same = try SigningKey(secret: secret, algorithm: .hs256, keyID: "named")
        let other = try SigningKey(secret: [UInt8](repeating: 8, count: 32), algorithm: .hs256)
        let message: [UInt8] = [1, 2, 3]
        let code = one.derived(for: "a").code(of: message)
        #expect(code.count == 32 && code == same.derived(for: "a").code(of: message))
        #expect(code != one.derived(for: "b").code(of: message))
        #expect(code != other.derived(for: "a").code(of: message))
        #expect(code != one.derived(for: "a").code(of: [1, 2]))
    }

    @Test("a private key gives the same each time it is read, in either form of its file")
    func asymmetric() throws {
        let codes = try [TestKeys.p256, TestKeys.p256SEC1].map { pem in
            try SigningKey(pem: [UInt8](pem.utf8), algorithm: .es256).derived(for: "a").code(of: [1])
        }
        #expect(codes[0] == codes[1])
        let other = try SigningKey(pem: [UInt8](TestKeys.rsa.utf8), algorithm: .rs256).derived(for: "a").code(of: [1])
        #expect(other != codes[0] && other.count == 32)
    }

    @Test("it is HMAC-SHA256 of HMAC-SHA256: made by Python's hmac")
    func vector() throws {
        let key = try SigningKey(secret: Array("0123456789abcdef0123456789abcdef".utf8), algorithm: .hs256)
        let code = key.derived(for: "purpose").code(of: Array("message".utf8))
        #expect(Base64URL.encode(code) == "-Lm6UaT97qyqufgQdsq5SHJj4zyKrlBqp2CfJ0ck0A0")
    }
}
