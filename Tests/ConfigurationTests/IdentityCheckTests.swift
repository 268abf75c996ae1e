import JOSE
import Testing

@testable import Configuration

@Suite struct IdentityCheckTests {
    private static let question = "owner_check agents GET /api/agents/{agent_id}/;"

    private static let rows = [
        Row(
            "everything",
            """
            identity /api/auth/ { sign HS256 file:hs256.key; sign ES256 file:key.pem; issuer https://a; audience b;
            access_ttl 15m; refresh_ttl 30d; rotate_refresh on; refresh_overlap 0s; cookies on; }
            api_keys /api/agents/{agent_id}/api-keys/ { prefix gk-; owner_check agents HEAD /a/{agent_id}; }
            console /console/;
            route POST /api/auth/legacy/logout/ { accept jwt; upstream agents; revokes session; }
            """, [], why: "gateway-conf.md"),
        Row(
            "no key", "identity /api/auth/ { issuer a; }",
            ["1:1: error: identity without 'sign': nothing could be issued; add 'sign HS256 file:data/signing.key;'"],
            why: "tokens are signed"),
        Row(
            "a misspelt sign", "identity /api/auth/ { sing HS256 file:hs256.key; }",
            ["1:23: error: unknown directive 'sing' in identity; did you mean 'sign'?"],
            why: "one message for one mistake"),
        Row(
            "a key that is too short", "identity /api/auth/ { sign HS256 file:short.key; }",
            [
                "1:34: error: file:short.key: the secret has 9 bytes; HS256 needs at least 32; make one: (umask 077 && openssl rand -base64 48 | tr -d '\\n' > signing.key)"
            ], why: "RFC 7518 §3.2"),
        Row(
            "a key that others can read", "identity /api/auth/ { sign HS256 file:open.key; }",
            ["1:34: error: others can read the secret 'open.key' (mode 644); run: chmod 600 open.key"],
            why: "secrets are private"),
        Row(
            "a key that is missing", "identity /api/auth/ { sign HS256 file:hs265.key; }",
            ["1:34: error: 'hs265.key' cannot be read: No such file or directory; did you mean 'hs256.key'?"],
            why: "the way out"),
        Row(
            "a key in the file itself", "identity /api/auth/ { sign HS256 hunter2hunter2; }",
            [
                "1:34: error: a secret is 'file:PATH' or 'env:NAME', never written inline; move it to a file that only you can read"
            ], why: "gateway-conf.md"),
        Row(
            "a key of another kind", "identity /api/auth/ { sign RS256 file:key.pem; }",
            [
                "1:34: error: file:key.pem: it is a key on P-256, which none of the algorithms can use; make one: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out private.pem"
            ], why: "the key decides the algorithm"),
        Row(
            "an unknown algorithm", "identity /api/auth/ { sign HS255 file:hs256.key; }",
            ["1:28: error: unknown algorithm 'HS255'; did you mean 'HS256'?"], why: "a slip"),
        Row(
            "one key twice", "identity /api/auth/ { sign HS256 file:hs256.key; sign HS256 file:hs256.key; }",
            [
                "1:61: error: the same key twice in identity; remove one; a second 'sign' is a key that is being rotated out"
            ], why: "a slip"),
        Row(
            "times", "identity /api/auth/ { sign HS256 file:hs256.key; access_ttl 1500ms; refresh_ttl 400d; }",
            [
                "1:61: error: '1500ms' is not whole seconds, which tokens count in; write '2s'",
                "1:81: error: '400d' is out of range; write something from 1s to 365d",
            ], why: "NumericDate counts seconds"),
        Row(
            "a refresh token that is over first",
            "identity /api/auth/ { sign HS256 file:hs256.key; access_ttl 1h; refresh_ttl 5m; }",
            [
                "1:50: error: a refresh token would expire before the access token that it renews; make refresh_ttl at least as long as access_ttl"
            ], why: "nobody could refresh"),
        Row(
            "paths",
            """
            identity /api/{x}/ { sign HS256 file:hs256.key; }
            api_keys /api/keys { \(question) }
            """,
            [
                "1:10: error: 'identity' takes a path without parameters; write it like /api/auth/",
                "2:10: error: '/api/keys' does not end in '/'; write '/api/keys/'",
            ], why: "where the gateway serves"),
        Row(
            "no agent in the path", "api_keys /api/keys/ { owner_check agents GET /api/{agent}/; }",
            [
                "1:10: error: the path does not say which agent; write it like /api/agents/{agent_id}/api-keys/",
                "1:46: error: the path does not say which agent; write it like /api/agents/{agent_id}/",
            ], why: "gateway-conf.md"),
        Row(
            "no owner check", "api_keys /a/{agent_id}/ { prefix x_; }",
            [
                "1:1: error: api_keys without 'owner_check': nobody could tell whose agent it is; add 'owner_check UPSTREAM GET /api/agents/{agent_id}/;'"
            ], why: "anybody could make a key for any agent"),
        Row(
            "an owner check that cannot be asked",
            "api_keys /a/{agent_id}/ { owner_check agnts POST /b/{agent_id}/{c}/; }",
            [
                "1:39: error: no upstream is called 'agnts'; did you mean 'agents'?",
                "1:45: error: unknown value 'POST'; write 'GET' or 'HEAD'",
                "1:50: error: a parameter beside {agent_id}; write it like /api/agents/{agent_id}/",
            ], why: "a question changes nothing"),
        Row(
            "two prefixes", "key_prefix a_;\napi_keys /a/{agent_id}/ { prefix b_; \(question) }",
            ["2:34: error: 'prefix' beside 'key_prefix'; keep one: the other is on line 1"], why: "which counts?"),
        Row(
            "a page without anything behind it", "console /console/;",
            [
                "1:1: error: 'console' without 'identity': the page would have nothing to talk to; add 'identity /api/auth/ { … }', or remove this",
                "1:1: error: 'console' without 'api_keys': the page would have nothing to talk to; add 'api_keys /api/agents/{agent_id}/api-keys/ { … }', or remove this",
            ], why: "the page logs in and manages keys"),
        Row(
            "one path below another",
            """
            identity /api/auth/ { sign HS256 file:hs256.key; }
            api_keys /k/{agent_id}/ { \(question) }
            console /api/auth/page/;
            """,
            ["3:9: error: 'console' and 'identity' share the path '/api/auth/page/'; give each a path of its own"],
            why: "which of them answers?"),
        Row(
            "a logout without tokens", "route /x/ { accept api_key; upstream agents; revokes session; }",
            ["1:54: error: 'revokes session' on a route that takes no token; add 'accept jwt;'"], why: "no session"),
        Row(
            "services that may ask",
            "identity /api/auth/ { sign HS256 file:hs256.key; client a file:hs256.key; client a file:hs256.key; client a:b file:hs256.key; }",
            [
                "1:82: error: client 'a' twice in identity; remove one",
                "1:107: error: 'a:b' is no name for a client; write 1 to 128 visible ASCII characters without ':'",
            ], why: "RFC 7617 §2: the first colon ends the name"),
    ]

    @Test("identity, api_keys and console are checked", arguments: rows)
    func check(row: Row) {
        let found = Workspace().findings(row.config + Row.rest)
        #expect(Row.meets(found, row.findings), "\(found): \(row.why)")
    }

    @Test("what an identity block means")
    func meaning() throws {
        let config = """
            listen 127.0.0.1:8081 plain;
            identity /auth/ { sign ES256 file:key.pem; issuer https://a; audience b; access_ttl 2m; }
            upstream agents { server 127.0.0.1:9000; }
            route / { accept jwt; upstream agents; }
            """
        let configuration = try Workspace().load(config).get()
        let identity = try #require(configuration.identity)
        #expect(identity.accessTTL == 120 && identity.refreshTTL == 604_800 && identity.refreshOverlap == 10)
        #expect(!identity.rotatesRefresh && !identity.usesCookies)
        let issuer = try #require(configuration.issuers.last)
        #expect(issuer.name == "identity" && issuer.issuer == "https://a" && issuer.audience == ["b"])
        #expect(issuer.leeway == 0 && issuer.keysAreNamed)
        #expect(issuer.requirements == [ClaimRequirement(claim: "token_type", values: ["access"])])
        #expect(configuration.store != nil, "sessions are kept")
        #expect(configuration.signing.map(\.issuer) == ["identity"])
    }
}
