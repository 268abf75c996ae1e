import Testing

@testable import Configuration

struct BlockCheckTests {
    static let tls: [Row] = [
        Row(
            "a good block", "tls { certificate cert.pem file:key.pem; min_version 1.3; client_ca cert.pem required; }",
            [], why: "good"),
        Row(
            "nothing to present", "tls { min_version 1.2; }",
            ["1:1: error: 'tls' without 'certificate'; add 'certificate cert.pem file:key.pem;'"], why: "useless"),
        Row(
            "a key that belongs to another certificate", "tls { certificate cert.pem file:other.pem; }",
            [
                "1:28: error: certificate cert.pem: the private key file:other.pem does not belong to it; name the key that the certificate was made for"
            ], why: "style.md's sentence"),
        Row(
            "a key that others can read", "tls { certificate cert.pem file:open.key; }",
            ["1:28: error: others can read the secret 'open.key' (mode 644); run: chmod 600 open.key"],
            why: "gateway-conf.md"),
        Row(
            "a key by its bare name", "tls { certificate cert.pem key.pem; }",
            ["1:28: error: a secret is 'file:PATH' or 'env:NAME', never written inline; write 'file:key.pem'"],
            why: "gateway-conf.md"),
        Row(
            "missing files, a near miss first",
            "tls { certificate crt.pem file:no/key.pem; client_ca gone.pem optional; }",
            [
                "1:19: error: 'crt.pem' cannot be read: No such file or directory; did you mean 'cert.pem'?",
                "1:27: error: 'no/key.pem' cannot be read: No such file or directory; there is no folder 'no/'",
                "1:54: error: 'gone.pem' cannot be read: No such file or directory; names are relative to the folder of this file",
            ], why: "gateway-conf.md: a file that is missing"),
        Row(
            "versions and modes",
            "tls { certificate cert.pem file:key.pem; min_version 1.1; client_ca cert.pem maybe; }",
            [
                "1:54: error: unknown value '1.1'; did you mean '1.2'?",
                "1:78: error: unknown value 'maybe'; write 'optional' or 'required'",
            ], why: "threats.md: TLS 1.0 and 1.1 are off"),
        Row(
            "what is no certificate", "tls { certificate hs256.key file:key.pem; client_ca hs256.key required; }",
            [
                "1:19: error: certificate hs256.key: […]; name a PEM file",
                "1:53: error: client_ca hs256.key: […]; name a PEM file",
            ], why: "a file that cannot be read as what it should be"),
    ]

    static let jwt: [Row] = [
        Row(
            "good blocks",
            """
            jwt a { issuer https://a; audience x y; algorithms ES256; keys pem:public.pem; user_id_claim sub; leeway 0s;
                require token_type access; require scope a b; }
            jwt b { algorithms HS256; keys secret env:SECRET; }
            """, [], why: "good"),
        Row(
            "nothing listed, nothing to verify with", "jwt a { }",
            [
                "1:1: error: jwt without 'algorithms': nothing would be accepted; add 'algorithms RS256;' with what the issuer signs with",
                "1:1: error: jwt without 'keys': nothing could be verified; add 'keys jwks:file.json;', 'keys pem:public.pem;' or 'keys secret file:hs256.key;'",
            ], why: "no default: what is not listed is refused"),
        Row(
            "algorithms", "jwt a { algorithms none HS265 hs256 HS256 HS256 XX; keys secret file:hs256.key; }",
            [
                "1:20: error: algorithm 'none' would accept tokens that nobody signed; name what the issuer signs with: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA",
                "1:25: error: unknown algorithm 'HS265'; did you mean 'HS256'?",
                "1:31: error: unknown algorithm 'hs256'; did you mean 'HS256'?",
                "1:43: error: algorithm 'HS256' twice; remove one",
                "1:49: error: unknown algorithm 'XX'; there are HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA",
            ], why: "threats.md, tokens: none in any case"),
        Row(
            "secrets too short for their hash",
            "jwt a { algorithms HS512; keys secret file:hs256.key file:short.key; }",
            [
                "1:39: error: file:hs256.key: […]40 bytes[…]; run: openssl rand -base64 48, and give the issuer the same",
                "1:54: error: file:short.key: […]9 bytes[…]; run: openssl rand -base64 48, and give the issuer the same",
            ], why: "RFC 7518 §3.2"),
        Row(
            "secrets that are not there",
            "jwt a { algorithms HS256; keys secret env:SECRT env:EMPTY file:empty.key file:open.key; }",
            [
                "1:39: error: environment variable 'SECRT' is not set; did you mean 'SECRET'?",
                "1:49: error: environment variable 'EMPTY' is empty; set it before the start",
                "1:59: error: 'empty.key' is empty; put the secret there",
                "1:74: error: others can read the secret 'open.key' (mode 644); run: chmod 600 open.key",
            ], why: "gateway-conf.md"),
        Row(
            "a kind of key for another kind of algorithm",
            "jwt a { algorithms HS256 RS256; keys secret file:hs256.key; }\njwt b { algorithms HS256 ES256; keys pem:public.pem; }",
            [
                "1:26: error: a secret cannot verify RS256; use 'keys pem:…' or 'keys jwks:…', or remove it",
                "2:20: error: a public key cannot verify HS256, which needs a secret; use 'keys secret …', or remove it",
            ], why: "threats.md: HS256 signed with the public key"),
        Row(
            "an algorithm that no key can do", "jwt a { algorithms RS256 ES256; keys pem:public.pem; }",
            ["1:20: warning: no key of this block can verify RS256; add a key for it, or remove it"],
            why: "a doubt, no error"),
        Row(
            "a key for none of the algorithms", "jwt a { algorithms RS256; keys pem:public.pem pem:cert; }",
            [
                "1:32: error: pem:public.pem: […]; name a key for RS256",
                "1:47: error: 'cert' cannot be read: No such file or directory; names are relative to the folder of this file",
            ], why: "nothing would be accepted"),
        Row(
            "key sets",
            "jwt a { algorithms RS256; keys jwks:keys.json; }\njwt b { algorithms RS256; keys jwks:https://a/jwks.json; }\njwt c { algorithms RS256; keys jwks:http://a/; }\njwt d { algorithms RS256; keys jwks:cert.pem; }",
            [
                "1:32: warning: jwks:keys.json: key 1 […]",
                "1:32: error: jwks:keys.json: no key in it can be used; add a key for RS256",
                "3:32: error: keys that come unencrypted can be anybody's; write 'jwks:https:…'",
                "4:32: error: jwks:cert.pem: […]; the file has to be a JWK Set (RFC 7517 §5) with a key for these algorithms",
            ], why: "contract.md, Credentials"),
        Row(
            "what are no keys",
            "jwt a { algorithms HS256; keys file:hs256.key; }\njwt b { algorithms HS256; keys secret; }\njwt c { algorithms HS256; keys secrt file:x; }\njwt d { algorithms ES256; keys pem:public.pem jwks:keys.json; }",
            [
                "1:32: error: these are no keys; write 'secret file:hs256.key', or 'pem:' or 'jwks:' for public keys",
                "2:32: error: 'keys secret' names none; write 'keys secret file:hs256.key;'",
                "3:32: error: these are no keys; did you mean 'secret'?",
                "4:47: error: 'jwks:keys.json' beside a 'pem:'; one kind of key to a jwt block: make a second block for this",
            ], why: "the way out"),
        Row(
            "discovery and names",
            "jwt a/b { discover https://x; algorithms HS256; keys secret file:hs256.key; }\njwt local { algorithms HS256; keys secret file:hs256.key; leeway 30; }",
            [
                "1:5: error: 'a/b' is no name for a 'jwt' block; write letters, digits, '-', '_' and '.'",
                "1:42: error: a public key cannot verify HS256, which needs a secret; use 'keys secret …', or remove it",
                "1:49: error: 'keys' beside 'discover', whose metadata names it; keep one of the two",
                "2:66: error: '30' has no unit; write '30s' for seconds; units are ms, s, m, h and d",
                "4:5: error: a second jwt block 'local'; give it another name: the first is at gateway.conf:2:5",
            ], why: "an unknown name, a duplicate"),
    ]

    static let upstreams: [Row] = [
        Row(
            "an upstream that nobody uses", "upstream a { server 127.0.0.1:1; }",
            ["1:10: warning: no route uses upstream 'a'; remove it, or name it in a route"], why: "a doubt"),
        Row(
            "without a server", "upstream a { keepalive 1; }",
            ["1:1: error: upstream without 'server'; add 'server 127.0.0.1:9000;'"], why: "nowhere to go"),
        Row(
            "servers",
            "upstream a {\nserver 127.0.0.1:1 weight=0;\nserver 127.0.0.1:2 wieght=1;\nserver 127.0.0.1:3 h2c;\nserver http://a:80/x;\nserver https://b:443;\nserver 127.0.0.1:4;\nserver 127.0.0.1:4 weight=2;\nserver a b c d;\ntls on;\n}",
            [
                "2:20: error: '0' is no weight; write 'weight=1' up to 'weight=1000'",
                "3:20: error: unknown option 'wieght=1' of server; did you mean 'weight'?",
                "4:20: error: 'h2c' is cleartext, and this upstream has 'tls on;'; remove 'h2c': over TLS the server chooses HTTP/2 by ALPN",
                "5:8: error: 'http://a:80/x' is a URL, not an address; write 'a:80'",
                "6:8: error: 'https://b:443' is a URL, not an address; write 'b:443' and 'tls on;'",
                "8:8: error: server '127.0.0.1:4' twice in upstream; remove one; 'weight=2' doubles its share",
                "9:14: error: 'server' takes no more than 3 values; write 'server 127.0.0.1:9000 weight=1;'",
            ], why: "exact, with the way out"),
        Row(
            "balancing",
            "upstream a { server a:1; balance least_conn; }\nupstream b { server a:1; balance hash; }\nupstream c { server a:1; balance hash X(Y; }\nupstream d { server a:1; balance round_robin x; }",
            [
                "1:34: error: unknown value 'least_conn'; did you mean 'least_request'?",
                "2:34: error: 'hash' needs a header name; write 'balance hash X-User-Id;'",
                "3:39: error: 'X(Y' is no header name; write 'balance hash X-User-Id;'",
                "4:46: error: only 'hash' takes a header name; remove it",
            ], why: "an unknown name"),
        Row(
            "health checks by name",
            "upstream a { server a:1; health_check GET / every 5s host; }\nupstream b { server a:1; health_check GET / every 5s host a/b; }\nupstream c { server a:1; health_check GET / every 5s name a; }",
            [
                "1:54: error: 'host' needs the name that servers are asked by; write it like 'host api.example.com'",
                "2:59: error: 'host' needs the name that servers are asked by; write it like 'host api.example.com'",
                "3:54: error: unknown value 'name'; write 'host'",
            ], why: "a Host that no backend would take"),
        Row(
            "health checks", "upstream a { server a:1; health_check POST healthz ever 5; }",
            [
                "1:39: error: unknown value 'POST'; write 'GET' or 'HEAD'",
                "1:44: error: 'healthz' is no path; write it like /healthz, in visible ASCII",
                "1:52: error: unknown value 'ever'; did you mean 'every'?",
                "1:57: error: '5' has no unit; write '5s' for seconds; units are ms, s, m, h and d",
            ], why: "all of them"),
        Row(
            "TLS to the servers",
            "upstream a { server a:1; ca cert.pem; tls_name a; }\nupstream b { server a:1; tls on; ca key.pem; tls_name a/b; }",
            [
                "1:26: error: 'ca' without 'tls on;'; add 'tls on;', or remove this",
                "1:39: error: 'tls_name' without 'tls on;'; add 'tls on;', or remove this",
                "2:37: error: ca key.pem: […]; name a PEM file",
                "2:55: error: 'a/b' is no host name; write what the certificate is for",
            ], why: "they would be ignored"),
        Row(
            "names", "upstream agents { server a:1; }",
            ["4:10: error: a second upstream 'agents'; give it another name: the first is at gateway.conf:1:10"],
            why: "a duplicate"),
    ]

    @Test("blocks are checked", arguments: tls + jwt + upstreams)
    func check(row: Row) {
        let workspace = Workspace()
        let environment = ["SECRET": Fixtures.secret, "EMPTY": ""]
        let found = workspace.findings(row.config + Row.rest, environment: environment)
        #expect(Row.meets(found, row.findings), "\(found): \(row.why)")
    }

    @Test("an expired certificate is a warning: the others go on")
    func expired() {
        #expect(
            Workspace().findings("tls { certificate cert.pem file:key.pem; }" + Row.rest, now: 7_000_000_000) == [
                "1:19: warning: certificate cert.pem: it expired at 2126-11-01T04:50:34Z; renew it: clients refuse it"
            ])
    }

    @Test("the line feed that an editor adds is no part of a secret, the bytes of a binary one are")
    func lineEnd() {
        let rows: [(secret: String, kept: String)] = [
            ("abc", "abc"), ("abc\n", "abc"), ("abc\r\n", "abc"), ("abc\n\n", "abc\n\n"), ("a\u{1}c\n", "a\u{1}c\n"),
            ("\n", ""),
        ]
        for row in rows { #expect(KeyLoader.withoutLineEnd(Array(row.secret.utf8)) == Array(row.kept.utf8)) }
    }
}
