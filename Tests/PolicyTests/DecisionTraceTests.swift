import Configuration
import HTTP
import JOSE
import Testing

@testable import Policy

struct DecisionTraceTests {
    private func configuration() throws -> Configuration {
        var configuration = Configuration()
        configuration.issuers = [try Samples.issuer()]
        configuration.upstreams = [Upstream(name: "agents", servers: [])]
        configuration.routes = [
            try Samples.route(
                "POST /api/agents/{agent_id}/query/", 0, accept: [.jwt, .apiKey], agent: "agent_id",
                requirements: [ClaimRequirement(claim: "scope", values: ["query"])]),
            try Samples.route("/api/", 1), try Samples.route("GET /widget/", 2, accept: []),
        ]
        return configuration
    }

    private func trace(_ request: String, _ lines: [String] = []) throws -> DecisionTrace {
        let words = request.split(separator: " ").map(String.init)
        let keys = KeyTable([Samples.key("rk_one"), Samples.key("rk_old", id: "k2", revokedAt: 0)])
        return DecisionTrace(
            DecisionTrace.Request(method: words[0], target: words[1], fieldLines: lines),
            configuration: try configuration(), keys: keys, now: Samples.now)
    }

    @Test(arguments: [
        (
            "POST /api/agents/a1/query/", "Authorization: Bearer rk_one",
            DecisionTrace.Outcome.forwarded(upstream: "agents")
        ),
        ("POST /api/agents/a2/query/", "Authorization: Bearer rk_one", .refused(.agentMismatch(agentID: "a2"))),
        ("GET /api/x", "Authorization: Bearer rk_one", .refused(.credentialNotAccepted(accepted: ["jwt"]))),
        ("GET /api/x", "Authorization: Bearer rk_old", .refused(.apiKeyRevoked(at: 0))),
        ("GET /api/x", "Authorization: Bearer x", .refused(.tokenInvalid)),
        ("GET /api/x", "Authorization: Basic x", .refused(.credentialsMissing)),
        ("GET /api/x", "X-Other: 1", .refused(.credentialsMissing)),
        ("GET /widget/", "X-Other: 1", .forwarded(upstream: "agents")),
        ("POST /widget/", "X-Other: 1", .refused(.methodNotAllowed(allowed: "GET, HEAD"))),
        ("GET /other", "X-Other: 1", .refused(.notFound)),
        ("GET /healthz", "Authorization: Bearer x", .answered(status: 200)),
        ("HEAD /healthz/", "X-Other: 1", .answered(status: 200)),
        ("GET /api/..;/x", "X-Other: 1", .refused(PathError.dotSegmentParameter.refusal)),
        ("GET /api/x", "Host: a b", .refused(.badRequest(field: nil, reason: "invalid Host"))),
    ])
    func decides(request: String, line: String, expected: DecisionTrace.Outcome) throws {
        let trace = try trace(request, [line])
        #expect(trace.outcome == expected)
        #expect(trace.steps.last?.hasPrefix("decision: ") == true)
        let credential = line.split(separator: " ").last.map(String.init) ?? ""
        #expect(!line.contains("rk_") || !trace.steps.contains { $0.contains(credential) }, "no part of a credential")
    }

    /// What needs somebody else's answer is no decision: a script that reads `--json` must not take it for one.
    @Test(arguments: [
        ("a key that is fetched", "/api/x", "jwt", "it fetches the keys of backend"),
        ("an opaque token", "/api/x", "opaque", "it asks legacy"),
        ("a ticket", "/api/x?token=\(String(repeating: "a", count: 43))", nil, "one that was given within 30 s"),
    ])
    func leavesToTheRunningGateway(why: String, target: String, credential: String?, step: String) throws {
        var configuration = try configuration()
        configuration.issuers = [
            TokenIssuer(name: "backend", algorithms: [.hs256], keys: [], keysAreNamed: true, keysAreRemote: true)
        ]
        let endpoint = try #require(RemoteURL("https://login.example.com/introspect/"))
        configuration.introspections = [
            Introspection(name: "legacy", endpoint: endpoint, clientID: "gatehouse", clientSecret: [1])
        ]
        let route = try Samples.route("/api/", accept: [.jwt, .opaque])
        configuration.routes = [
            Route(
                index: 0, methods: [], pattern: route.pattern, accept: route.accept, acceptsTicket: true)
        ]
        let token = credential == "jwt" ? try Samples.token() : "opaque"
        let lines = credential == nil ? [] : ["Authorization: Bearer \(token)"]
        let trace = DecisionTrace(
            DecisionTrace.Request(method: "GET", target: target, fieldLines: lines), configuration: configuration,
            keys: KeyTable([]), now: Samples.now)
        #expect(trace.outcome == .undecided(upstream: "agents") && trace.status == nil && trace.code == nil)
        #expect(trace.steps.contains { $0.contains("left to the running gateway: \(step)") }, "\(trace.steps)")
        #expect(trace.steps.last == "decision: left to the running gateway; if it agrees, forwarded to upstream agents")
    }

    @Test func stepsTellTheWholeWay() throws {
        let token = try Samples.token(["scope": .string("query")])
        let trace = try trace("POST /api//agents/%61/query", ["authorization: bearer \(token)"])
        #expect(trace.outcome == .forwarded(upstream: "agents"))
        #expect(trace.status == nil && trace.code == nil)
        let expected = [
            "request: POST for host localhost", "path: /api//agents/%61/query is /api/agents/a/query",
            "route: POST /api/agents/{agent_id}/query/ at , accept jwt api_key", "parameter: agent_id is a",
            "credential: a JWT by its form",
            "verification: token of jwt block backend for user 42, expires 2023-11-14T22:23:20Z",
            "authorization: passes", "decision: forwarded to upstream agents",
        ]
        #expect(trace.steps == expected)
    }

    @Test func theReasonOfAnInvalidTokenIsToldToTheOperator() throws {
        let forged = try SigningKey(secret: [UInt8](repeating: 1, count: 32), algorithm: .hs256)
            .sign(claims: ["user_id": .integer(1), "exp": .integer(Samples.now + 9)])
        let trace = try trace("GET /api/x", ["Authorization: Bearer \(forged)"])
        #expect(trace.status == 401 && trace.code == "token_invalid")
        #expect(trace.steps.contains { $0.hasPrefix("verification: no key for it") })
        let old = try Samples.token(expiresAt: Samples.now - 100)
        let expired = try self.trace("GET /api/x", ["Authorization: Bearer \(old)"])
        #expect(expired.steps.contains("verification: expired 2023-11-14T22:11:40Z"))
    }

    private static let app = CrossOrigin.Origin(scheme: "https://", host: "app.example.com", isWildcard: false)
    private static let own = "Origin: https://app.example.com"
    private static let asksPut = "Access-Control-Request-Method: PUT"

    @Test(arguments: [
        (
            [own, asksPut], 204,
            "pages of https://app.example.com may send PUT here, with authorization, content-type, x-page-id"
        ),
        (["Origin: https://evil.example", asksPut], 204, "its pages may not send the request"),
        ([own, own, asksPut], 204, "Origin stands there more than once: no page may send the request"),
        ([own], 405, "the path allows PUT"),
        ([own, "Access-Control-Request-Method: DELETE"], 405, "the path allows PUT"),
    ])
    func aPreflightIsAnsweredWhereTheRouteHasCORS(lines: [String], status: Int, step: String) throws {
        var configuration = Configuration()
        configuration.upstreams = [Upstream(name: "agents", servers: [])]
        var policies = RoutePolicies()
        policies.cors = CrossOrigin(origins: [Self.app], headers: ["x-page-id"])
        let route = try Samples.route("PUT /api/", 0)
        configuration.routes = [
            Route(index: 0, methods: route.methods, pattern: route.pattern, accept: route.accept, policies: policies)
        ]
        let trace = DecisionTrace(
            DecisionTrace.Request(method: "OPTIONS", target: "/api/x", fieldLines: lines), configuration: configuration,
            keys: KeyTable([]), now: Samples.now)
        #expect(trace.status == status)
        #expect(trace.steps.contains { $0.hasSuffix(step) }, "\(trace.steps)")
    }
}
