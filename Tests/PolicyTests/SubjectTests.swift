import Configuration
import JOSE
import Testing

@testable import Policy

@Suite("Whom requests are counted by")
struct SubjectTests {
    private func jwt(_ claims: JSONObject) throws -> Principal {
        let token = try Samples.token(claims)
        return try #require(try Samples.authenticator().principal("Bearer \(token)"))
    }

    private func opaque(_ claims: JSONObject) throws -> Principal {
        Principal(
            introspected: try VerifiedClaims.introspected(claims, userIDClaims: ["sub"], now: Samples.now),
            until: Samples.now + 60)
    }

    @Test(
        "a credential is the most lasting thing that it names",
        arguments: [
            ("k1", nil, nil, "key:k1", "a key"), ("k1", "s1", "j1", "key:k1", "before anything else"),
            (nil, "s1", "j1", "session:s1", "a refreshed token stays the same"),
            (nil, "s1", nil, "session:s1", "likewise"),
            (nil, nil, "j1", "token:j1", "without a session, the token"), (nil, nil, nil, "user:u1", "else the user"),
            (nil, "", "j1", "session:", "an empty name is one"),
        ] as [(String?, String?, String?, String, String)])
    func credentialName(key: String?, session: String?, token: String?, expected: String, why: String) {
        let name = Principal.credentialName(keyID: key, sessionID: session, tokenID: token, userID: "u1")
        #expect(name == expected, "\(why)")
    }

    @Test("names in the store, by what is shown")
    func names() throws {
        let token = try jwt(["sid": .string("s1"), "jti": .string("j1")])
        let plain = try jwt([:])
        let key = Principal(Samples.key("rk_one"))
        let told = try opaque(["sub": .string("u9"), "jti": .string("j9")])
        let rows: [(Principal, LimitSubject, String?, String)] = [
            (token, .credential, "session:s1", "a token's session"), (token, .user, "user:42", "its user"),
            (token, .agent, nil, "a token speaks for no agent"), (token, .address, nil, "nor has it an address"),
            (plain, .credential, "user:42", "a token that names neither"),
            (key, .credential, "key:k1", "a key's id, never the key"), (key, .user, "user:u1", "its owner"),
            (key, .agent, "agent:a1", "its agent"), (key, .address, nil, "no address"),
            (told, .credential, "token:j9", "an opaque token"), (told, .user, "user:u9", "its user"),
        ]
        for (principal, kind, expected, why) in rows {
            #expect(principal.subjectName(kind) == expected, "\(why)")
            #expect((principal.subject(kind) == nil) == (expected == nil), "\(why)")
        }
    }

    @Test("who is one in the store is one in the process, and others are others")
    func hashes() throws {
        let first = try jwt(["sid": .string("s1"), "jti": .string("j1")])
        let refreshed = try jwt(["sid": .string("s1"), "jti": .string("j2")])
        let other = try jwt(["sid": .string("s2"), "jti": .string("j1")])
        #expect(first.subject(.credential) == refreshed.subject(.credential), "the session goes on")
        #expect(first.subject(.credential) != other.subject(.credential), "another login")
        #expect(first.subject(.user) == other.subject(.user), "one user")
        let key = Principal(Samples.key("rk_one"))
        let rotated = Principal(Samples.key("rk_two", id: "k2"))
        #expect(key.subject(.credential) != rotated.subject(.credential), "a key counts for itself")
        #expect(key.subject(.agent) == rotated.subject(.agent) && key.subject(.user) == rotated.subject(.user))
        #expect(key.subject(.agent) == SubjectHash.of("a1"), "as the agent of a path is counted")
        #expect(key.subject(.user) != first.subject(.user))
    }

    @Test("a session, a token and a key of one name are three credentials")
    func sameNames() throws {
        let all = [
            try jwt(["sid": .string("x")]), try jwt(["jti": .string("x")]), Principal(Samples.key("rk_one", id: "x")),
            try jwt(["user_id": .string("x")]),
        ].map { $0.subject(.credential) }
        #expect(Set(all).count == 4)
    }

    @Test("one subject under two limits is counted twice, and no mix is 0, which means a free place")
    func mix() {
        let subjects = (0..<1_000).map { SubjectHash.of("user:\($0)") }
        let limits = [SubjectHash.of("key"), SubjectHash.of("route:/a/")]
        let mixed = subjects.flatMap { subject in limits.map { SubjectHash.mix(subject, $0) } }
        #expect(Set(mixed).count == 2_000 && !mixed.contains(0))
        #expect(SubjectHash.mix(0, 0) != 0)
        #expect(SubjectHash.of("user:1") == SubjectHash.of(Array("user:1".utf8).span), "text and bytes are one")
    }
}
