import Testing

@testable import Configuration

struct InjectionCheckTests {
    /// The header's name begins in column 49.
    private static func route(_ name: String, _ directives: String, _ findings: [String], why: String) -> Row {
        Row(name, "route /a/ { accept jwt; upstream agents; \(directives) }", findings, why: why)
    }

    private static let long = String(repeating: "X", count: 64)

    static let rows: [Row] = [
        route(
            "good injections", "inject X-Tenant claim tenant_id; inject X-Role claim https://example.com/role;", [],
            why: "claims may be URLs"),
        route("a name as long as can be", "inject \(long) claim a;", [], why: "64 bytes"),
        route(
            "without 'claim'", "inject X-Tenant tenant_id;",
            ["1:42: error: 'inject' needs another value; write 'inject X-Tenant claim tenant_id;'"], why: "the form"),
        route(
            "a word too many", "inject X-Tenant claim tenant_id x;",
            ["1:74: error: 'inject' takes no more than 3 values; write 'inject X-Tenant claim tenant_id;'"],
            why: "never ignored"),
        route(
            "another source", "inject X-T header t; inject X-S Claim s;",
            [
                "1:53: error: unknown source 'header'; write 'inject X-T claim t;'",
                "1:74: error: unknown source 'Claim'; write 'inject X-S claim s;'",
            ], why: "an unknown name"),
        route(
            "names that are none", "inject \"X T\" claim t; inject X-T: claim t; inject \"\" claim t;",
            [
                "1:49: error: 'X T' is no header name; write one like X-Tenant",
                "1:71: error: 'X-T:' is no header name; write one like X-Tenant",
                "1:92: error: '' is no header name; write one like X-Tenant",
            ], why: "RFC 9110 §5.1"),
        route(
            "one header twice", "inject X-T claim a; inject X-T claim a; inject x_t claim b;",
            [
                "1:69: error: 'X-T' twice in inject; remove one", "1:89: error: 'x_t' twice in inject; remove one",
            ], why: "applications behind CGI's rules see one name"),
        route(
            "an empty claim", "inject X-Tenant claim \"\";",
            ["1:64: error: an empty claim; name a claim of the token"], why: "no token has it"),
        Row(
            "where nobody is known", "route /a/ { accept none; upstream agents; inject X-Tenant claim a; }",
            [
                "1:43: error: 'inject' on a public route: nobody is known there; remove it, or accept a credential"
            ], why: "it would be ignored"),
        route(
            "other names for it", "header X-A claim a; proxy_set_header X-A b;",
            [
                "1:42: error: unknown directive 'header' in route; did you mean 'inject'?",
                "1:62: error: unknown directive 'proxy_set_header' in route; did you mean 'inject'?",
            ], why: "the way out"),
    ]

    @Test("claims as headers are checked", arguments: rows)
    func check(row: Row) {
        let found = Workspace().findings(row.config + Row.rest)
        #expect(Row.meets(found, row.findings), "\(found): \(row.why)")
    }

    @Test(
        "what frames or routes a request, or says who asks, is no claim's",
        arguments: [
            ("X-User-Id", "the identity"), ("x-agent-id", "the identity"), ("X-API-KEY-ID", "in any case"),
            ("X_User_Id", "as CGI spells it"), ("X.User.Id", "in another spelling"), ("x_api_key_id", "likewise"),
            ("Authorization", "a credential"), ("authorization", "in any case"), ("Cookie", "a credential"),
            ("Proxy-Authorization", "a credential of a hop"), ("Host", "routes"), ("Content-Length", "frames"),
            ("Content_Length", "as CGI spells it"), ("Transfer-Encoding", "frames"), ("Connection", "one hop"),
            ("Keep-Alive", "one hop"), ("TE", "one hop"), ("Trailer", "one hop"), ("Upgrade", "one hop"),
            ("Expect", "frames"), ("X-Forwarded-For", "the way of the request"), ("X-Forwarded-Proto", "likewise"),
            ("Forwarded", "likewise"), ("X-Real-IP", "likewise"), ("x_forwarded_host", "as CGI spells it"),
            ("X-Request-Id", "the gateway's own"), ("Date", "the gateway's own"),
        ])
    func forbidden(header: String, why: String) {
        let row = Self.route(
            header, "inject \(header) claim a;",
            [
                "1:49: error: '\(header)' cannot be injected: it has a meaning of its own, for the request or for the gateway; choose another name, like X-Tenant"
            ], why: why)
        let found = Workspace().findings(row.config + Row.rest)
        #expect(Row.meets(found, row.findings), "\(found): \(why)")
    }
}
