import Testing

@testable import JOSE

@Suite struct PublicJWKTests {
    private static let keys: [(algorithm: SignatureAlgorithm, pem: String)] = [
        (.rs256, TestKeys.rsa), (.ps384, TestKeys.rsa), (.es256, TestKeys.p256), (.es384, TestKeys.p384),
        (.es512, TestKeys.p521), (.edDSA, TestKeys.ed25519),
    ]

    /// The key of RFC 8037 Appendix A.1 and A.2, and its thumbprint of A.3.
    @Test("an Ed25519 key has the public half and the thumbprint of RFC 8037")
    func ed25519() throws {
        let seed: [UInt8] = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49,
            0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
        ]
        let der: [UInt8] =
            [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20] + seed
        let key = try SigningKey(namedByThumbprint: Array(pem(der).utf8), algorithm: .edDSA)
        #expect(key.keyID == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
        let jwk = try #require(key.publicJWK)
        #expect(jwk["kty"] == .string("OKP") && jwk["crv"] == .string("Ed25519") && jwk["use"] == .string("sig"))
        #expect(jwk["x"] == .string("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo") && jwk["alg"] == .string("EdDSA"))
        #expect(jwk["d"] == nil, "never the private half")
    }

    @Test("what is published verifies what was signed", arguments: keys)
    func roundTrip(_ row: (algorithm: SignatureAlgorithm, pem: String)) throws {
        let key = try SigningKey(namedByThumbprint: Array(row.pem.utf8), algorithm: row.algorithm)
        let jwk = try #require(key.publicJWK)
        let set = JSONWriter.encode(["keys": .array([.object(jwk)])])
        let keys = try KeySet.jwks(set, algorithms: [row.algorithm])
        #expect(keys.keys.map(\.keyID) == [key.keyID])
        let issuer = TokenIssuer(
            name: "own", algorithms: [row.algorithm], keys: keys.keys, keysAreNamed: true, leeway: 0)
        let token = try key.sign(claims: ["exp": .integer(2_000_000_000), "sub": .string("u")])
        let bytes = Array(token.utf8)
        #expect((try? TokenVerifier(issuers: [issuer]).verify(bytes.span, now: 1_900_000_000).get())?.userID == "u")
    }

    @Test("a secret has no public half")
    func secret() throws {
        #expect(try SigningKey(secret: Array(repeating: 1, count: 32), algorithm: .hs256).publicJWK == nil)
    }

    private func pem(_ der: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var text = ""
        for start in stride(from: 0, to: der.count, by: 3) {
            let group = der[start..<min(start + 3, der.count)]
            let bits = (0..<3).reduce(0) { $0 << 8 | ($1 < group.count ? Int(group[start + $1]) : 0) }
            text += String((0...3).map { $0 <= group.count ? alphabet[bits >> (18 - 6 * $0) & 63] : "=" })
        }
        return "-----BEGIN PRIVATE KEY-----\n\(text)\n-----END PRIVATE KEY-----\n"
    }
}
