import Testing

@testable import JOSE

/// Which keys are tried for a token.
@Suite struct KeyChoiceTests {
    private func key(_ pem: String, _ algorithm: SignatureAlgorithm, _ name: String?) throws -> VerificationKey {
        var key = try VerificationKey(pem: [UInt8](pem.utf8), algorithms: [algorithm])
        key.keyID = name
        return key
    }

    private func token(_ pem: String, _ algorithm: SignatureAlgorithm, kid: String? = nil, iss: String? = nil) throws
        -> [UInt8]
    {
        let kid = kid.map { #","kid":"\#($0)""# } ?? ""
        let iss = iss.map { #","iss":"\#($0)""# } ?? ""
        return try Forge.token(
            #"{"alg":"\#(algorithm.rawValue)"\#(kid)}"#, Forge.goodClaims + iss + "}", Forge.signer(pem, algorithm))
    }

    private func named(_ keys: [VerificationKey]) -> TokenIssuer {
        TokenIssuer(name: "jwks", algorithms: [.rs256, .es256], keys: keys, keysAreNamed: true)
    }

    @Test(
        arguments: [
            ("a", Outcome.user("user-1"), "its name"), ("b", .invalid, "the name of another key"),
            ("A", .invalid, "case matters"), ("a ", .invalid, "exact"), ("", .invalid, "empty is a name"),
            ("other", .invalid, "report 6: a named key must be found"), ("../../dev/null", .invalid, "a path"),
            ("' OR 1=1 --", .invalid, "SQL"), (nil, .user("user-1"), "report 5: all are tried without a name"),
        ] as [(String?, Outcome, String)])
    func `a kid finds a key of a set by its exact name`(kid: String?, expected: Outcome, why: String) throws {
        let issuer = named([try key(TestKeys.otherRSA, .rs256, "b"), try key(TestKeys.rsa, .rs256, "a")])
        #expect(outcome(try token(TestKeys.rsa, .rs256, kid: kid), at: issuer) == expected, "\(why)")
    }

    @Test func `a key of a set without a name is not found by one`() throws {
        let issuer = named([try key(TestKeys.rsa, .rs256, nil)])
        #expect(outcome(try token(TestKeys.rsa, .rs256, kid: "a"), at: issuer) == .invalid)
        #expect(outcome(try token(TestKeys.rsa, .rs256), at: issuer) == .user("user-1"))
    }

    @Test func `names are compared byte for byte`() throws {
        let issuer = named([try key(TestKeys.rsa, .rs256, "K")])
        #expect(outcome(try token(TestKeys.rsa, .rs256, kid: "\u{212A}"), at: issuer) == .invalid)
    }

    @Test func `two keys of one name are both tried`() throws {
        let issuer = named([
            try key(TestKeys.otherRSA, .rs256, "a"), try key(TestKeys.p256, .es256, "a"),
            try key(TestKeys.rsa, .rs256, "a"),
        ])
        #expect(outcome(try token(TestKeys.rsa, .rs256, kid: "a"), at: issuer) == .user("user-1"))
        #expect(outcome(try token(TestKeys.p256, .es256, kid: "a"), at: issuer) == .user("user-1"))
    }

    @Test func `a pem key has no name, so that kid does not matter to it`() throws {
        let issuer = TokenIssuer(name: "pem", algorithms: [.rs256], keys: [try key(TestKeys.rsa, .rs256, nil)])
        #expect(outcome(try token(TestKeys.rsa, .rs256, kid: "anything"), at: issuer) == .user("user-1"))
    }

    @Test(arguments: [(7, Outcome.user("user-1")), (8, .invalid)])
    func `without a kid eight keys of the algorithm are tried`(before: Int, expected: Outcome) throws {
        // Keys of another algorithm do not count.
        let other = try key(TestKeys.p256, .es256, "e")
        let wrong = try key(TestKeys.otherRSA, .rs256, "x")
        let issuer = named([other] + Array(repeating: wrong, count: before) + [try key(TestKeys.rsa, .rs256, "a")])
        #expect(outcome(try token(TestKeys.rsa, .rs256), at: issuer) == expected)
        #expect(outcome(try token(TestKeys.rsa, .rs256, kid: "a"), at: issuer) == .user("user-1"))
    }

    @Test func `a key vouches for its own issuer only`() throws {
        var first = TokenIssuer(
            name: "one", issuer: "https://one.example", algorithms: [.rs256], keys: [try key(TestKeys.rsa, .rs256, nil)]
        )
        let second = TokenIssuer(
            name: "two", issuer: "https://two.example", algorithms: [.rs256],
            keys: [try key(TestKeys.otherRSA, .rs256, nil)])
        for (pem, iss, expected) in [
            (TestKeys.rsa, "https://one.example", Outcome.user("user-1")),
            (TestKeys.otherRSA, "https://two.example", .user("user-1")),
            (TestKeys.rsa, "https://two.example", .invalid), (TestKeys.otherRSA, "https://one.example", .invalid),
        ] {
            #expect(outcome(try token(pem, .rs256, iss: iss), at: first, second) == expected)
        }
        // Nor does an algorithm listed for one block help in another.
        first.algorithms = [.es256]
        #expect(outcome(try token(TestKeys.rsa, .rs256, iss: "https://one.example"), at: first, second) == .invalid)
    }

    @Test func `blocks that share a key are told apart by iss, and the more telling failure is kept`() throws {
        let secret = try VerificationKey(secret: TestKeys.secret, algorithms: [.hs256])
        let blocks = ["one", "two", "three"].map {
            TokenIssuer(name: $0, issuer: $0, algorithms: [.hs256], keys: [secret])
        }
        let verifier = TokenVerifier(issuers: blocks)
        let good = try Forge.hs256(Forge.goodClaims + #","iss":"two"}"#)
        guard case .success(let claims) = verifier.verify(good.span, now: Forge.now) else {
            Issue.record("not accepted")
            return
        }
        #expect(claims.issuerIndex == 1)
        #expect(Outcome(verifier.verify(good.span, now: 1_700_010_000)) == .expired(1_700_003_600))
    }

    @Test func `a verifier without issuers or keys accepts nothing`() throws {
        let token = try Forge.hs256(Forge.goodClaims + "}")
        #expect(Outcome(TokenVerifier(issuers: []).verify(token.span, now: 0)) == .invalid)
        #expect(outcome(try Forge.hs256(Forge.goodClaims + "}"), at: try Forge.issuer { $0.keys = [] }) == .invalid)
    }

    @Test func `a wrong secret is refused`() throws {
        #expect(
            outcome(try Forge.hs256(Forge.goodClaims + "}", secret: TestKeys.otherSecret), at: try Forge.issuer())
                == .invalid)
    }
}
