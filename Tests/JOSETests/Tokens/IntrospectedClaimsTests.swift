import Testing

@testable import JOSE

/// What an issuer says of an opaque token, RFC 7662 §2.2.
@Suite struct IntrospectedClaimsTests {
    private func judged(_ text: String, users: [String] = ["sub", "username"], now: Int64 = Forge.now) throws
        -> Outcome
    {
        let object = try #require(try JSONReader.parse([UInt8](text.utf8).span).object)
        do throws(TokenFailure) {
            return .user(try VerifiedClaims.introspected(object, userIDClaims: users, now: now).userID)
        } catch { return Outcome(.failure(error)) }
    }

    @Test(arguments: [
        (#"{"active":true,"sub":"u1"}"#, Outcome.user("u1"), "no exp: it is asked again soon"),
        (#"{"sub":"u1","exp":1700000001}"#, .user("u1"), "a second before its end"),
        (#"{"sub":"u1","exp":1700000000}"#, .expired(1_700_000_000), "at its end: there is no leeway"),
        (#"{"sub":"u1","exp":1699999999}"#, .expired(1_699_999_999), "after it, whatever 'active' says"),
        (#"{"sub":"u1","exp":1700000000.9}"#, .expired(1_700_000_000), "fractions are cut off"),
        (#"{"sub":"u1","exp":"1800000000"}"#, .invalid, "a time that is text"),
        (#"{"sub":"u1","exp":null}"#, .invalid, "a time that is null"),
        (#"{"sub":"u1","exp":-1}"#, .invalid, "before 1970"),
        (#"{"sub":"u1","nbf":1700000000}"#, .user("u1"), "from now on"),
        (#"{"sub":"u1","nbf":1700000001}"#, .notYetValid(1_700_000_001), "a second early: there is no leeway"),
        (#"{"sub":"u1","nbf":"x"}"#, .invalid, "mistyped"),
        (#"{"username":"ann"}"#, .user("ann"), "the second claim, without the first"),
        (#"{"sub":"u1","username":"ann"}"#, .user("u1"), "the first that is present"),
        (#"{"sub":null,"username":"ann"}"#, .invalid, "present and null: it is not fallen through"),
        (#"{"sub":"","username":"ann"}"#, .invalid, "present and empty: likewise"),
        (#"{"sub":42}"#, .user("42"), "an integer"), (#"{"sub":-1}"#, .invalid, "a negative one"),
        (#"{"sub":"a b"}"#, .invalid, "a blank would be trimmed or split at"),
        (#"{"sub":"a\r\nX-Admin: 1"}"#, .invalid, "another header"), (#"{"sub":"é"}"#, .invalid, "beyond ASCII"),
        (#"{"active":true}"#, .invalid, "nobody"), (#"{}"#, .invalid, "nothing"),
        (#"{"sub":"u1","sid":{}}"#, .invalid, "a session that cannot be looked up"),
        (#"{"sub":"u1","jti":[]}"#, .invalid, "likewise a token"),
        (
            #"{"sub":"u1","iss":"https://anybody","aud":7,"token_type":"refresh"}"#, .user("u1"),
            "nothing here checks them"
        ),
    ])
    func `it is judged as it is said`(text: String, expected: Outcome, why: String) throws {
        #expect(try judged(text) == expected, "\(why)")
    }

    @Test func `the claims that name the user are the configuration's`() throws {
        let text = #"{"sub":"u1","user_id":7,"username":"ann"}"#
        #expect(try judged(text, users: ["user_id"]) == .user("7"))
        #expect(try judged(text, users: ["uid", "username"]) == .user("ann"))
        #expect(try judged(text, users: ["uid"]) == .invalid)
        #expect(try judged(text, users: []) == .invalid)
    }

    @Test func `what it says is kept, and it is none of the verifier's issuers`() throws {
        let said: JSONObject = [
            "sub": .string("u1"), "sid": .string("s1"), "jti": .integer(9), "iat": .integer(5),
            "scope": .string("query manage"), "exp": .integer(1_700_000_060),
        ]
        let claims = try VerifiedClaims.introspected(said, userIDClaims: ["sub"], now: Forge.now)
        #expect(claims.issuerIndex == -1)
        #expect(claims.sessionID == "s1" && claims.tokenID == "9" && claims.issuedAt == 5)
        #expect(claims.expiresAt == 1_700_000_060)
        #expect(claims.values(of: "scope") == ["query", "manage"] && claims.holds("scope", anyOf: ["manage"]))
        #expect(claims.claims == said)
    }

    @Test func `without exp it never ends by itself`() throws {
        let claims = try VerifiedClaims.introspected(["sub": .string("u1")], userIDClaims: ["sub"], now: Forge.now)
        #expect(claims.expiresAt == ClaimRules.latest)
    }
}
