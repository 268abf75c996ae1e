import Configuration
import HTTP
import JOSE
import Testing

@testable import Policy

struct AuthorizerTests {
    /// Routes a path, and judges a caller there.
    private func judge(_ principal: Principal, _ route: Route, _ path: String) throws -> Refusal? {
        var normal: [UInt8] = []
        let sent = Array(path.utf8)
        try #require(PathNormalizer.normalize(sent.span, into: &normal) == nil)
        var match = RouteMatch()
        let post = Array("POST".utf8)
        let router = Router(routes: [route])
        let outcome = router.match(
            host: Span(), method: .post, methodName: post.span, path: normal.span, into: &match)
        try #require(outcome == .found)
        return Authorizer.authorize(principal, route: route, path: normal.span, match: match)
    }

    private func user(_ claims: JSONObject = [:]) throws -> Principal {
        try #require(try Samples.authenticator().principal("Bearer \(try Samples.token(claims))"))
    }

    private func agent(_ id: String) throws -> Principal {
        let authenticator = try Samples.authenticator(keys: KeyTable([Samples.key("rk_1", agent: id)]))
        return try #require(authenticator.principal("Bearer rk_1"))
    }

    @Test(
        arguments: [
            (CredentialKinds.jwt, nil, Refusal.credentialNotAccepted(accepted: ["jwt"])),
            (.apiKey, .credentialNotAccepted(accepted: ["api_key"]), nil),
            ([.jwt, .apiKey], nil, nil),
        ] as [(CredentialKinds, Refusal?, Refusal?)])
    func kinds(accept: CredentialKinds, ofUser: Refusal?, ofAgent: Refusal?) throws {
        let route = try Samples.route("/api/", accept: accept)
        #expect(try judge(try user(), route, "/api/x") == ofUser)
        #expect(try judge(try agent("a1"), route, "/api/x") == ofAgent)
    }

    @Test(
        arguments: [
            ("/api/agents/a1/query/", nil, "its own"),
            ("/api/agents/a1/query", nil, "without the slash"),
            ("/api/agents/%61%31/query/", nil, "unreserved escapes are decoded first"),
            ("/api//agents/./a1/query/", nil, "slashes and dots are gone first"),
            ("/api/agents/a2/../a1/query/", nil, "decided on the path that is forwarded"),
            ("/api/agents/a1/../a2/query/", "a2", "threats: dot segments"),
            ("/api/agents/a2/query/", "a2", "another agent"),
            ("/api/agents/A1/query/", "A1", "threats: another case"),
            ("/api/agents/a1%20/query/", "a1%20", "threats: percent-encoded"),
            ("/api/agents/a1;x/query/", "a1;x", "threats: a parameter"),
            ("/api/agents/a1./query/", "a1.", "a trailing dot"),
            ("/api/agents/a/query/", "a", "a prefix"),
            ("/api/agents/a11/query/", "a11", "a longer id"),
        ] as [(String, String?, String)])
    func agents(path: String, mismatch: String?, why: String) throws {
        let route = try Samples.route("/api/agents/{agent_id}/query/", accept: [.jwt, .apiKey], agent: "agent_id")
        #expect(try judge(try agent("a1"), route, path) == mismatch.map { .agentMismatch(agentID: $0) }, "\(why)")
        #expect(try judge(try user(), route, path) == nil, "a token is a user's: the upstream knows his agents")
    }

    @Test func theKindIsJudgedBeforeTheAgent() throws {
        let route = try Samples.route("/api/agents/{agent_id}/", accept: .jwt, agent: "agent_id")
        let refusal = try judge(try agent("a1"), route, "/api/agents/a2/")
        #expect(refusal == .credentialNotAccepted(accepted: ["jwt"]))
    }

    @Test func aKeyOnARouteWithoutAgentPasses() throws {
        #expect(try judge(try agent("a1"), try Samples.route("/api/", accept: .apiKey), "/api/x") == nil)
    }

    @Test(arguments: [
        (JSONValue.string("query"), true, "the word alone"),
        (.string("manage query"), true, "among others"),
        (.string("  query  "), true, "between blanks"),
        (.array([.string("manage"), .string("query")]), true, "in an array"),
        (.string("querys"), false, "words compare whole"),
        (.string("aquery"), false, "from their beginning"),
        (.string("query,manage"), false, "a comma does not separate"),
        (.string("Query"), false, "case matters"),
        (.string(""), false, "nothing"),
        (.array([]), false, "an empty array"),
        (.array([.string("manage query")]), false, "a member is one word"),
        (.array([.array([.string("query")])]), false, "a nested array"),
        (.object(["query": .bool(true)]), false, "an object"),
        (.integer(1), false, "a number"),
        (.null, false, "null"),
    ])
    func scopes(scope: JSONValue, passes: Bool, why: String) throws {
        let requirement = ClaimRequirement(claim: "scope", values: ["query"])
        let route = try Samples.route("/api/", accept: [.jwt, .apiKey], requirements: [requirement])
        let expected: Refusal? = passes ? nil : .permissionDenied(required: "scope query", scope: "query")
        #expect(try judge(try user(["scope": scope]), route, "/api/") == expected, "\(why)")
        #expect(try judge(try agent("a1"), route, "/api/") == nil, "a key has full access to its own agent")
    }

    @Test(
        arguments: [
            ("role", ["admin"], JSONValue.string("admin"), true, "a string"),
            ("role", ["admin", "owner"], .string("owner"), true, "one of several values"),
            ("role", ["admin"], .string("admin owner"), false, "only scope is split"),
            ("role", ["admin"], .array([.string("user"), .string("admin")]), true, "an array"),
            ("level", ["3"], .integer(3), true, "an integer as its digits"),
            ("level", ["3"], .array([.integer(2), .integer(3)]), true, "in an array"),
            ("level", ["3"], .number(3.5), false, "a fraction is no text"),
            ("staff", ["true"], .bool(true), true, "a boolean"),
            ("staff", ["true"], .bool(false), false, "the other one"),
            ("role", ["K"], .string("\u{212a}"), false, "bytes, not canonical equivalence"),
        ] as [(String, [String], JSONValue, Bool, String)])
    func claims(claim: String, values: [String], held: JSONValue, passes: Bool, why: String) throws {
        let requirement = ClaimRequirement(claim: claim, values: values)
        let route = try Samples.route("/api/", requirements: [requirement])
        let refused = Refusal.permissionDenied(required: ([claim] + values).joined(separator: " "), scope: nil)
        let principal = try user([claim: held])
        #expect(try judge(principal, route, "/api/") == (passes ? nil : refused), "\(why)")
        #expect(principal.claims?.holds(claim, anyOf: values) == passes, "one rule for issuers and routes")
        #expect(try judge(try user(), route, "/api/") == refused, "absent")
    }

    @Test func everyRequirementCounts() throws {
        let route = try Samples.route(
            "/api/",
            requirements: [
                ClaimRequirement(claim: "scope", values: ["query", "manage"]),
                ClaimRequirement(claim: "role", values: ["x"]),
            ])
        let both = try user(["scope": .string("manage"), "role": .string("x")])
        #expect(try judge(both, route, "/api/") == nil)
        let one = try user(["scope": .string("manage")])
        #expect(try judge(one, route, "/api/") == .permissionDenied(required: "role x", scope: nil))
        let none = try user()
        let refusal = try judge(none, route, "/api/")
        #expect(refusal == .permissionDenied(required: "scope query manage", scope: "query manage"))
    }
}
