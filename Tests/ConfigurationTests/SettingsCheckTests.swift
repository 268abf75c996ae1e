import Testing

@testable import Configuration

struct SettingsCheckTests {
    static let values: [Row] = [
        Row(
            "times",
            "drain_timeout 30;\nhead_timeout 10 s;\nhandshake_timeout 1w;\nwrite_timeout 1ms;\nrevocation_lag 99999999999999999999d;",
            [
                "1:15: error: '30' has no unit; write '30s' for seconds; units are ms, s, m, h and d",
                "2:17: error: 'head_timeout' takes no more than one value; write 'head_timeout 10s;'",
                "3:19: error: '1w' is no time; write it like 500ms, 30s, 5m, 1h or 7d",
                "4:15: error: '1ms' is out of range; write something from 100ms to 1h",
                "5:16: error: '99999999999999999999d' is out of range; write something from 10ms to 1h",
            ], why: "gateway-conf.md: a time without its unit"),
        Row(
            "bounds of HTTP/2",
            "http2_max_streams 0;\nhttp2_window 1k;\nhttp2_resets many;\nhttp2_control_frames 1;\nhttp2_connection_window 128k;",
            [
                "1:19: error: '0' is out of range; write something from 1 to 1000",
                "2:14: error: '1k' is out of range; write something from 64k to 16m",
                "3:14: error: 'many' is no whole number; write a number from 1 to 1000000",
                "4:22: error: '1' is out of range; write something from 10 to 1000000",
                "5:1: error: http2_connection_window is smaller than http2_window; give the connection as much as one of its streams at least",
            ], why: "each has a range that makes sense"),
        Row(
            "sizes", "max_head 32kb;\nmax_target 0;\nmax_body -1;\nmax_token 9999999999g;\nbody_min_rate 500 20;",
            [
                "1:10: error: '32kb' is no size; write '32k'",
                "2:12: error: '0' is out of range; write something from 64 to 1m",
                "3:10: error: '-1' is no size; write it like 64k, 10m or 500",
                "4:11: error: '9999999999g' is out of range; write something from 256 to 1m",
                "5:19: error: '20' has no unit; write '20s' for seconds; units are ms, s, m, h and d",
            ], why: "bounds have bounds"),
        Row(
            "numbers", "workers 0;\nmax_fields many;\nmax_connections 1.5;",
            [
                "1:9: error: '0' is out of range; write something from 1 to 1024",
                "2:12: error: 'many' is no whole number; write a number from 1 to 10000",
                "3:17: error: '1.5' is no whole number; write a number from 1 to 10000000",
            ], why: "likewise"),
        Row(
            "switches", "allow_insecure yes;", ["1:16: error: unknown value 'yes'; did you mean 'on'?"],
            why: "on or off"),
        Row(
            "access logs", "access_log stout json;",
            ["1:12: error: unknown access log 'stout'; did you mean 'stdout'?"], why: "no file called stout"),
        Row(
            "formats of access logs", "access_log stdout text;", ["1:19: error: unknown value 'text'; write 'json'"],
            why: "there is one"),
        Row(
            "no access log has no format", "access_log off json;",
            ["1:16: error: 'off' takes no format; write 'access_log off;'"], why: "meaningless"),
        Row(
            "an access log in no folder", "access_log /nowhere/a.log json;",
            ["1:12: warning: there is no folder '/nowhere/': lines will be dropped; run: mkdir -p /nowhere/"],
            why: "gateway-conf.md: it does not stop run"),
        Row(
            "trusted proxies", "trusted_proxies 10.0.0.0/8 10.0.0.1/8 ::/0 proxy;",
            [
                "1:28: error: '10.0.0.1/8' is no network; write one without bits behind its prefix like 10.0.0.0/8, or one address",
                "1:39: warning: every client is believed about where it comes from; name the networks of your proxies",
                "1:44: error: 'proxy' is no network; write one without bits behind its prefix like 10.0.0.0/8, or one address",
            ], why: "whom to believe is exact"),
        Row(
            "PostgreSQL without its connection string", "store postgres:env:DATABASE_URL;",
            ["1:7: error: environment variable 'DATABASE_URL' is not set; set it before the start"],
            why: "it is a secret"),
        Row(
            "a connection string in the file", "store postgres:postgres://u:hunter2@db/gatehouse;",
            [
                "1:7: error: 'store postgres:' takes 'env:NAME' or 'file:PATH' where the connection string stands; write 'store postgres:env:DATABASE_URL;'"
            ], why: "it has a password in it"),
        Row(
            "a file that holds none", "store postgres:file:hs256.key;",
            [
                "1:7: error: file:hs256.key holds no connection string; it reads like postgres://USER:PASSWORD@HOST:5432/DATABASE, with % escapes in the password"
            ], why: "libpq's own message would repeat parts of it"),
        Row(
            "unknown stores", "store redis:x;",
            ["1:7: error: 'redis:x' is no store; write 'sqlite:data/gatehouse.db' or 'postgres:env:DATABASE_URL'"],
            why: "names"),
        Row(
            "a silence shorter than two looks", "revocation_lag 10s; store_stale 19s;",
            [
                "1:21: error: store_stale is shorter than twice revocation_lag; the store would count as silent between two looks at it"
            ], why: "one look that is late is no silence"),
        Row("a long lag alone", "revocation_lag 1h;", [], why: "the silence follows it"),
        Row(
            "users", "user nobody-is-called-so;",
            [
                "1:6: error: this machine has no user 'nobody-is-called-so'; name one that it has, or run: useradd --system NAME"
            ],
            why: "an unknown name"),
        Row(
            "realms", #"realm "a\"b";"#,
            [#"1:7: error: 'a"b' cannot stand in a header; write 1 to 128 ASCII characters without '"' and '\'"#],
            why: "it goes into WWW-Authenticate"),
        Row(
            "key prefixes", "key_prefix a.b.;",
            ["1:12: error: 'a.b.' cannot start an API key; write 1 to 16 letters, digits, '_' or '-'"],
            why: "dots would make a key look like a JWT"),
        Row(
            "nginx's names", "server { }\nlocation / { }",
            [
                "1:1: error: unknown directive 'server' at the top level; did you mean 'upstream'?",
                "2:1: error: unknown directive 'location' at the top level; did you mean 'route'?",
            ], why: "who reads nginx's grammar writes its names"),
        Row(
            "a block where none belongs", "workers 1 { }\ntls;",
            [
                "1:1: error: 'workers' takes no block; write 'workers auto;'",
                "2:4: error: 'tls' has no block; write 'tls { … }'",
            ], why: "grammar"),
    ]

    static let listeners: [Row] = [
        Row(
            "plain HTTP that others can reach", "listen 0.0.0.0:80 plain;",
            [
                "1:8: error: a 'plain' listener on 0.0.0.0:80 is open to other machines, and nothing there is encrypted; use 127.0.0.1, [::1] or unix:PATH, or say 'allow_insecure on;'"
            ], why: "gateway-conf.md"),
        Row("insecure, said aloud", "listen 0.0.0.0:80 plain;\nallow_insecure on;", [], why: "gateway-conf.md"),
        Row(
            "plain HTTP on this machine", "listen [::1]:80 plain;\nlisten unix:gateway.sock plain;", [],
            why: "gateway-conf.md"),
        Row(
            "an admin address that others can reach", "admin [::]:9901;",
            [
                "1:7: error: 'admin' on [::]:9901 is open to other machines, and nothing there is encrypted; use 127.0.0.1, [::1] or unix:PATH, or say 'allow_insecure on;'"
            ], why: "never on a public listener"),
        Row(
            "admin on a listener's address", "admin 127.0.0.1:8081;",
            ["1:7: error: 'admin' on the address of a listener; give it a port of its own"],
            why: "never on a public listener"),
        Row(
            "TLS without certificates", "listen 0.0.0.0:443 tls;\nlisten 0.0.0.0:80 redirect;",
            [
                "1:20: error: 'tls' needs a 'tls' block; add 'tls { certificate cert.pem file:key.pem; }'",
                "2:19: error: 'redirect' needs a 'tls' block; add 'tls { certificate cert.pem file:key.pem; }'",
            ], why: "nothing to present"),
        Row(
            "an address twice", "listen 127.0.0.1:80 plain;\nlisten 127.0.0.1:80 plain;",
            ["2:8: error: a second listener on 127.0.0.1:80; an address can have one: remove this"],
            why: "SO_REUSEPORT would let it"),
        Row(
            "kinds",
            "listen 127.0.0.1:80 tsl;\nlisten 127.0.0.1:81 ssl;\nlisten 127.0.0.1:82 plain proxy;\nlisten 127.0.0.1:83;",
            [
                "1:21: error: unknown value 'tsl'; did you mean 'tls'?",
                "2:21: error: unknown value 'ssl'; did you mean 'tls'?",
                "3:27: error: unknown value 'proxy'; write 'proxy_protocol'",
                "4:1: error: 'listen' needs another value; write 'listen 0.0.0.0:8443 tls;'",
            ], why: "an unknown name"),
        Row(
            "addresses",
            "listen 8080 plain;\nlisten localhost:80 plain;\nlisten ::1:80 plain;\nlisten 127.0.0.1:0 plain;\nlisten *:80 plain;\nlisten 1.2.3.400:80 plain;\nlisten 127.0.0.1 plain;\nlisten unix: plain;",
            [
                "1:8: error: '8080' has no address; write '0.0.0.0:8080'",
                "2:8: error: 'localhost' is a name: listeners have addresses; write '127.0.0.1:80'",
                "3:8: error: '::1:80' is no address with a port; write IPv6 in brackets: '[::1]:8443'",
                "4:8: error: '0' is no port; write a number from 1 to 65535",
                "5:8: error: '*' is no address; write '0.0.0.0:80'",
                "6:8: error: '1.2.3.400' is no address and no host name; write it like 127.0.0.1:9000, [::1]:9000, name:9000 or unix:PATH",
                "7:8: error: '127.0.0.1' has no port; write '127.0.0.1:PORT'",
                "8:8: error: 'unix:' is no path of a Unix socket; write 'unix:PATH', at most 107 bytes long",
            ], why: "exact, with the way out"),
        Row(
            "a PROXY header from nobody", "listen 127.0.0.1:80 plain proxy_protocol;",
            [
                "1:27: error: 'proxy_protocol' without 'trusted_proxies': every connection would be closed; add 'trusted_proxies NETWORK;' with your proxies' addresses"
            ], why: "contract.md, Listeners"),
    ]

    @Test("settings and listeners are checked", arguments: values + listeners)
    func check(row: Row) {
        let workspace = Workspace()
        let found = workspace.findings(row.config + Row.rest)
        #expect(Row.meets(found, row.findings), "\(found): \(row.why)")
    }

    @Test("a file that says nothing opens nothing")
    func empty() {
        #expect(
            Workspace().findings("") == [
                "0:0: error: no 'listen': nobody could connect; add 'listen 0.0.0.0:8443 tls;'",
                "0:0: warning: no 'route': every request will be 404; add 'route /api/ { accept jwt; upstream NAME; }'",
            ])
    }
}
