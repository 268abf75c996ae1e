import HTTP
import JOSE
import Testing

@testable import Policy

struct AuthenticatorTests {
    @Test(arguments: [
        (nil, Refusal.credentialsMissing, "no Authorization"),
        ("", .credentialsMissing, "an empty one"),
        ("Basic YTpi", .credentialsMissing, "another scheme"),
        ("Bearer", .credentialsMissing, "nothing after it"),
        ("Bearer garbage", .tokenInvalid, "neither a JWT nor a key"),
        ("Bearer a.b.c", .tokenInvalid, "not a JWT by its form"),
        ("Bearer eyJhbGciOiJub25lIn0.e30.", .tokenInvalid, "alg none"),
        ("Bearer rk_", .apiKeyInvalid, "a key without anything"),
        ("Bearer rk_unknown", .apiKeyInvalid, "an unknown key"),
        ("Bearer rk_a.b.c", .apiKeyInvalid, "a malformed key is answered as an unknown one"),
        ("Bearer rk_good ", .apiKeyInvalid, "byte for byte"),
        ("Bearer RK_good", .tokenInvalid, "the prefix in another case is no key"),
        ("Bearer rk_expired", .apiKeyExpired(at: Samples.now), "at its expiry it is expired"),
        ("Bearer rk_revoked", .apiKeyRevoked(at: 5), "revoked"),
        ("Bearer rk_ahead", .apiKeyRevoked(at: Samples.now + 60), "revoked by a clock that is ahead of ours"),
        ("Bearer rk_rotated", .apiKeyRevoked(at: Samples.now), "out of its grace"),
        ("Bearer rk_both", .apiKeyRevoked(at: 5), "revoked and expired: the revocation counts"),
    ])
    func refuses(value: String?, expected: Refusal, why: String) throws {
        let now = Samples.now
        let table = KeyTable([
            Samples.key("rk_good"), Samples.key("rk_expired", expiresAt: now), Samples.key("rk_revoked", revokedAt: 5),
            Samples.key("rk_ahead", revokedAt: now + 60), Samples.key("rk_rotated", graceUntil: now),
            Samples.key("rk_both", expiresAt: 4, revokedAt: 5),
        ])
        let authenticator = try Samples.authenticator(keys: table)
        for _ in 0..<2 { #expect(authenticator.refusal(value) == expected, "\(why)") }
        #expect(authenticator.cacheCount == 0, "a failure is never remembered")
    }

    /// What was revoked or made meanwhile is not known, so nobody is vouched for, and nobody is told that he is nobody.
    @Test func whileTheStoreIsSilentNobodyIsVouchedFor() throws {
        let authenticator = try Samples.authenticator(
            keys: KeyTable([Samples.key("rk_good"), Samples.key("rk_revoked", revokedAt: 5)]))
        let token = try "Bearer \(Samples.token())"
        let rows: [(String?, Refusal?)] = [
            (token, .storeUnavailable), ("Bearer rk_good", .storeUnavailable), ("Bearer rk_new", .storeUnavailable),
            ("Bearer rk_revoked", .apiKeyRevoked(at: 5)), ("Bearer garbage", .tokenInvalid), (nil, .credentialsMissing),
        ]
        let principal = try #require(authenticator.principal(token))
        #expect(authenticator.refusal(for: principal) == nil)
        authenticator.isStoreSilent = true
        for (value, expected) in rows { #expect(authenticator.refusal(value) == expected, "\(value ?? "none")") }
        #expect(authenticator.refusal(for: principal) == .storeUnavailable, "one that was asked for, too")
        #expect(
            authenticator.refusal(forRunning: principal, since: Samples.now, now: Samples.now, grace: 0)
                == .storeUnavailable, "nor does what runs go on")
        authenticator.isStoreSilent = false
        #expect(authenticator.principal(token) != nil && authenticator.principal("Bearer rk_good") != nil)
        #expect(authenticator.refusal("Bearer rk_new") == .apiKeyInvalid)
    }

    @Test func aTokenLongerThanTheLimitIsInvalid() throws {
        let token = try Samples.token(["groups": .string(String(repeating: "g", count: 9000))])
        #expect(token.utf8.count > 12000 && token.utf8.count < 16384)
        #expect(try Samples.authenticator().principal("Bearer \(token)") != nil, "report 23: 12 KiB pass")
        let small = try Samples.authenticator(tokenLimit: 12000)
        #expect(small.refusal("Bearer \(token)") == .tokenInvalid, "report 23: what is longer than the limit does not")
        let key = "rk_" + String(repeating: "k", count: 20000)
        #expect(try Samples.authenticator().refusal("Bearer \(key)") == .tokenInvalid)
    }

    @Test(arguments: [
        ("Bearer ", "the ordinary spelling"), ("bearer ", "report 2: lower case"), ("BEARER   ", "report 2: blanks"),
    ])
    func aGoodTokenNamesItsUser(scheme: String, why: String) throws {
        let authenticator = try Samples.authenticator()
        let token = try Samples.token(["sid": .string("s1"), "jti": .string("j1")])
        let principal = try #require(authenticator.principal(scheme + token), "\(why)")
        #expect(principal.kind == .jwt)
        #expect(principal.userID == "42")
        #expect(principal.sessionID == "s1" && principal.tokenID == "j1")
        #expect(principal.agentID == nil && principal.keyID == nil)
        #expect(principal.expiresAt == Samples.now + 600)
        #expect(String(decoding: principal.headerLines, as: UTF8.self) == "X-User-Id: 42\r\n")
    }

    @Test(arguments: [
        (JSONValue.integer(9_007_199_254_740_993), "9007199254740993", "report 3: the exact digits"),
        (.integer(.max), "9223372036854775807", "the largest"),
        (.string("u-1"), "u-1", "a string as it is"),
    ])
    func userIDsKeepEveryDigit(claim: JSONValue, expected: String, why: String) throws {
        let token = try Samples.token(["user_id": claim])
        #expect(try Samples.authenticator().principal("Bearer \(token)")?.userID == expected, "\(why)")
    }

    @Test(arguments: [
        (JSONValue.number(1000.5), "report 3: a fraction"), (.bool(true), "report 3: a boolean"),
        (.object([:]), "an object"), (.string("a\r\nX-Admin: 1"), "a line break"), (.string(""), "nothing"),
        (.string("\u{e9}"), "beyond ASCII"), (.string(String(repeating: "u", count: 257)), "too long"),
    ])
    func otherUserIDsAreInvalid(claim: JSONValue, why: String) throws {
        let token = try Samples.token(["user_id": claim])
        #expect(try Samples.authenticator().refusal("Bearer \(token)") == .tokenInvalid, "\(why)")
    }

    @Test func timesAreJudged() throws {
        let now = Samples.now
        let authenticator = try Samples.authenticator()
        let past = try Samples.token(expiresAt: now - 3600)
        #expect(authenticator.refusal("Bearer \(past)") == .tokenExpired(at: now - 3600), "report 4")
        let early = try Samples.token(["nbf": .integer(now + 100)])
        #expect(authenticator.refusal("Bearer \(early)") == .tokenNotYetValid(from: now + 100))
        let skewed = try Samples.token(["iat": .integer(now + 3), "nbf": .integer(now + 3)])
        #expect(authenticator.principal("Bearer \(skewed)") != nil, "report 9: iat is not checked, nbf has leeway")
    }

    @Test func aRefreshTokenIsOfTheWrongType() throws {
        let rule = ClaimRequirement(claim: "token_type", values: ["access"])
        let authenticator = Authenticator(
            issuers: [try Samples.issuer(requirements: [rule])], keyPrefix: "rk_", tokenLimit: 16384, keys: .empty)
        let refresh = try Samples.token(["token_type": .string("refresh")])
        #expect(authenticator.refusal("Bearer \(refresh)") == .tokenWrongType(expected: "access"))
        let access = try Samples.token(["token_type": .string("access")])
        #expect(authenticator.principal("Bearer \(access)") != nil)
    }

    @Test func aKeyNamesItsAgentAndOwner() throws {
        let now = Samples.now
        let table = KeyTable([
            Samples.key("rk_one"), Samples.key("rk_two", id: "k2", expiresAt: now + 90, graceUntil: now + 60),
        ])
        let authenticator = try Samples.authenticator(keys: table)
        let one = try #require(authenticator.principal("bearer rk_one"))
        #expect(one.kind == .apiKey)
        #expect(one.userID == "u1" && one.agentID == "a1" && one.keyID == "k1")
        #expect(one.expiresAt == .max)
        let lines = "X-User-Id: u1\r\nX-Agent-Id: a1\r\nX-Api-Key-Id: k1\r\n"
        #expect(String(decoding: one.headerLines, as: UTF8.self) == lines)
        #expect(authenticator.principal("bearer rk_one") === one, "made once")
        #expect(authenticator.principal("bearer rk_two")?.expiresAt == now + 60, "what ends first")
        #expect(authenticator.principal("bearer rk_two")?.keyID == "k2")
        #expect(authenticator.refusal("bearer rk_two", now: now + 60) == .apiKeyRevoked(at: now + 60))
    }

    @Test func aChangeOfTheTableActsOnKeysInUse() throws {
        let authenticator = try Samples.authenticator(
            keys: KeyTable([Samples.key("rk_a"), Samples.key("rk_b", id: "k2")]))
        #expect(authenticator.principal("Bearer rk_a")?.keyID == "k1")
        #expect(authenticator.principal("Bearer rk_b")?.keyID == "k2")
        // The places of the new table mean other keys.
        authenticator.replaceKeys(KeyTable([Samples.key("rk_b", id: "k2"), Samples.key("rk_a", revokedAt: 7)]))
        #expect(authenticator.refusal("Bearer rk_a") == .apiKeyRevoked(at: 7))
        #expect(authenticator.principal("Bearer rk_b")?.keyID == "k2")
        authenticator.replaceKeys(.empty)
        #expect(authenticator.refusal("Bearer rk_b") == .apiKeyInvalid)
    }

    @Test func aThousandGuessesLeaveNothingBehind() throws {
        let authenticator = try Samples.authenticator(keys: KeyTable([Samples.key("rk_good")]))
        for guess in 0..<1000 {
            #expect(authenticator.refusal("Bearer rk_guess\(guess)") == .apiKeyInvalid, "report 30")
            #expect(authenticator.refusal("Bearer guess.\(guess).x") == .tokenInvalid, "report 30")
        }
        #expect(authenticator.cacheCount == 0)
        #expect(authenticator.principal("Bearer rk_good") != nil, "others are unaffected")
    }
}
