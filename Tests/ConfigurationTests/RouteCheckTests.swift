import Testing

@testable import Configuration

struct RouteCheckTests {
    static let structure: [Row] = [
        Row("a good route", "route GET POST /a/{id}/ { accept jwt; upstream agents; }", [], why: "the documented form"),
        Row(
            "a route without accept", "route /a/ { upstream agents; }",
            [
                "1:1: error: route without 'accept'; add 'accept jwt;' or 'accept api_key;', or 'accept none;' to make it public"
            ], why: "nothing is public by omission"),
        Row(
            "a route without an upstream", "route /a/ { accept jwt; }",
            ["1:1: error: route without 'upstream'; add 'upstream NAME;'"], why: "nowhere to go"),
        Row(
            "a route without a block", "route /a/;",
            ["1:10: error: 'route' has no block; write 'route [METHOD …] /path/ { … }'"],
            why: "nginx's grammar"),
        Row(
            "a misspelt directive is one error", "route /a/ {\n    acept jwt;\n    upstream agents;\n}",
            ["2:5: error: unknown directive 'acept' in route; did you mean 'accept'?"], why: "gateway-conf.md's example"
        ),
        Row(
            "every error, not only the first", "route /a/ { acept jwt; upstream agent; max_body 1x; }",
            [
                "1:13: error: unknown directive 'acept' in route; did you mean 'accept'?",
                "1:33: error: no upstream is called 'agent'; did you mean 'agents'?",
                "1:49: error: '1x' is no size; write it like 64k, 10m or 500",
            ], why: "issue 2 part 4"),
        Row(
            "no upstream of that name at all", "route /a/ { accept jwt; upstream else; }",
            ["1:34: error: no upstream is called 'else'; there is agents"], why: "an unknown name"),
        Row(
            "a directive of another block", "route /a/ { accept jwt; upstream agents; server x; }",
            ["1:42: error: unknown directive 'server' in route; it belongs in a 'upstream' block"], why: "the way out"),
        Row(
            "a forgotten ';' is found, and what it swallowed is read", "route /a/ { accept jwt\n upstream agents; }",
            ["1:20: error: no ';' after 'jwt'; write 'jwt;'"], why: "else: unknown credential 'upstream'"),
        Row(
            "a value too many", "route /a/ { accept jwt; upstream agents b; }",
            ["1:41: error: 'upstream' takes no more than one value; write 'upstream NAME;'"], why: "never ignored"),
        Row(
            "a value too few", "route /a/ { accept jwt; upstream agents; require scope; }",
            ["1:42: error: 'require' needs another value; write 'require scope query;'"], why: "require with no values"),
    ]

    static let reports: [Row] = [
        Row(
            "a scope check under a slightly wrong name", "route /a/ { accept jwt; upstream agents; requires scope x; }",
            ["1:42: error: unknown directive 'requires' in route; did you mean 'require'?"], why: "reports.md row 42"),
        Row(
            "a scope check under another name", "route /a/ { accept jwt; upstream agents; scopes x; }",
            ["1:42: error: unknown directive 'scopes' in route; did you mean 'require'?"], why: "reports.md row 42"),
        Row(
            "a second, contradicting accept", "route /a/ {\n accept none;\n accept jwt;\n upstream agents; }",
            ["3:2: error: 'accept' twice in route; keep one: the first is on line 2"], why: "reports.md row 42"),
        Row(
            "opaque tokens without anybody to ask", "route /a/ { accept jwt opaque; upstream agents; }",
            [
                "1:24: error: 'accept opaque', but nothing here asks about such tokens; add 'introspection NAME { endpoint https://…; client NAME file:secret; }'"
            ], why: "nobody would pass"),
    ]

    static let streams: [Row] = [
        Row(
            "what streams may be told",
            "route /a/ { accept jwt; upstream agents; stream_keepalive 15s; stream_grace 5m; websocket off; }", [],
            why: "gateway-conf.md"),
        Row(
            "times that make no sense",
            "route /a/ { accept jwt; upstream agents; stream_keepalive 100ms; stream_grace 5; }",
            [
                "1:59: error: '100ms' is out of range; write something from 1s to 1h",
                "1:79: error: '5' has no unit; write '5s' for seconds; units are ms, s, m, h and d",
            ], why: "a comment ten times a second, a time without its unit"),
        Row(
            "a ticket that nobody gives", "route /a/ { accept jwt; upstream agents; accept_query token; }",
            [
                "1:55: error: 'accept_query token' without an 'identity' block, which gives the tickets; add 'identity /api/auth/ { sign HS256 file:data/signing.key; }', or remove this"
            ], why: "only the gateway's own tickets may stand in a query"),
        Row(
            "something else in the query", "route /a/ { accept jwt; upstream agents; accept_query jwt; }",
            ["1:55: error: unknown value 'jwt'; write 'token'"], why: "a JWT in a query ends in logs"),
    ]

    static let credentials: [Row] = [
        Row("public", "route /a/ { accept none; upstream agents; websocket off; }", [], why: "said aloud"),
        Row(
            "none beside others", "route /a/ { accept none jwt; upstream agents; }",
            [
                "1:20: error: 'accept none' beside other credentials; write 'accept none;' alone for a public route, or remove 'none'"
            ], why: "it would be public"),
        Row(
            "unknown credentials", "route /a/ { accept jwtt key x-y; upstream agents; }",
            [
                "1:20: error: unknown credential 'jwtt'; did you mean 'jwt'?",
                "1:25: error: unknown credential 'key'; did you mean 'api_key'?",
                "1:29: error: unknown credential 'x-y'; there are 'jwt', 'api_key', 'opaque' and 'none'",
            ], why: "an unknown name"),
        Row(
            "the same credential twice", "route /a/ { accept jwt jwt; upstream agents; }",
            ["1:24: error: 'jwt' twice in accept; remove one"], why: "something else was meant"),
        Row(
            "requirements on a public route",
            "route /a/{x}/ { accept none; require scope a; agent {x}; upstream agents; }",
            [
                "1:30: error: 'require' on a public route: nobody is known there; remove it, or accept a credential",
                "1:47: error: 'agent' on a public route: nobody is known there; remove it, or accept a credential",
            ], why: "they would be ignored"),
        Row(
            "api_key on an agent's path without agent", "route /a/{agent_id}/ { accept jwt api_key; upstream agents; }",
            [
                "1:35: error: 'accept api_key' with {agent_id} in the path but no 'agent': a key would open every agent's; add 'agent {agent_id};'"
            ], why: "gateway-conf.md"),
        Row(
            "api_key bound to its agent", "route /a/{agent_id}/ { accept api_key; agent {agent_id}; upstream agents; }",
            [],
            why: "the documented form"),
        Row(
            "agent names no parameter", "route /a/{agent_id}/ { accept api_key; agent {agentid}; upstream agents; }",
            ["1:46: error: the path has no parameter '{agentid}'; did you mean '{agent_id}'?"], why: "an unknown name"),
        Row(
            "agent without braces", "route /a/{agent_id}/ { accept api_key; agent agent_id; upstream agents; }",
            ["1:46: error: 'agent' takes a parameter of the path; did you mean '{agent_id}'?"], why: "a near miss"),
        Row(
            "agent without a parameter in the path", "route /a/ { accept api_key; agent {x}; upstream agents; }",
            ["1:35: error: the path has no parameter '{x}'; write a path like /api/agents/{agent_id}/"], why: "no guess"
        ),
        Row(
            "values of a claim that cannot be",
            "route /a/ { accept jwt; require scope a a \"b c\" \"\"; upstream agents; }",
            [
                "1:41: error: 'a' twice; remove one",
                "1:43: error: 'b c' has a blank or a control character; write each value as a word of its own",
                "1:49: error: an empty value; write the claim, then the values it may have",
            ], why: "a scope is a word"),
    ]

    static let matching: [Row] = [
        Row(
            "methods", "route get PSOT POST POST BREW CONNECT /a/ { accept jwt; upstream agents; }",
            [
                "1:7: error: unknown method 'get'; methods are in upper case: write 'GET'",
                "1:11: error: unknown method 'PSOT'; did you mean 'POST'?",
                "1:21: error: method 'POST' twice in route; remove one",
                "1:26: error: unknown method 'BREW'; name none to cover every method",
                "1:31: error: unknown method 'CONNECT'; name none to cover every method",
            ], why: "methods are case-sensitive, RFC 9110 §9.1"),
        Row(
            "no path", "route POST { accept jwt; upstream agents; }",
            ["1:7: error: route without a path; write 'route POST /path/ { … }'"], why: "a method alone"),
        Row(
            "two paths", "route /a/ /b/ { accept jwt; upstream agents; }",
            ["1:7: error: a second path in a route; write a route for each, or 'include' what they share"], why: "one"),
        Row(
            "a path that no request can have", "route /a/%2F/ { accept jwt; upstream agents; }",
            ["1:7: error: '%2F' in a path pattern: such a request is refused"], why: "PathPatternTests has the others"),
        Row(
            "two routes that tie",
            "route /a/{x}/ { accept jwt; upstream agents; }\nroute /a/{y}/ { accept none; upstream agents; }",
            [
                "2:7: error: route '/a/{y}/' ties with the one at gateway.conf:1:7; give them different methods or paths, or join them"
            ], why: "gateway-conf.md"),
        Row(
            "two routes that tie for one method",
            "route GET POST /a { accept jwt; upstream agents; }\nroute POST /a { accept none; upstream agents; }",
            [
                "2:12: error: route '/a' ties with the one at gateway.conf:1:16 for POST; give them different methods or paths, or join them"
            ], why: "gateway-conf.md"),
        Row(
            "routes that differ in method, final slash, literal or host",
            """
            route GET /a { accept jwt; upstream agents; } route POST /a { accept jwt; upstream agents; }
            route GET /a/ { accept jwt; upstream agents; } route GET /{x} { accept jwt; upstream agents; }
            host a.example.com { route GET /a { accept jwt; upstream agents; } }
            host b.example.com { route GET /a { accept jwt; upstream agents; } }
            """, [], why: "the more specific wins"),
        Row(
            "the same host in another case, in two blocks",
            """
            host a.example.com { route /a { accept jwt; upstream agents; } }
            host A.example.com { route /a { accept jwt; upstream agents; } }
            """,
            [
                "2:28: error: route '/a' ties with the one at gateway.conf:1:28; give them different methods or paths, or join them"
            ], why: "hosts are case-insensitive"),
        Row(
            "hosts", "host a.example.com:443 { }\nhost *.example.com { }\nhost x { listen y; }",
            [
                "1:6: error: 'a.example.com:443' is no host name; write 'a.example.com': the port does not matter",
                "2:6: error: '*.example.com' is no host name; write one like api.example.com, without wildcards",
                "3:10: error: unknown directive 'listen' in host; it belongs at the top level",
            ], why: "what cannot match"),
    ]

    @Test("routes are checked", arguments: structure + reports + streams + credentials + matching)
    func check(row: Row) {
        let workspace = Workspace()
        let found = workspace.findings(row.config + Row.rest)
        #expect(Row.meets(found, row.findings), "\(found): \(row.why)")
    }

    @Test("accept jwt needs somebody who verifies tokens")
    func nobodyVerifies() {
        let config = """
            listen 127.0.0.1:8081 plain;
            upstream agents { server 127.0.0.1:9000; }
            route / { accept jwt; upstream agents; }
            """
        #expect(
            Workspace().findings(config) == [
                "3:18: error: 'accept jwt', but nothing here verifies tokens; add 'identity /api/auth/ { sign …; }' or 'jwt NAME { algorithms …; keys …; }'"
            ])
    }
}
