import HTTP
import JOSE
import Testing

@testable import Policy

@Suite("What was revoked is refused on every request, also when the credential is known")
struct RevocationTests {
    private static let now = Samples.now
    private static let later = now + 3_600
    private static let secret = "rk_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"

    private static func authenticator(_ revocations: RevocationSet = RevocationSet()) throws -> Authenticator {
        Authenticator(
            issuers: [try Samples.issuer()], keyPrefix: "rk_", tokenLimit: 16_384,
            keys: KeyTable([Samples.key(secret)]), revocations: revocations)
    }

    private static func refusal(_ authenticator: Authenticator, _ credential: String, now: Int64 = now) -> Refusal? {
        authenticator.refusal("Bearer \(credential)", now: now)
    }

    private static func token(issuedAt: Int64? = now - 60, expiresAt: Int64 = later) throws -> String {
        var claims: JSONObject = ["user_id": .string("u1"), "sid": .string("s1"), "jti": .string("j1")]
        if let issuedAt { claims["iat"] = .integer(issuedAt) }
        return try Samples.token(claims, expiresAt: expiresAt)
    }

    private static let rows: [(name: String, revocations: [Revocation], token: Refusal?, key: Refusal?)] = [
        ("nothing", [], nil, nil),
        ("its session", [.session("s1", until: later)], .tokenRevoked, nil),
        ("another session", [.session("s2", until: later)], nil, nil),
        ("the token", [.token("j1", until: later)], .tokenRevoked, nil),
        ("another token", [.token("j2", until: later)], nil, nil),
        ("a session of the token's id", [.session("j1", until: later), .token("s1", until: later)], nil, nil),
        ("the user", [.userDisabled("u1", at: now - 5)], .tokenRevoked, .apiKeyRevoked(at: now - 5)),
        ("another user", [.userDisabled("u2", at: now)], nil, nil),
        ("the user, enabled again", [.userDisabled("u1", at: now - 5), .userEnabled("u1")], nil, nil),
        ("tokens from before it", [.tokensBefore(user: "u1", moment: now - 60, until: later)], nil, nil),
        ("tokens from after it", [.tokensBefore(user: "u1", moment: now - 59, until: later)], .tokenRevoked, nil),
        (
            "an earlier moment after a later one",
            [
                .tokensBefore(user: "u1", moment: now, until: later),
                .tokensBefore(user: "u1", moment: now - 100, until: later),
            ], .tokenRevoked, nil
        ),
    ]

    @Test("each kind, as the first and as a later request of its credential", arguments: rows)
    func kinds(_ row: (name: String, revocations: [Revocation], token: Refusal?, key: Refusal?)) throws {
        let token = try Self.token()
        let fresh = try Self.authenticator(RevocationSet(row.revocations, now: Self.now))
        for _ in 0..<3 {
            #expect(Self.refusal(fresh, token) == row.token, "\(row.name), verified anew or known")
            #expect(Self.refusal(fresh, Self.secret) == row.key, "\(row.name), a key of the user")
        }
        let warm = try Self.authenticator()
        #expect(Self.refusal(warm, token) == nil && Self.refusal(warm, Self.secret) == nil)
        warm.apply(row.revocations, now: Self.now)
        #expect(
            Self.refusal(warm, token) == row.token && Self.refusal(warm, Self.secret) == row.key,
            "\(row.name), on a hit")
        warm.replaceRevocations(RevocationSet())
        #expect(Self.refusal(warm, token) == nil && Self.refusal(warm, Self.secret) == nil, "\(row.name), taken back")
        warm.replaceRevocations(RevocationSet(row.revocations, now: Self.now))
        #expect(Self.refusal(warm, token) == row.token, "\(row.name), replaced as a whole")
    }

    @Test("who was logged out stays so when the store has forgotten; whether a user is disabled, the store alone says")
    func remembered() throws {
        let known = RevocationSet(
            [
                .session("s1", until: Self.later), .token("j2", until: Self.later), .userDisabled("u2", at: 5),
                .tokensBefore(user: "u3", moment: 9, until: Self.later),
            ], now: Self.now)
        var fresh = RevocationSet([.session("s9", until: Self.later)], now: Self.now)
        fresh.remember(known, now: Self.now)
        #expect(fresh.count == 4, "and not who is no longer disabled")
        let token = try Self.token()
        #expect(Self.refusal(try Self.authenticator(fresh), token) == .tokenRevoked)
    }

    @Test("a token that does not say when it was issued falls under any moment")
    func noIssuedAt() throws {
        let token = try Self.token(issuedAt: nil)
        let set = RevocationSet([.tokensBefore(user: "u1", moment: 1, until: Self.later)], now: Self.now)
        #expect(Self.refusal(try Self.authenticator(set), token) == .tokenRevoked)
    }

    @Test("an expired token says that it expired, whether it was revoked or not")
    func expired() throws {
        let token = try Self.token(expiresAt: Self.now)
        let set = RevocationSet([.session("s1", until: Self.later)], now: Self.now)
        #expect(Self.refusal(try Self.authenticator(set), token, now: Self.now + 31) == .tokenExpired(at: Self.now))
    }

    @Test("entries leave when what they name has expired")
    func purge() {
        var set = RevocationSet()
        for index in 0..<10_000 {
            set.apply(.session("\(index)", until: Self.now + Int64(index)), now: Self.now + Int64(index))
        }
        #expect(set.count <= 2_049)
        set.purge(now: Self.now + 10_000)
        #expect(set.count == 0)
    }

    @Test("a bare token is judged like one in Authorization, and a key is no token")
    func bare() throws {
        let token = Array(try Self.token().utf8)
        let authenticator = try Self.authenticator()
        guard case .principal(let principal) = authenticator.authenticate(token: token.span, now: Self.now) else {
            Issue.record("the token is good")
            return
        }
        #expect(principal.userID == "u1" && principal.sessionID == "s1")
        for text in [Self.secret, "", "x"] {
            let bytes = Array(text.utf8)
            guard case .refused(.tokenInvalid) = authenticator.authenticate(token: bytes.span, now: Self.now) else {
                Issue.record("\(text.prefix(3)) is no token")
                return
            }
        }
    }
}
