import Testing

@testable import JOSE

/// The rows of the threat table that concern the signature and its spelling.
@Suite struct SignatureAttackTests {
    private static let families: [(SignatureAlgorithm, String)] = [
        (.rs256, TestKeys.rsa), (.ps256, TestKeys.rsa), (.es256, TestKeys.p256), (.es384, TestKeys.p384),
        (.es512, TestKeys.p521), (.edDSA, TestKeys.ed25519),
    ]

    /// Signing input, signature, and a verifier that takes them.
    private struct Genuine {
        let input: String
        let signature: [UInt8]
        let issuer: TokenIssuer

        init(_ key: SigningKey) throws {
            input = Forge.encode(#"{"alg":"\#(key.algorithm.rawValue)"}"#) + "." + Forge.encode(Forge.goodClaims + "}")
            signature = try key.signature(of: [UInt8](input.utf8))
            issuer = TokenIssuer(name: "i", algorithms: [key.algorithm], keys: [key.verificationKey])
        }

        func outcome(signature: [UInt8]) -> Outcome { outcome(text: Base64URL.encode(signature)) }

        func outcome(text: String) -> Outcome {
            JOSETests.outcome([UInt8]((input + "." + text).utf8), at: issuer)
        }
    }

    private func expectExactSignature(_ genuine: Genuine) {
        let good = genuine.signature
        #expect(genuine.outcome(signature: good) == .user("user-1"))
        var rows: [(String, [UInt8])] = [
            ("empty", []), ("cut short by one", good.dropLast()),
            ("the first half", [UInt8](good.prefix(good.count / 2))),
            ("one byte more", good + [0]), ("a zero before", [0] + good),
            ("without its first byte", [UInt8](good.dropFirst())),
            ("all zero", [UInt8](repeating: 0, count: good.count)),
            ("all ones", [UInt8](repeating: 0xFF, count: good.count)),
            ("twice", good + good),
        ]
        for place in stride(from: 0, to: good.count, by: 7) {
            var changed = good
            changed[place] ^= 0x01
            rows.append(("bit flipped in byte \(place)", changed))
        }
        for (name, signature) in rows { #expect(genuine.outcome(signature: signature) == .invalid, "\(name)") }
    }

    @Test(arguments: families)
    func `a signature is exact to the bit`(algorithm: SignatureAlgorithm, pem: String) throws {
        expectExactSignature(try Genuine(Forge.signer(pem, algorithm)))
    }

    @Test(arguments: [SignatureAlgorithm.hs256, .hs384, .hs512])
    func `a code is exact to the bit`(algorithm: SignatureAlgorithm) throws {
        expectExactSignature(try Genuine(SigningKey(secret: TestKeys.secret, algorithm: algorithm)))
    }

    @Test func `ES256 in DER is refused`() throws {
        let genuine = try Genuine(Forge.signer(TestKeys.p256, .es256))
        var der: [UInt8] = []
        let isTaken = ECDSASignature.encodeDER(genuine.signature.span, on: .p256, into: &der)
        #expect(isTaken)
        #expect(genuine.outcome(signature: der) == .invalid)
    }

    @Test func `r or s zero or at least n are refused, CVE-2022-21449`() throws {
        let genuine = try Genuine(Forge.signer(TestKeys.p256, .es256))
        let r = [UInt8](genuine.signature.prefix(32))
        let s = [UInt8](genuine.signature.suffix(32))
        let zero = [UInt8](repeating: 0, count: 32)
        let order = Curve.p256.order
        for signature in [zero + zero, zero + s, r + zero, order + order, order + s, r + order] {
            #expect(genuine.outcome(signature: signature) == .invalid)
        }
    }

    @Test(arguments: [
        ("=", "padding"), ("==", "padding"), ("\n", "white space"), (" ", "white space"), ("A", "one character more"),
        ("%3D", "percent-encoded padding"), ("\u{0}", "NUL"),
    ])
    func `a token has one spelling`(suffix: String, why: String) throws {
        let genuine = try Genuine(SigningKey(secret: TestKeys.secret, algorithm: .hs256))
        let text = Base64URL.encode(genuine.signature)
        #expect(genuine.outcome(text: text + suffix) == .invalid, "\(why)")
        #expect(genuine.outcome(text: suffix + text) == .invalid, "\(why)")
    }

    @Test func `trailing bits count: 32 bytes leave two that must be zero`() throws {
        let genuine = try Genuine(SigningKey(secret: TestKeys.secret, algorithm: .hs256))
        let text = Base64URL.encode(genuine.signature)
        let alphabet = [Character]("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        let last = try #require(text.last)
        let value = try #require(alphabet.firstIndex(of: last))
        for bits in 1...3 {
            #expect(genuine.outcome(text: text.dropLast() + String(alphabet[value + bits])) == .invalid)
        }
    }

    @Test func `plus and slash are not the alphabet`() throws {
        // Claims whose base64url holds both - and _.
        let token = String(
            decoding: try Forge.hs256(Forge.goodClaims + #","x":"~~~???>>>"}"#), as: UTF8.self)
        let segments = token.split(separator: ".")
        #expect(segments[1].contains("-") || segments[1].contains("_"))
        let other = token.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }
        #expect(outcome([UInt8](String(other).utf8), at: try Forge.issuer()) == .invalid)
    }
}
