import Testing

@testable import JOSE

/// When a token is refused because its key may only be missing: then the keys of its issuer are fetched anew.
@Suite struct MissingKeyTests {
    /// What a token says of itself, and who signs it.
    struct Token: Sendable {
        var pem = TestKeys.rsa
        var algorithm = SignatureAlgorithm.rs256
        var kid: String? = "new"
        var iss: String? = "https://one.example"
        /// Claims in the place of good ones.
        var claims: String?

        func bytes() throws -> [UInt8] {
            let kid = kid.map { #","kid":"\#($0)""# } ?? ""
            let iss = iss.map { #","iss":"\#($0)""# } ?? ""
            return try Forge.token(
                #"{"alg":"\#(algorithm.rawValue)"\#(kid)}"#, claims ?? Forge.goodClaims + iss + "}",
                Forge.signer(pem, algorithm))
        }
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let token: Token
        let expected: TokenFailure?
        let why: String

        init(_ name: String, _ token: Token, _ expected: TokenFailure?, why: String) {
            self.name = name
            self.token = token
            self.expected = expected
            self.why = why
        }

        var testDescription: String { name }
    }

    private static let invalid = TokenFailure.invalid("no key for it, or the signature does not match")

    private func key(_ pem: String, _ algorithm: SignatureAlgorithm, _ name: String?) throws -> VerificationKey {
        var key = try VerificationKey(pem: [UInt8](pem.utf8), algorithms: [algorithm])
        key.keyID = name
        return key
    }

    private func remote(
        _ name: String, issuer: String?, algorithms: [SignatureAlgorithm] = [.rs256], _ keys: [VerificationKey]
    ) -> TokenIssuer {
        TokenIssuer(
            name: name, issuer: issuer, algorithms: algorithms, keys: keys, keysAreNamed: true, keysAreRemote: true)
    }

    private func failure(_ token: Token, at issuers: [TokenIssuer], now: Int64 = Forge.now) throws -> TokenFailure? {
        let bytes = try token.bytes()
        if case .failure(let failure) = TokenVerifier(issuers: issuers).verify(bytes.span, now: now) { return failure }
        return nil
    }

    // MARK: One issuer

    static let known: [Row] = [
        Row("the key that is known", Token(kid: "old"), nil, why: "nothing is missing"),
        Row("another key", Token(), .keyUnknown(issuer: 0, hasKeys: true), why: "it may be a new one"),
        Row(
            "another name for the known key", Token(kid: "OLD"), .keyUnknown(issuer: 0, hasKeys: true),
            why: "names are exact"),
        Row(
            "an empty name", Token(kid: ""), .keyUnknown(issuer: 0, hasKeys: true), why: "a name that the set has not"),
        Row(
            "somebody else's signature with the known name", Token(pem: TestKeys.otherRSA, kid: "old"), invalid,
            why: "the key is there: nothing would change"),
        Row("no name, the known key", Token(kid: nil), nil, why: "all are tried"),
        Row(
            "no name, another key", Token(pem: TestKeys.otherRSA, kid: nil), invalid,
            why: "a bad signature cannot be told from a new key, and anybody can make one"),
        Row(
            "an algorithm that is not listed", Token(pem: TestKeys.p256, algorithm: .es256), invalid,
            why: "it would be refused whatever is fetched"),
        Row(
            "another issuer's token", Token(iss: "https://two.example"), invalid,
            why: "it would be refused whatever is fetched"),
        Row("an issuer's name in another case", Token(iss: "https://ONE.example"), invalid, why: "names are exact"),
        Row("no issuer's name", Token(iss: nil), invalid, why: "it would be refused whatever is fetched"),
        Row(
            "an issuer's name that is a number", Token(claims: Forge.goodClaims + #","iss":1}"#), invalid,
            why: "mistyped"),
        Row("claims that are no JSON", Token(claims: "{"), invalid, why: "nothing to find an issuer by"),
        Row("claims that are a list", Token(claims: "[]"), invalid, why: "likewise"),
        Row(
            "a token that is over", Token(claims: #"{"user_id":"u","exp":1,"iss":"https://one.example"}"#),
            .keyUnknown(issuer: 0, hasKeys: true), why: "nothing it says is proven yet"),
    ]

    @Test("an issuer whose keys are fetched, and who has one", arguments: known)
    func oneKey(row: Row) throws {
        let issuer = remote("one", issuer: "https://one.example", [try key(TestKeys.rsa, .rs256, "old")])
        #expect(try failure(row.token, at: [issuer]) == row.expected, "\(row.why)")
    }

    @Test(
        "an issuer whose keys were never fetched",
        arguments: [
            ("named", Token(), TokenFailure.keyUnknown(issuer: 0, hasKeys: false)),
            ("without a name", Token(kid: nil), .keyUnknown(issuer: 0, hasKeys: false)),
            ("another algorithm", Token(pem: TestKeys.p256, algorithm: .es256), invalid),
            ("another issuer", Token(iss: "https://two.example"), invalid),
        ])
    func noKeys(name: String, token: Token, expected: TokenFailure) throws {
        #expect(try failure(token, at: [remote("one", issuer: "https://one.example", [])]) == expected)
    }

    @Test("an issuer without a name of its own takes any issuer's token for its own")
    func anonymous() throws {
        let issuer = remote("one", issuer: nil, [try key(TestKeys.rsa, .rs256, "old")])
        for iss in ["https://one.example", "https://two.example", nil] {
            #expect(try failure(Token(iss: iss), at: [issuer]) == .keyUnknown(issuer: 0, hasKeys: true))
        }
    }

    @Test("keys of the file are all that there are")
    func local() throws {
        for keys in [[], [try key(TestKeys.rsa, .rs256, "old")]] {
            var issuer = remote("one", issuer: "https://one.example", keys)
            issuer.keysAreRemote = false
            #expect(try failure(Token(), at: [issuer]) == Self.invalid)
        }
    }

    // MARK: Several

    @Test(
        "of several issuers the one whose token it is has the key to fetch",
        arguments: [
            ("https://one.example", TokenFailure.keyUnknown(issuer: 1, hasKeys: true)),
            ("https://two.example", .keyUnknown(issuer: 2, hasKeys: false)), ("https://three.example", invalid),
            ("https://local.example", invalid),
        ])
    func several(iss: String, expected: TokenFailure) throws {
        var local = remote("local", issuer: "https://local.example", [try key(TestKeys.rsa, .rs256, "old")])
        local.keysAreRemote = false
        let issuers = [
            local, remote("one", issuer: "https://one.example", [try key(TestKeys.otherRSA, .rs256, "old")]),
            remote("two", issuer: "https://two.example", []),
        ]
        #expect(try failure(Token(iss: iss), at: issuers) == expected)
    }

    @Test("one issuer's key does not pass for another's, whose own is missing")
    func shared() throws {
        let issuers = [
            remote("one", issuer: "https://one.example", [try key(TestKeys.rsa, .rs256, "new")]),
            remote("two", issuer: "https://two.example", [try key(TestKeys.otherRSA, .rs256, "old")]),
        ]
        #expect(try failure(Token(), at: issuers) == nil, "the first one's own")
        #expect(
            try failure(Token(iss: "https://two.example"), at: issuers) == .invalid("iss is missing or another"),
            "signed by the first: that the second may have such a key as well changes nothing")
        #expect(
            try failure(Token(pem: TestKeys.otherRSA, iss: "https://two.example"), at: issuers)
                == .keyUnknown(issuer: 1, hasKeys: true))
        #expect(
            try failure(Token(pem: TestKeys.otherRSA, kid: "old", iss: "https://two.example"), at: issuers) == nil)
    }

    @Test("of two issuers of one name the first that lists the algorithm")
    func algorithms() throws {
        let issuers = [
            remote("one", issuer: "https://one.example", algorithms: [.es256], []),
            remote("two", issuer: "https://one.example", algorithms: [.rs256], []),
        ]
        #expect(try failure(Token(), at: issuers) == .keyUnknown(issuer: 1, hasKeys: false))
        let elliptic = Token(pem: TestKeys.p256, algorithm: .es256)
        #expect(try failure(elliptic, at: issuers) == .keyUnknown(issuer: 0, hasKeys: false))
    }

    @Test("what a known key says of a token comes before a key that is missing")
    func telling() throws {
        let issuers = [
            remote("one", issuer: "https://one.example", [try key(TestKeys.rsa, .rs256, "new")]),
            remote("two", issuer: "https://one.example", []),
        ]
        #expect(try failure(Token(), at: issuers, now: 1_700_010_000) == .expired(at: 1_700_003_600))
    }
}
