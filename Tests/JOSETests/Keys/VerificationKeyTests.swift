import JOSE
import Testing

@Suite struct VerificationKeyTests {
    @Test(
        arguments: [
            ("a public RSA key", TestKeys.rsaPublic, [.rs256, .ps512, .es256], [.rs256, .ps512]),
            ("the public half of a private one", TestKeys.rsa, [.rs256], [.rs256]),
            ("a public key on P-256", TestKeys.p256Public, [.es256, .es384], [.es256]),
            ("a certificate", TestKeys.p256Certificate, [.es256], [.es256]),
            ("the older private form", TestKeys.p256SEC1, [.es256], [.es256]),
            ("P-384", TestKeys.p384, SignatureAlgorithm.allCases, [.es384]),
            ("P-521", TestKeys.p521, SignatureAlgorithm.allCases, [.es512]),
            ("Ed25519", TestKeys.ed25519Public, SignatureAlgorithm.allCases, [.edDSA]),
            ("text around the block", "# our key\n" + TestKeys.ed25519Public + "\n\n", [.edDSA], [.edDSA]),
        ] as [(String, String, [SignatureAlgorithm], [SignatureAlgorithm])])
    func `a PEM key is for those of the algorithms that it can do`(
        name: String, pem: String, listed: [SignatureAlgorithm], usable: [SignatureAlgorithm]
    ) throws {
        let key = try VerificationKey(pem: [UInt8](pem.utf8), algorithms: listed)
        #expect(key.algorithms == usable, "\(name)")
        #expect(key.keyID == nil, "a pem key has no name")
    }

    @Test(
        arguments: [
            ("empty", "", [.rs256], "no PEM block"),
            ("no PEM", "hello", [.rs256], "no PEM block"),
            ("broken", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", [.rs256], "cannot be read"),
            ("a pass phrase", TestKeys.p256Encrypted, [.es256], "pass phrase"),
            ("too weak", TestKeys.weakRSAPublic, [.rs256], "1024 bits; at least 2048"),
            ("the older public form", TestKeys.rsaPublicPKCS1, [.rs256], "openssl rsa"),
            ("another curve", TestKeys.secp256k1, [.es256], "none of P-256"),
            ("Ed448", TestKeys.ed448, [.edDSA], "not an RSA"),
            ("RSA for ES256", TestKeys.rsaPublic, [.es256], "none of the algorithms"),
            ("P-256 for HS256", TestKeys.p256Public, [.hs256], "none of the algorithms"),
            ("P-256 for ES384", TestKeys.p256Public, [.es384], "none of the algorithms"),
        ] as [(String, String, [SignatureAlgorithm], String)])
    func `a PEM key that cannot work says why`(
        name: String, pem: String, algorithms: [SignatureAlgorithm], message: String
    ) {
        #expect("\(name)") { _ = try VerificationKey(pem: [UInt8](pem.utf8), algorithms: algorithms) } throws: {
            ($0 as? KeyError)?.message.contains(message) == true
        }
    }

    @Test(arguments: [
        (31, SignatureAlgorithm.hs256, false), (32, .hs256, true), (47, .hs384, false), (48, .hs384, true),
        (63, .hs512, false), (64, .hs512, true), (0, .hs256, false), (200, .hs256, true), (64, .rs256, false),
    ])
    func `a secret is at least as long as the hash, RFC 7518 §3.2`(
        count: Int, algorithm: SignatureAlgorithm, isGood: Bool
    ) {
        let key = try? VerificationKey(secret: [UInt8](repeating: 1, count: count), algorithms: [algorithm])
        #expect((key != nil) == isGood)
    }
}
