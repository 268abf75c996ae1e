/// The directives that a block may hold.
struct BlockGrammar: Sendable {
    /// `route`; empty at the top level.
    let title: String
    let rules: [DirectiveRule]
    /// What people write for something that has another name here.
    var otherNames: [String: String] = [:]

    func rule(_ name: String) -> DirectiveRule? { rules.first { $0.name == name } }

    /// ` in route`, ` at the top level`
    var location: String { title.isEmpty ? " at the top level" : " in \(title)" }

    static let all = [top, tls, identity, apiKeys, jwt, introspection, resource, upstream, host, route]

    static let top = BlockGrammar(
        title: "",
        rules: [
            .line("workers", "auto"),
            .line("drain_timeout", "30s"),
            .line("access_log", "stdout json", 1...2),
            .line("trusted_proxies", "10.0.0.0/8 …", 1...1024),
            .line("listen", "0.0.0.0:8443 tls", 2...3, repeatable: true),
            .line("admin", "127.0.0.1:9901"),
            .line("store", "sqlite:data/gatehouse.db"),
            .line("revocation_lag", "1s"),
            .line("store_stale", "1m"),
            .line("allow_insecure", "on"),
            .line("user", "NAME"),
            .line("realm", "\"gatehouse\""),
            .line("key_prefix", "rk_"),
            .line("max_head", "32k"),
            .line("max_fields", "100"),
            .line("max_target", "8k"),
            .line("max_token", "16k"),
            .line("max_body", "10m"),
            .line("max_chunk_extensions", "256"),
            .line("max_connections", "10000"),
            .line("head_timeout", "10s"),
            .line("body_min_rate", "500 20s", 2...2),
            .line("handshake_timeout", "10s"),
            .line("keepalive_timeout", "75s"),
            .line("write_timeout", "30s"),
            .line("http2_max_streams", "128"),
            .line("http2_window", "256k"),
            .line("http2_connection_window", "1m"),
            .line("http2_resets", "100"),
            .line("http2_control_frames", "2000"),
            .block("tls", "", 0...0),
            .block("jwt", "NAME", repeatable: true),
            .block("upstream", "NAME", repeatable: true),
            .block("host", "api.example.com", repeatable: true),
            .block("route", "[METHOD …] /path/", 1...40, repeatable: true),
            .block("identity", "/api/auth/"),
            .block("api_keys", "/api/agents/{agent_id}/api-keys/"),
            .line("console", "/console/"),
            .block("introspection", "NAME", repeatable: true),
            .block("resource", "https://api.example.com/"),
        ],
        otherNames: ["server": "upstream", "location": "route", "proxy_pass": "route", "error_log": "access_log"])

    static let tls = BlockGrammar(
        title: "tls",
        rules: [
            .line("certificate", "cert.pem file:key.pem", 2...2, repeatable: true),
            .line("min_version", "1.2"),
            .line("client_ca", "clients.pem optional", 2...2),
        ],
        otherNames: ["key": "certificate", "certificate_key": "certificate", "protocols": "min_version"])

    static let identity = BlockGrammar(
        title: "identity",
        rules: [
            .line("sign", "HS256 file:data/signing.key", 2...2, repeatable: true),
            .line("issuer", "https://api.example.com"),
            .line("audience", "agents"),
            .line("access_ttl", "1h"),
            .line("refresh_ttl", "7d"),
            .line("rotate_refresh", "off"),
            .line("refresh_overlap", "10s"),
            .line("cookies", "off"),
            .line("client", "NAME file:client.secret", 2...2, repeatable: true),
        ],
        otherNames: ["key": "sign", "keys": "sign", "secret": "sign", "iss": "issuer", "aud": "audience"])

    static let apiKeys = BlockGrammar(
        title: "api_keys",
        rules: [
            .line("prefix", "rk_"),
            .line("owner_check", "UPSTREAM GET /api/agents/{agent_id}/", 3...3),
        ],
        otherNames: ["key_prefix": "prefix", "owner": "owner_check"])

    static let jwt = BlockGrammar(
        title: "jwt",
        rules: [
            .line("issuer", "https://login.example.com"),
            .line("audience", "agents", 1...32),
            .line("algorithms", "RS256 ES256", 1...16),
            .line("keys", "jwks:file.json | jwks:https://… | pem:public.pem | secret file:hs256.key", 1...9),
            .line("user_id_claim", "user_id sub", 1...8),
            .line("require", "token_type access", 2...64, repeatable: true),
            .line("leeway", "30s"),
            .line("discover", "https://login.example.com"),
            .line("refresh", "10m"),
            .line("stale", "24h"),
            .line("ca", "ca.pem"),
        ],
        otherNames: ["secret": "keys", "jwks": "keys", "alg": "algorithms", "aud": "audience", "iss": "issuer"])

    static let introspection = BlockGrammar(
        title: "introspection",
        rules: [
            .line("endpoint", "https://login.example.com/introspect/"),
            .line("client", "NAME file:introspection.secret", 2...2),
            .line("cache", "30s"),
            .line("max_lookups", "32"),
            .line("user_id_claim", "sub username", 1...8),
            .line("ca", "ca.pem"),
        ],
        otherNames: ["url": "endpoint", "secret": "client", "concurrency": "max_lookups"])

    static let resource = BlockGrammar(
        title: "resource",
        rules: [
            .line("authorization_server", "https://login.example.com", 1...8, repeatable: true),
            .line("scopes", "query manage", 1...64),
        ],
        otherNames: [
            "issuer": "authorization_server", "scope": "scopes", "authorization_servers": "authorization_server",
        ])

    static let upstream = BlockGrammar(
        title: "upstream",
        rules: [
            .line("server", "127.0.0.1:9000 weight=1", 1...3, repeatable: true),
            .line("balance", "least_request", 1...2),
            .line("health_check", "GET /healthz every 5s", 4...6),
            .line("connect_timeout", "2s"),
            .line("response_timeout", "60s"),
            .line("idle_timeout", "5m"),
            .line("keepalive", "64"),
            .line("fail_limit", "5"),
            .line("eject_time", "10s"),
            .line("tls", "on"),
            .line("ca", "ca.pem"),
            .line("tls_name", "api.internal"),
        ])

    static let host = BlockGrammar(
        title: "host", rules: [.block("route", "[METHOD …] /path/", 1...40, repeatable: true)])

    static let route = BlockGrammar(
        title: "route",
        rules: [
            .line("accept", "jwt api_key", 1...4),
            .line("agent", "{agent_id}"),
            .line("require", "scope query", 2...64, repeatable: true),
            .line("max_body", "1m"),
            .line("forward_credential", "off"),
            .line("websocket", "off"),
            .line("upstream", "NAME"),
            .line("rate_limit", "10/s burst=20 by=credential", 1...3),
            .line("quota", "10000/d by=credential", 1...3),
            .line("inject", "X-Tenant claim tenant_id", 3...3, repeatable: true),
            .line("cors", "https://*.example.com …", 1...64),
            .line("cors_headers", "X-Page-Id …", 1...64),
            .line("accept_query", "token"),
            .line("stream_keepalive", "15s"),
            .line("stream_grace", "5m"),
            .line("revokes", "session"),
        ],
        otherNames: [
            "scope": "require", "scopes": "require", "role": "require", "roles": "require", "claim": "require",
            "claims": "require", "permission": "require", "auth": "accept", "allow": "accept", "proxy_pass": "upstream",
            "client_max_body_size": "max_body", "limit_req": "rate_limit", "header": "inject", "set_header": "inject",
            "proxy_set_header": "inject", "origin": "cors", "origins": "cors",
        ])
}
