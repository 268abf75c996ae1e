import Testing

@testable import JOSE

/// The rows of the threat table that concern headers, keys and the form of a token (RFC 8725).
@Suite struct HeaderAttackTests {
    @Test(arguments: [
        (#"{"alg":"HS256"}"#, Outcome.user("user-1"), "the plain case"),
        (#"{"alg":"none"}"#, .invalid, "none"), (#"{"alg":"None"}"#, .invalid, "in any case"),
        (#"{"alg":"NONE"}"#, .invalid, "in any case"), (#"{"alg":"nOnE"}"#, .invalid, "in any case"),
        (#"{"alg":""}"#, .invalid, "empty"), (#"{}"#, .invalid, "no alg"), (#"{"alg":null}"#, .invalid, "mistyped"),
        (#"{"alg":["HS256"]}"#, .invalid, "mistyped"), (#"{"alg":"hs256"}"#, .invalid, "names are case-sensitive"),
        (#"{"alg":"HS512"}"#, .invalid, "not listed for the issuer"), (#"{"alg":"RS256"}"#, .invalid, "not the key's"),
        (#"{"alg":"HS256","crit":["exp"]}"#, .invalid, "crit"), (#"{"alg":"HS256","crit":[]}"#, .invalid, "empty crit"),
        (#"{"alg":"HS256","crit":["b64"],"b64":false}"#, .invalid, "RFC 7797"),
        (#"{"alg":"HS256","b64":false}"#, .invalid, "b64 without crit"),
        (#"{"alg":"HS256","b64":0}"#, .invalid, "b64 mistyped"),
        (#"{"alg":"HS256","enc":"A128GCM"}"#, .invalid, "a JWE header"),
        (#"{"alg":"HS256","alg":"HS256"}"#, .invalid, "twice"),
        (#"{"alg":"HS256","\u0061lg":"none"}"#, .invalid, "twice, escaped"),
        (#"{"alg":"HS256","kid":"a","kid":"a"}"#, .invalid, "twice"), (#"{"alg":"HS256"} {}"#, .invalid, "two values"),
        (#"["HS256"]"#, .invalid, "not an object"), (#""HS256""#, .invalid, "not an object"), ("", .invalid, "nothing"),
        (#"{"alg":"HS256","x":"\u0000"}"#, .invalid, "NUL"), (#"{"alg":"HS256","x":1e999}"#, .invalid, "overflow"),
        (
            #"{"alg":"HS256","x":"# + String(repeating: "[", count: 16) + String(repeating: "]", count: 16) + "}",
            .invalid, "too deep"
        ),
        (#"{"alg":"HS256","jku":"https://evil.example/jwks"}"#, .user("user-1"), "jku is ignored"),
        (#"{"alg":"HS256","x5u":"https://evil.example/x"}"#, .user("user-1"), "x5u is ignored"),
        (#"{"alg":"HS256","x5c":["AAAA"]}"#, .user("user-1"), "x5c is ignored"),
        (#"{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}"#, .user("user-1"), "jwk is ignored"),
        (#"{"alg":"HS256","kid":"whatever"}"#, .user("user-1"), "a secret has no name"),
        (#"{"alg":"HS256","kid":["a"]}"#, .invalid, "kid is a string"),
        (#"{"alg":"HS256","kid":7}"#, .invalid, "kid is a string"),
        (#"{"alg":"HS256","typ":"at+jwt"}"#, .user("user-1"), "typ is not looked at"),
    ])
    func `the key decides, the header only has to agree`(header: String, expected: Outcome, why: String) throws {
        let key = try SigningKey(secret: TestKeys.secret, algorithm: .hs256)
        let token = try Forge.token(header, Forge.goodClaims + "}", key)
        let verifier = TokenVerifier(issuers: [try Forge.issuer()])
        let plain = try Forge.hs256(Forge.goodClaims + "}")
        // A header is remembered from token to token; what went before must not matter.
        for (bytes, outcome) in [(token, expected), (plain, .user("user-1")), (token, expected), (token, expected)] {
            #expect(Outcome(verifier.verify(bytes.span, now: Forge.now)) == outcome, "\(why)")
        }
    }

    @Test func `HS256 under the public key's PEM or DER is refused, also when both algorithms are listed`() throws {
        let pem = [UInt8](TestKeys.rsaPublic.utf8)
        let der = try AsymmetricKey(pem: pem).subjectPublicKeyInfo
        #expect(der.count > 256)
        let issuer = try Forge.issuer(pem: TestKeys.rsaPublic, [.rs256, .hs256])
        for secret in [pem, pem + [0x0A], der] {
            #expect(outcome(try Forge.hs256(Forge.goodClaims + "}", secret: secret), at: issuer) == .invalid)
        }
        let rsa = try Forge.token(#"{"alg":"RS256"}"#, Forge.goodClaims + "}", Forge.signer(TestKeys.rsa, .rs256))
        #expect(outcome(rsa, at: issuer) == .user("user-1"))
    }

    @Test(arguments: [
        (#"{"alg":"ES256"}"#, Outcome.user("user-1")), (#"{"alg":"HS256"}"#, .invalid), (#"{"alg":"ES384"}"#, .invalid),
        (#"{"alg":"RS256"}"#, .invalid), (#"{"alg":"EdDSA"}"#, .invalid),
    ])
    func `an ES256 key does ES256 and nothing else`(header: String, expected: Outcome) throws {
        let issuer = try Forge.issuer(pem: TestKeys.p256Public, [.es256]) {
            $0.algorithms = SignatureAlgorithm.allCases
        }
        let token = try Forge.token(header, Forge.goodClaims + "}", Forge.signer(TestKeys.p256, .es256))
        #expect(outcome(token, at: issuer) == expected)
    }

    @Test func `PKCS 1 and PSS are not taken for one another, nor PSS with another salt or hash`() throws {
        let claims = Forge.goodClaims + "}"
        let issuer = try Forge.issuer(pem: TestKeys.rsaPublic, [.rs256, .ps256, .ps384])
        for (header, algorithm, isGood) in [
            (#"{"alg":"RS256"}"#, SignatureAlgorithm.rs256, true), (#"{"alg":"PS256"}"#, .ps256, true),
            (#"{"alg":"RS256"}"#, .ps256, false), (#"{"alg":"PS256"}"#, .rs256, false),
            (#"{"alg":"PS256"}"#, .ps384, false), (#"{"alg":"RS256"}"#, .rs384, false),
        ] {
            let token = try Forge.token(header, claims, Forge.signer(TestKeys.rsa, algorithm))
            #expect((outcome(token, at: issuer) == .user("user-1")) == isGood, "\(header) by \(algorithm)")
        }
    }

    @Test(arguments: [
        ("one segment", "e30"), ("two", "e30.e30"), ("four", "e30.e30.e30.e30"),
        ("a JWE's five", "e30.e30.e30.e30.e30"),
        ("dots only", ".."), ("no header", ".e30.AAAA"), ("nothing", ""), ("no claims", "eyJhbGciOiJIUzI1NiJ9..AAAA"),
        ("a nested token", "eyJhbGciOiJIUzI1NiJ9.eyJhbGciOiJIUzI1NiJ9.e30.AAAA"),
    ])
    func `a token has three segments`(name: String, token: String) throws {
        #expect(outcome([UInt8](token.utf8), at: try Forge.issuer()) == .invalid, "\(name)")
    }

    @Test func `16 KiB are the most, and a mebibyte is refused at once`() throws {
        let issuer = try Forge.issuer()
        let padding = { (count: Int) in Forge.goodClaims + #","x":""# + String(repeating: "x", count: count) + #""}"# }
        let fits = try Forge.hs256(padding(12_150))
        #expect(fits.count <= 16384 && fits.count > 16200)
        #expect(outcome(fits, at: issuer) == .user("user-1"))
        #expect(outcome(try Forge.hs256(padding(12_400)), at: issuer) == .invalid)
        #expect(outcome(try Forge.hs256(padding(1 << 20)), at: issuer) == .invalid)
        let kid = try Forge.token(
            #"{"alg":"HS256","kid":"\#(String(repeating: "k", count: 65536))"}"#, Forge.goodClaims + "}",
            SigningKey(secret: TestKeys.secret, algorithm: .hs256))
        #expect(outcome(kid, at: issuer) == .invalid)
    }

    @Test func `a payload that is itself a token is not claims`() throws {
        let inner = String(decoding: try Forge.hs256(Forge.goodClaims + "}"), as: UTF8.self)
        let nested = try Forge.token(
            #"{"alg":"HS256","cty":"JWT"}"#, inner, SigningKey(secret: TestKeys.secret, algorithm: .hs256))
        #expect(outcome(nested, at: try Forge.issuer()) == .invalid)
    }
}
