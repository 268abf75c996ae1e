import JOSE
import Testing

@Suite struct SigningKeyTests {
    static let pems: [(SignatureAlgorithm, String)] = [
        (.rs256, TestKeys.rsa), (.rs384, TestKeys.rsa), (.rs512, TestKeys.rsa), (.ps256, TestKeys.rsa),
        (.ps384, TestKeys.rsa), (.ps512, TestKeys.rsa), (.es256, TestKeys.p256), (.es384, TestKeys.p384),
        (.es512, TestKeys.p521), (.edDSA, TestKeys.ed25519),
    ]

    private func expectRoundTrip(_ key: SigningKey) throws {
        let issuer = TokenIssuer(
            name: "own", algorithms: [key.algorithm], keys: [key.verificationKey], keysAreNamed: key.keyID != nil)
        let verifier = TokenVerifier(issuers: [issuer])
        // Often enough that ECDSA numbers with leading zeros occur.
        for round in 0..<(key.algorithm == .es256 ? 300 : 3) {
            let token = [UInt8](
                try key.sign(claims: ["sub": .string("u\(round)"), "exp": .integer(1_700_000_100)]).utf8)
            #expect(Outcome(verifier.verify(token.span, now: Forge.now)) == .user("u\(round)"))
        }
    }

    @Test(arguments: pems)
    func `what a private key signs its public half verifies`(algorithm: SignatureAlgorithm, pem: String) throws {
        try expectRoundTrip(SigningKey(pem: [UInt8](pem.utf8), algorithm: algorithm))
        try expectRoundTrip(SigningKey(pem: [UInt8](pem.utf8), algorithm: algorithm, keyID: "k1"))
    }

    @Test(arguments: [SignatureAlgorithm.hs256, .hs384, .hs512])
    func `what a secret signs it verifies`(algorithm: SignatureAlgorithm) throws {
        try expectRoundTrip(SigningKey(secret: TestKeys.secret, algorithm: algorithm))
        // Longer than a block: hashed first, RFC 2104 §2.
        try expectRoundTrip(SigningKey(secret: [UInt8](repeating: 9, count: 300), algorithm: algorithm))
    }

    @Test func `the header is that of the contract`() throws {
        let plain = try SigningKey(secret: TestKeys.secret, algorithm: .hs256).sign(claims: [:])
        #expect(plain.hasPrefix(Forge.encode(#"{"typ":"JWT","alg":"HS256"}"#) + "." + Forge.encode("{}") + "."))
        let named = try SigningKey(secret: TestKeys.secret, algorithm: .hs256, keyID: "k1").sign(claims: [:])
        #expect(named.hasPrefix(Forge.encode(#"{"typ":"JWT","alg":"HS256","kid":"k1"}"#)))
    }

    @Test(arguments: [
        (TestKeys.rsaPublic, SignatureAlgorithm.rs256, "not a private key"),
        (TestKeys.p256, .rs256, "none of the algorithms"),
        (TestKeys.p256Certificate, .es256, "not a private key"), (TestKeys.rsa, .hs256, "none of the algorithms"),
    ])
    func `a key that cannot sign says why`(pem: String, algorithm: SignatureAlgorithm, message: String) {
        #expect { _ = try SigningKey(pem: [UInt8](pem.utf8), algorithm: algorithm) } throws: {
            ($0 as? KeyError)?.message.contains(message) == true
        }
    }
}
