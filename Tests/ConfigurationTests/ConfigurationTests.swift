import JOSE
import Testing
import Transport

@testable import Configuration

struct ConfigurationTests {
    static let everything = """
        workers 3; drain_timeout 5s; access_log logs/access.log json; trusted_proxies 10.0.0.0/8 ::1;
        listen 0.0.0.0:8443 tls; listen [::]:8080 redirect proxy_protocol; listen unix:g.sock plain;
        admin 127.0.0.1:9901; user root; realm "my agents"; key_prefix ag-; allow_insecure off;
        store sqlite:data/g.db; revocation_lag 250ms; store_stale 5s;
        max_head 64k; max_fields 50; max_target 4k; max_token 8k; max_body 5m; max_chunk_extensions 128;
        max_connections 1000; head_timeout 7s; body_min_rate 1k 10s; handshake_timeout 3s; keepalive_timeout 2m;
        write_timeout 1h; http2_max_streams 10; http2_window 1m; http2_connection_window 2m; http2_resets 5;
        http2_control_frames 50;
        tls { certificate cert.pem file:key.pem; min_version 1.3; client_ca cert.pem optional; }
        jwt a {
            issuer https://a/; audience x y; algorithms HS256 HS384; keys secret env:LONG; user_id_claim uid;
            require token_type access; leeway 5s;
        }
        jwt b { algorithms ES256; keys pem:other.pem; }
        upstream one {
            server 127.0.0.1:9000 weight=3; server backend:80; server unix:b.sock; balance hash X-User-Id;
            health_check HEAD /up?x=1 every 500ms host up.example:8000; connect_timeout 1s; response_timeout 2m; idle_timeout 1h; keepalive 0;
            fail_limit 2; eject_time 1m; tls on; ca cert.pem; tls_name Backend.internal;
        }
        upstream two { server [::1]:9000 h2c weight=2; balance round_robin; }
        host API.example.com {
            route GET POST /a/{id}/ {
                accept api_key jwt; agent {id}; require scope q r; require role x; max_body 0; forward_credential on;
                websocket off; stream_keepalive 5s; stream_grace 1m; upstream two;
            }
        }
        route / { accept none; upstream one; }
        """

    private static func loaded() throws -> (Configuration, String) {
        let workspace = Workspace(["logs/x": ""])
        let environment = ["LONG": Fixtures.secret + Fixtures.secret]
        return (try workspace.load(everything, environment: environment).get(), workspace.path)
    }

    @Test("every setting arrives")
    func settings() throws {
        let (configuration, folder) = try Self.loaded()
        #expect(configuration.warnings == [])
        #expect(configuration.workers == 3)
        #expect(configuration.drainTimeout == .seconds(5))
        #expect(configuration.accessLog == .file(folder + "/logs/access.log"))
        #expect(configuration.trustedProxies.count == 2)
        #expect(configuration.listeners.map(\.kind) == [.tls, .redirect, .plain])
        #expect(configuration.listeners.map(\.proxyProtocol) == [false, true, false])
        #expect(configuration.listeners[2].address == .unix(folder + "/g.sock"))
        #expect(configuration.admin == SocketAddress(host: "127.0.0.1", port: 9901))
        #expect(configuration.user == "root")
        #expect(configuration.realm == "my agents")
        #expect(configuration.keyPrefix == "ag-")
        #expect(configuration.store == .sqlite(path: folder + "/data/g.db"))
        #expect(configuration.storeStale == .seconds(5))
        #expect(configuration.revocationLag == .milliseconds(250))
        #expect(configuration.upstreams[1].servers.map(\.h2c) == [true])
        #expect(configuration.tls?.identities.count == 1)
        #expect(configuration.tls?.minimumVersion == .v13)
        #expect(configuration.tls?.clientAuthority?.mode == .optional)
    }

    @Test("every bound arrives")
    func limits() throws {
        let limits = try Self.loaded().0.limits
        var expected = Limits()
        expected.head = 64 << 10
        expected.fields = 50
        expected.target = 4 << 10
        expected.token = 8 << 10
        expected.body = 5 << 20
        expected.chunkExtensions = 128
        expected.connections = 1000
        expected.headTimeout = .seconds(7)
        expected.bodyRate = 1024
        expected.bodyRateWindow = .seconds(10)
        expected.handshakeTimeout = .seconds(3)
        expected.keepaliveTimeout = .seconds(120)
        expected.writeTimeout = .seconds(3600)
        (expected.http2Streams, expected.http2Resets, expected.http2ControlFrames) = (10, 5, 50)
        (expected.http2Window, expected.http2ConnectionWindow) = (1 << 20, 2 << 20)
        #expect(limits == expected)
    }

    @Test("every issuer arrives, with what can sign for it")
    func issuers() throws {
        let configuration = try Self.loaded().0
        let first = configuration.issuers[0]
        #expect(first.name == "a" && first.issuer == "https://a/" && first.audience == ["x", "y"])
        #expect(first.algorithms == [.hs256, .hs384] && first.keys.count == 1 && !first.keysAreNamed)
        #expect(first.userIDClaims == ["uid"] && first.leeway == 5)
        #expect(first.requirements == [ClaimRequirement(claim: "token_type", values: ["access"])])
        let second = configuration.issuers[1]
        #expect(second.userIDClaims == ["user_id", "sub"] && second.leeway == 30 && second.issuer == nil)
        #expect(configuration.signing.map(\.issuer) == ["a", "b"])
        #expect(configuration.signing.map(\.key.algorithm) == [.hs256, .es256])
    }

    @Test("every upstream arrives")
    func upstreams() throws {
        let (configuration, folder) = try Self.loaded()
        let one = configuration.upstreams[0]
        #expect(one.servers.map(\.weight) == [3, 1, 1])
        #expect(one.servers[0].endpoint == SocketAddress(host: "127.0.0.1", port: 9000).map { .address($0) })
        #expect(one.servers[1].endpoint == .host(name: "backend", port: 80))
        #expect(one.servers[2].endpoint == .address(.unix(folder + "/b.sock")))
        #expect(one.servers.map(\.text) == ["127.0.0.1:9000", "backend:80", "unix:b.sock"])
        #expect(one.balance == .hash(field: "X-User-Id"))
        let check = Upstream.HealthCheck(
            method: "HEAD", path: "/up?x=1", interval: .milliseconds(500), host: "up.example:8000")
        #expect(one.healthCheck == check)
        #expect(one.connectTimeout == .seconds(1) && one.responseTimeout == .seconds(120))
        #expect(one.idleTimeout == .seconds(3600) && one.keepalive == 0)
        #expect(one.failLimit == 2 && one.ejectTime == .seconds(60))
        #expect(one.tls?.serverName == "backend.internal")
        let two = configuration.upstreams[1]
        #expect(two.balance == .roundRobin && two.tls == nil && two.healthCheck == nil && two.keepalive == 64)
    }

    @Test("every route arrives")
    func routes() throws {
        let configuration = try Self.loaded().0
        let first = configuration.routes[0]
        #expect(first.index == 0 && first.host == "api.example.com" && first.methods == ["GET", "POST"])
        #expect(first.pattern.text == "/a/{id}/" && first.accept == [.jwt, .apiKey] && !first.isPublic)
        #expect(first.agentParameter == "id" && first.upstream == 1 && first.maxBody == 0)
        #expect(first.requirements.map(\.claim) == ["scope", "role"])
        #expect(first.forwardCredential == true && !first.webSocket)
        #expect(first.streamKeepalive == .seconds(5) && first.streamGrace == .seconds(60) && !first.acceptsTicket)
        #expect(first.name == "api.example.com GET|POST /a/{id}/")
        let second = configuration.routes[1]
        #expect(second.index == 1 && second.isPublic && second.host == nil && second.maxBody == 5 << 20)
        #expect(second.forwardCredential == nil && second.webSocket && second.agentParameter == nil)
        #expect(second.position.line == Self.everything.split(separator: "\n").count && second.position.column == 1)
    }

    @Test("what the file does not say has the documented default")
    func defaults() throws {
        let workspace = Workspace()
        let configuration = try workspace.load(Row.rest).get()
        #expect(configuration.workers >= 1)
        #expect(configuration.drainTimeout == .seconds(30) && configuration.revocationLag == .seconds(1))
        #expect(configuration.keyPrefix == "rk_" && configuration.realm == "gatehouse")
        let limits = configuration.limits
        #expect(limits.head == 32_768 && limits.fields == 100 && limits.target == 8_192 && limits.token == 16_384)
        #expect(limits.body == 10_485_760 && limits.chunkExtensions == 256 && limits.connections == nil)
        // threats.md, slow clients
        #expect(limits.handshakeTimeout == .seconds(10) && limits.headTimeout == .seconds(10))
        #expect(limits.bodyRate == 500 && limits.bodyRateWindow == .seconds(20) && limits.writeTimeout == .seconds(30))
        #expect(limits.keepaliveTimeout == .seconds(75) && limits.http2Streams == 128)
        #expect(limits.http2Window == 262_144 && limits.http2ConnectionWindow == 1_048_576)
        #expect(limits.http2Resets == 100 && limits.http2ControlFrames == 2_000)
        #expect(configuration.store == nil && configuration.admin == nil && configuration.tls == nil)
        #expect(configuration.accessLog == .standardOutput)
    }

    @Test("a route that accepts API keys brings the embedded store")
    func embeddedStore() throws {
        let workspace = Workspace()
        let configuration = try workspace.load("route /k/ { accept api_key; upstream agents; }" + Row.rest).get()
        #expect(configuration.store == .sqlite(path: workspace.path + "/data/gatehouse.db"))
    }
}
