import Testing

@testable import Configuration

/// Whom the gateway asks: keys by URL, `introspection`, and what `resource` says of others.
struct RemoteCheckTests {
    private static let isUnencrypted = "over unencrypted http: anybody on the way could answer; write 'https://…'"
    private static let likeURL = "write one like https://login.example.com/path"
    private static let notFetched =
        "without keys that are fetched; write 'discover https://…;' or 'keys jwks:https://…;', or remove it"

    static let keys: [Row] = [
        Row(
            "good blocks",
            """
            jwt a { discover https://l.example; audience x; algorithms RS256; refresh 60s; stale 0s; ca cert.pem; }
            jwt b { issuer x; algorithms RS256 ES256; keys jwks:https://l.example:8443/k?x=1; refresh 1d; stale 30d; }
            """, [], why: "the documented forms, the bounds"),
        Row(
            "a URL that anybody can answer", "jwt a { discover http://l.example; algorithms RS256; }",
            ["1:18: error: 'discover' \(isUnencrypted)"], why: "keys decide who comes in"),
        Row(
            "what is no URL",
            "jwt a { discover l.example; algorithms RS256; }\njwt b { discover https://l.example#x; algorithms RS256; }\njwt c { keys jwks:https://; algorithms RS256; }\njwt d { keys jwks:https:l/k; algorithms RS256; }",
            [
                "1:18: error: 'l.example' is no URL for 'discover'; \(likeURL)",
                "2:18: error: 'https://l.example#x' is no URL for 'discover'; \(likeURL)",
                "3:14: error: 'https://' is no URL for 'keys'; \(likeURL)",
                "4:14: error: 'https:l/k' is no URL for 'keys'; \(likeURL)",
            ], why: "nothing could be fetched"),
        Row(
            "ports that are none",
            "jwt a { discover https://l:0; algorithms RS256; }\njwt b { discover https://l:65536; algorithms RS256; }\njwt c { discover https://l:; algorithms RS256; }",
            [
                "1:18: error: 'https://l:0' is no URL for 'discover'; \(likeURL)",
                "2:18: error: 'https://l:65536' is no URL for 'discover'; \(likeURL)",
                "3:18: error: 'https://l:' is no URL for 'discover'; \(likeURL)",
            ], why: "nothing could be fetched"),
        Row(
            "an issuer with a query", "jwt a { discover https://l.example?x; algorithms RS256; }",
            ["1:18: error: an issuer has no query; remove what begins with '?'"], why: "RFC 8414 §2"),
        Row(
            "what the metadata name",
            "jwt a { issuer https://l; keys jwks:https://l/k; discover https://l; algorithms RS256; }",
            [
                "1:9: error: 'issuer' beside 'discover', whose metadata names it; keep one of the two",
                "1:27: error: 'keys' beside 'discover', whose metadata names it; keep one of the two",
            ], why: "which counts?"),
        Row(
            "a secret's algorithm",
            "jwt a { discover https://l; algorithms HS256 RS256; }\njwt b { keys jwks:https://l/k; algorithms HS512; }",
            [
                "1:40: error: a public key cannot verify HS256, which needs a secret; use 'keys secret …', or remove it",
                "2:43: error: a public key cannot verify HS512, which needs a secret; use 'keys secret …', or remove it",
            ], why: "threats.md: HS256 signed with the public key"),
        Row(
            "without algorithms", "jwt a { discover https://l; }",
            [
                "1:1: error: jwt without 'algorithms': nothing would be accepted; add 'algorithms RS256;' with what the issuer signs with"
            ], why: "no default: what is not listed is refused"),
        Row(
            "times",
            "jwt a { discover https://l; algorithms RS256; refresh 59s; stale 31d; }\njwt b { discover https://l; algorithms RS256; refresh 600; stale x; }",
            [
                "1:55: error: '59s' is out of range; write something from 1m to 1d",
                "1:66: error: '31d' is out of range; write something from 0s to 30d",
                "2:55: error: '600' has no unit; write '600s' for seconds; units are ms, s, m, h and d",
                "2:66: error: 'x' is no time; write it like 500ms, 30s, 5m, 1h or 7d",
            ], why: "bounds have bounds"),
        Row(
            "authorities",
            "jwt a { discover https://l; algorithms RS256; ca crt.pem; }\njwt b { discover https://l; algorithms RS256; ca key.pem; }",
            [
                "1:50: error: 'crt.pem' cannot be read: No such file or directory; did you mean 'cert.pem'?",
                "2:50: error: ca key.pem: […]; name a PEM file",
            ], why: "whom to believe"),
        Row(
            "where nothing is fetched",
            "jwt a { keys secret file:hs256.key; algorithms HS256; refresh 5m; stale 1h; ca cert.pem; }",
            [
                "1:55: error: 'refresh' \(notFetched)", "1:67: error: 'stale' \(notFetched)",
                "1:77: error: 'ca' \(notFetched)",
            ], why: "they would be ignored"),
        Row(
            "one mistake in the URL is one message",
            "jwt a { discover http://l; algorithms RS256; refresh 1s; ca gone.pem; }\njwt b { keys jwks:https://; algorithms RS256; stale 1x; }",
            ["1:18: error: 'discover' \(isUnencrypted)", "2:14: error: 'https://' is no URL for 'keys'; \(likeURL)"],
            why: "what fetching is told is looked at when there is something to fetch"),
        Row(
            "two kinds of keys",
            "jwt a { keys jwks:https://l/k jwks:https://m/k; algorithms RS256; }\njwt b { keys https://l/k; algorithms RS256; }",
            [
                "1:31: error: 'jwks:https://m/k' beside a 'jwks:'; one kind of key to a jwt block: make a second block for this",
                "2:14: error: these are no keys; write 'jwks:https://l/k'",
            ], why: "the way out"),
    ]

    /// `introspection a {` and good lines but for those that are given.
    private static func block(
        endpoint: String = "https://l/i", client: String = "gw file:hs256.key", _ rest: String = ""
    )
        -> String
    {
        "introspection a {\nendpoint \(endpoint);\nclient \(client);\n\(rest) }"
    }

    static let introspection: [Row] = [
        Row(
            "good blocks",
            block("cache 1h; max_lookups 64; user_id_claim sub username; ca cert.pem;")
                + "\nintrospection b { endpoint https://l:8443; client b env:SECRET; }", [], why: "the bounds"),
        Row(
            "nothing to ask", "introspection a { }",
            [
                "1:1: error: introspection without 'endpoint'; add 'endpoint https://login.example.com/introspect/;'",
                "1:1: error: introspection without 'client'; add 'client NAME file:introspection.secret;'",
            ], why: "RFC 7662 §2.1: the endpoint demands authorization"),
        Row(
            "misspelt", "introspection a { endpont https://l/i; secret file:hs256.key; }",
            [
                "1:19: error: unknown directive 'endpont' in introspection; did you mean 'endpoint'?",
                "1:40: error: unknown directive 'secret' in introspection; did you mean 'client'?",
            ], why: "one message for one mistake"),
        Row(
            "an open endpoint", block(endpoint: "http://l/i"), ["2:10: error: 'endpoint' \(isUnencrypted)"],
            why: "tokens"),
        Row(
            "no endpoint", block(endpoint: "/i"), ["2:10: error: '/i' is no URL for 'endpoint'; \(likeURL)"],
            why: "whose?"),
        Row(
            "a fragment", block(endpoint: "https://l/i#x"),
            ["2:10: error: 'https://l/i#x' is no URL for 'endpoint'; \(likeURL)"], why: "it is never sent"),
        Row(
            "a secret in the file", block(client: "gw hunter2hunter2"),
            [
                "3:11: error: a secret is 'file:PATH' or 'env:NAME', never written inline; move it to a file that only you can read"
            ], why: "it is not repeated"),
        Row(
            "a secret by its bare name", block(client: "gw hs256.key"),
            ["3:11: error: a secret is 'file:PATH' or 'env:NAME', never written inline; write 'file:hs256.key'"],
            why: "gateway-conf.md"),
        Row(
            "a secret that others can read", block(client: "gw file:open.key"),
            ["3:11: error: others can read the secret 'open.key' (mode 644); run: chmod 600 open.key"],
            why: "secrets are private"),
        Row(
            "a secret that is not there", block(client: "gw env:SECRT"),
            ["3:11: error: environment variable 'SECRT' is not set; did you mean 'SECRET'?"], why: "the way out"),
        Row(
            "a client without a secret", block(client: "gw"),
            ["3:1: error: 'client' needs another value; write 'client NAME file:introspection.secret;'"],
            why: "the form"),
        Row(
            "a client's name", block(client: "g:w file:hs256.key"),
            ["3:8: error: 'g:w' is no name for a client; write 1 to 128 visible ASCII characters without ':'"],
            why: "RFC 7617 §2: the first colon ends the name"),
        Row(
            "out of range", block("cache 0s; max_lookups 65;"),
            [
                "4:7: error: '0s' is out of range; write something from 1s to 1h",
                "4:23: error: '65' is out of range; write something from 1 to 64",
            ], why: "bounds have bounds"),
        Row(
            "a time without its unit, a number in words", block("cache 30; max_lookups many;"),
            [
                "4:7: error: '30' has no unit; write '30s' for seconds; units are ms, s, m, h and d",
                "4:23: error: 'many' is no whole number; write a number from 1 to 64",
            ], why: "gateway-conf.md"),
        Row(
            "an authority", block("ca hs256.key;"), ["4:4: error: ca hs256.key: […]; name a PEM file"],
            why: "whom to believe"),
        Row(
            "names",
            block() + "\n" + block() + "\nintrospection a/b { endpoint https://l/i; client gw file:hs256.key; }",
            [
                "5:15: error: a second introspection block 'a'; give it another name: the first is at gateway.conf:1:15",
                "9:15: error: 'a/b' is no name for an 'introspection' block; write letters, digits, '-', '_' and '.'",
            ], why: "names are for messages"),
    ]

    private static let whole = "write 'https://', a host and a path, without user, query and fragment"
    private static let server = "authorization_server https://l.example;"

    static let resource: [Row] = [
        Row(
            "a good block",
            "resource https://api.example.com/v1 { \(server) authorization_server https://m.example/x; scopes a b; }",
            [], why: "the documented form"),
        Row(
            "nobody to log in at", "resource https://a/ { scopes a; }",
            [
                "1:1: error: resource without 'authorization_server': clients could not find out where to log in; add 'authorization_server https://login.example.com;'"
            ], why: "what it is for"),
        Row(
            "misspelt", "resource https://a/ { issuer https://l; scope a; }",
            [
                "1:23: error: unknown directive 'issuer' in resource; did you mean 'authorization_server'?",
                "1:41: error: unknown directive 'scope' in resource; did you mean 'scopes'?",
            ], why: "one message for one mistake"),
        Row(
            "an open resource", "resource http://a/ { \(server) }", ["1:10: error: 'resource' \(isUnencrypted)"],
            why: "RFC 9728 §1.2: https"),
        Row(
            "no URL", "resource api.example.com { \(server) }",
            ["1:10: error: 'api.example.com' is no https URL; write one like https://login.example.com"],
            why: "likewise"),
        Row(
            "a query", "resource https://a/?b { \(server) }",
            ["1:10: error: 'https://a/?b' is no URL for 'resource'; \(whole)"], why: "RFC 9728 §1.2"),
        Row(
            "a fragment", "resource https://a/#b { \(server) }",
            ["1:10: error: 'https://a/#b' is no URL for 'resource'; \(whole)"], why: "RFC 9728 §1.2"),
        Row(
            "a user", "resource https://u@a/ { \(server) }",
            ["1:10: error: the URL of 'resource' names a user; remove what stands before '@'"],
            why: "a password would end in logs"),
        Row(
            "servers", "resource https://a/ { authorization_server http://l https://l:x m; }",
            [
                "1:44: error: 'authorization_server' \(isUnencrypted)",
                "1:53: error: 'https://l:x' is no URL for 'authorization_server'; \(whole)",
                "1:65: error: 'm' is no https URL; write one like https://login.example.com",
            ], why: "every error"),
        Row(
            "scopes", "resource https://a/ { \(server) scopes a \"b c\" \"\" \"d\\\"\"; }",
            [
                "1:72: error: 'b c' is no scope; write each as a word of its own, like 'scopes query manage;'",
                "1:78: error: '' is no scope; write each as a word of its own, like 'scopes query manage;'",
                "1:81: error: 'd\"' is no scope; write each as a word of its own, like 'scopes query manage;'",
            ], why: "RFC 6749 §3.3"),
        Row(
            "a second one", "resource https://a/ { \(server) }\nresource https://b/ { \(server) }",
            ["2:1: error: 'resource' twice at the top level; keep one: the first is on line 1"], why: "one host, one"),
    ]

    /// Mistakes that were once taken, or told of twice.
    static let mended: [Row] = [
        Row(
            "a misspelt discover", "jwt a { dicover https://l; algorithms RS256; refresh 5m; }",
            ["1:9: error: unknown directive 'dicover' in jwt; did you mean 'discover'?"],
            why: "one message for one mistake: no keys are missing, and 'refresh' is right"),
        Row(
            "a password in a URL", "jwt a { keys jwks:https://user:hunter2@l/k; algorithms RS256; }",
            ["1:14: error: the URL of 'keys' names a user; remove what stands before '@'"],
            why: "the message ends in logs"),
        Row(
            "ports with a sign",
            "jwt a { discover https://l:+1; algorithms RS256; }\nresource https://a:+1/ { \(server) }",
            ["1:18: […]", "2:10: […]"], why: "no URL"),
        Row("no claim", block("user_id_claim \"\";"), ["4:15: error: an empty value; […]"], why: "as in a jwt block"),
    ]

    @Test("whom the gateway asks, and names, is checked", arguments: keys + introspection + resource + mended)
    func check(row: Row) {
        let found = Workspace().findings(row.config + Row.rest, environment: ["SECRET": Fixtures.secret])
        #expect(Row.meets(found, row.findings), "\(found): \(row.why)")
    }
}
