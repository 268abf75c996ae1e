import Testing

@testable import JOSE

/// The rows of the threat table and of the reports that concern claims (RFC 7519 §4.1).
@Suite struct ClaimRulesTests {
    @Test(arguments: [
        (#""exp":1700000001"#, Outcome.user("u"), "in a second"),
        (#""exp":1699999971"#, .user("u"), "29 seconds ago, within the leeway"),
        (#""exp":1699999970"#, .expired(1_699_999_970), "30 seconds ago: on or after exp it is over"),
        (#""exp":1699996400"#, .expired(1_699_996_400), "report 4: an hour ago"),
        (#""exp":0"#, .expired(0), "1970"), (#""iat":1"#, .invalid, "report 4: no exp"),
        (#""exp":"1700000100""#, .invalid, "a string"), (#""exp":null"#, .invalid, "null"),
        (#""exp":true"#, .invalid, "a boolean"),
        (#""exp":[1700000100]"#, .invalid, "an array"), (#""exp":{}"#, .invalid, "an object"),
        (#""exp":-1"#, .invalid, "negative"),
        (#""exp":-1.5"#, .invalid, "negative"), (#""exp":1700000100.75"#, .user("u"), "fractions are cut off"),
        (#""exp":1699999970.99"#, .expired(1_699_999_970), "fractions are cut off"),
        (#""exp":1.7000001e9"#, .user("u"), "a number all the same"), (#""exp":1e40"#, .invalid, "10^40"),
        (#""exp":10000000000000000000000000000000000000000"#, .invalid, "10^40"),
        (#""exp":1e999"#, .invalid, "overflow"),
        (#""exp":9223372036854775807"#, .user("u"), "far away, without overflow"),
        (#""exp":9223372036854775808"#, .invalid, "2^63"), (#""exp":1700000100,"exp":1700000100"#, .invalid, "twice"),
        (#""exp":1700000100,"nbf":1700000030"#, .user("u"), "30 seconds ahead, within the leeway"),
        (#""exp":1700000100,"nbf":1700000031"#, .notYetValid(1_700_000_031), "31 seconds ahead"),
        (#""exp":1700000100,"nbf":1700000030.9"#, .user("u"), "fractions are cut off"),
        (#""exp":1700000100,"nbf":"1""#, .invalid, "nbf a string"),
        (#""exp":1700000100,"nbf":null"#, .invalid, "nbf null"),
        (#""exp":1700000100,"nbf":9223372036854775807"#, .notYetValid(253_402_300_799), "far away, without overflow"),
        (#""exp":1700000100,"iat":1700000003"#, .user("u"), "report 9: iat three seconds ahead"),
        (#""exp":1700000100,"iat":1800000000"#, .user("u"), "iat is not checked"),
        (#""exp":1700000100,"iat":"yesterday""#, .user("u"), "iat is not checked"),
    ])
    func `times`(members: String, expected: Outcome, why: String) throws {
        let token = try Forge.hs256(#"{"sub":"u",\#(members)}"#)
        #expect(outcome(token, at: try Forge.issuer()) == expected, "\(why)")
    }

    @Test func `no leeway is none`() throws {
        let issuer = try Forge.issuer { $0.leeway = 0 }
        let token = try Forge.hs256(#"{"sub":"u","exp":1700000000,"nbf":1699999999}"#)
        #expect(outcome(token, at: issuer, now: 1_699_999_998) == .notYetValid(1_699_999_999))
        #expect(outcome(token, at: issuer, now: 1_699_999_999) == .user("u"))
        #expect(outcome(token, at: issuer, now: 1_700_000_000) == .expired(1_700_000_000))
    }

    @Test(arguments: [
        (#","iss":"https://idp.example/""#, Outcome.user("user-1"), "report 7: byte for byte"),
        (#","iss":"https://idp.example""#, .invalid, "report 7: without the slash"),
        (#","iss":"https://idp.example/x""#, .invalid, "longer"), (#","iss":"https://IDP.example/""#, .invalid, "case"),
        ("", .invalid, "absent"), (#","iss":["https://idp.example/"]"#, .invalid, "an array"),
        (#","iss":null"#, .invalid, "null"),
    ])
    func `iss`(member: String, expected: Outcome, why: String) throws {
        let issuer = try Forge.issuer { $0.issuer = "https://idp.example/" }
        #expect(outcome(try Forge.hs256(Forge.goodClaims + member + "}"), at: issuer) == expected, "\(why)")
    }

    @Test(arguments: [
        (#","aud":"agents""#, Outcome.user("user-1"), "a string"),
        (#","aud":["x","agents"]"#, .user("user-1"), "report 8"),
        (#","aud":["other"]"#, .user("user-1"), "the second that is configured"),
        (#","aud":[]"#, .invalid, "report 8: empty"), ("", .invalid, "report 8: absent"),
        (#","aud":{}"#, .invalid, "an object"),
        (#","aud":"Agents""#, .invalid, "case"), (#","aud":"agents ""#, .invalid, "exact"),
        (#","aud":"x agents""#, .invalid, "no list"),
        (#","aud":["agents",7]"#, .invalid, "not all strings"), (#","aud":7"#, .invalid, "a number"),
        (#","aud":null"#, .invalid, "null"),
        (#","aud":[["agents"]]"#, .invalid, "nested"),
    ])
    func `aud`(member: String, expected: Outcome, why: String) throws {
        let issuer = try Forge.issuer { $0.audience = ["agents", "other"] }
        #expect(outcome(try Forge.hs256(Forge.goodClaims + member + "}"), at: issuer) == expected, "\(why)")
    }

    @Test func `what is not configured is not checked`() throws {
        let token = try Forge.hs256(Forge.goodClaims + #","iss":7,"aud":{}}"#)
        #expect(outcome(token, at: try Forge.issuer()) == .user("user-1"))
    }

    @Test(arguments: [
        (#""user_id":"a-B_9.@""#, Outcome.user("a-B_9.@"), "visible ASCII"),
        (#""user_id":9007199254740993"#, .user("9007199254740993"), "report 3: exact"),
        (#""user_id":9223372036854775807"#, .user("9223372036854775807"), "2^63 - 1"),
        (#""user_id":0"#, .user("0"), "zero"),
        (#""user_id":9223372036854775808"#, .invalid, "2^63"), (#""user_id":-1"#, .invalid, "negative"),
        (#""user_id":-0"#, .invalid, "not those digits"), (#""user_id":1.0"#, .invalid, "a point"),
        (#""user_id":1e3"#, .invalid, "an e"),
        (#""user_id":1E3"#, .invalid, "an E"), (#""user_id":true"#, .invalid, "a boolean"),
        (#""user_id":null"#, .invalid, "null"),
        (#""user_id":{}"#, .invalid, "an object"), (#""user_id":["a"]"#, .invalid, "an array"),
        (#""user_id":"""#, .invalid, "empty"),
        (#""user_id":"a\r\nX: y""#, .invalid, "CR LF"), (#""user_id":"a\u0000""#, .invalid, "NUL"),
        (#""user_id":"a\tb""#, .invalid, "tab"),
        (#""user_id":"a b""#, .invalid, "a space is not visible"), (#""user_id":"\u007f""#, .invalid, "DEL"),
        (#""user_id":"é""#, .invalid, "beyond ASCII"), (#""user_id":"\u0430dmin""#, .invalid, "a look-alike"),
        (#""user_id":"\#(String(repeating: "x", count: 256))""#, .user(String(repeating: "x", count: 256)), "256"),
        (#""user_id":"\#(String(repeating: "x", count: 257))""#, .invalid, "257"),
        (#""user_id":"\#(String(repeating: "x", count: 10240))""#, .invalid, "10 KiB"),
        (#""sub":"s""#, .user("s"), "the second name"),
        (#""user_id":"u","sub":"s""#, .user("u"), "the first that is present"),
        (#""user_id":1.5,"sub":"s""#, .invalid, "no falling through"), (#""name":"n""#, .invalid, "none"),
    ])
    func `user ids`(member: String, expected: Outcome, why: String) throws {
        #expect(
            outcome(try Forge.hs256(#"{"exp":1700000100,\#(member)}"#), at: try Forge.issuer()) == expected, "\(why)")
    }

    @Test(arguments: [
        (#","token_type":"access","role":"a""#, Outcome.user("user-1"), "both"),
        (#","token_type":"refresh","role":"a""#, .wrongType("access"), "refresh used as access"),
        (#","role":"a""#, .wrongType("access"), "no type"),
        (#","token_type":"Access","role":"a""#, .wrongType("access"), "case"),
        (#","token_type":["access"],"role":["x","b"]"#, .user("user-1"), "arrays"),
        (#","token_type":"access","role":"c""#, .invalid, "another value"),
        (#","token_type":"access""#, .invalid, "absent"),
        (#","token_type":"access","role":"a b""#, .invalid, "only scope is split"),
        (#","token_type":"access","role":7"#, .invalid, ""),
    ])
    func `required claims`(members: String, expected: Outcome, why: String) throws {
        let issuer = try Forge.issuer {
            $0.requirements = [
                ClaimRequirement(claim: "token_type", values: ["access"]),
                ClaimRequirement(claim: "role", values: ["a", "b"]),
            ]
        }
        #expect(outcome(try Forge.hs256(Forge.goodClaims + members + "}"), at: issuer) == expected, "\(why)")
    }

    @Test(arguments: [
        ("[]", "not an object"), ("null", "not an object"), ("", "nothing"), ("{", "cut short"),
        (Forge.goodClaims + #","a":1,"a":1}"#, "twice"), (Forge.goodClaims + #","a":{"b":1,"b":2}}"#, "twice inside"),
        (Forge.goodClaims + #","a":"\u0000"}"#, "NUL"), (Forge.goodClaims + #","a":"\ud800"}"#, "a lone surrogate"),
        (Forge.goodClaims + #","a":1e999}"#, "overflow"), (Forge.goodClaims + "}}", "something behind"),
        (Forge.goodClaims + #","jti":{}}"#, "a jti that cannot be revoked"),
        (Forge.goodClaims + #","sid":[]}"#, "likewise a sid"),
    ])
    func `claims that are not acceptable JSON`(claims: String, why: String) throws {
        #expect(outcome(try Forge.hs256(claims), at: try Forge.issuer()) == .invalid, "\(why)")
    }

    @Test func `claims that are not UTF-8`() throws {
        let key = try SigningKey(secret: TestKeys.secret, algorithm: .hs256)
        let claims = [UInt8](Forge.goodClaims.utf8) + [UInt8](#","a":""#.utf8) + [0xC3, 0x28] + [UInt8](#""}"#.utf8)
        let token = try key.sign(header: ["alg": .string("HS256")], payload: claims)
        #expect(outcome([UInt8](token.utf8), at: try Forge.issuer()) == .invalid)
    }

    @Test(arguments: [(14, Outcome.user("user-1")), (15, .user("user-1")), (16, .invalid), (4000, .invalid)])
    func `nesting`(arrays: Int, expected: Outcome) throws {
        let nested = String(repeating: "[", count: arrays) + String(repeating: "]", count: arrays)
        #expect(outcome(try Forge.hs256(Forge.goodClaims + #","a":\#(nested)}"#), at: try Forge.issuer()) == expected)
    }

    @Test func `a verified token shows its claims`() throws {
        let token = try Forge.hs256(
            Forge.goodClaims
                + #","sid":"s1","jti":7,"iat":1699999999.5,"scope":"query  manage","roles":["a",1,true,null,{}],"n":5,"f":1.5}"#
        )
        let verifier = TokenVerifier(issuers: [try Forge.issuer()])
        let claims = try verifier.verify(token.span, now: Forge.now).get()
        #expect(claims.userID == "user-1")
        #expect(claims.expiresAt == 1_700_003_600)
        #expect(claims.sessionID == "s1")
        #expect(claims.tokenID == "7")
        #expect(claims.issuedAt == 1_699_999_999)
        #expect(claims.values(of: "scope") == ["query", "manage"])
        #expect(claims.values(of: "roles") == ["a", "1", "true"])
        #expect(claims.values(of: "n") == ["5"])
        #expect(claims.values(of: "f") == [])
        #expect(claims.values(of: "none") == nil)
        #expect(claims.holds("scope", anyOf: ["manage"]))
        #expect(!claims.holds("scope", anyOf: ["man", "query  manage"]))
    }
}
