/// Field names that the gateway looks at, recognised once at parse, whatever their case. Everything else is `.other`.
public enum FieldName: UInt8, Sendable, CaseIterable {
    case other
    // What the parsers themselves take note of; see `isDecisive`.
    case host, contentLength, transferEncoding, connection, authorization, expect, upgrade, xRequestID, contentType
    // Connection (RFC 9110 §7.6).
    case keepAlive, proxyConnection, te, trailer, http2Settings
    // Credentials.
    case proxyAuthorization, proxyAuthenticate, proxyAuthenticationInfo, wwwAuthenticate, cookie, setCookie
    // Representation and negotiation.
    case contentEncoding, accept, acceptEncoding, acceptLanguage, userAgent, referer, date, server
    case cacheControl, vary, location, allow, retryAfter
    // Forwarding: set by proxies, believed only from trusted ones.
    case via, xForwardedFor, xForwardedProto, xForwardedHost, xForwardedPort, forwarded, xRealIP
    case xForwardedClientCert, xOriginalURL, xRewriteURL, traceparent, tracestate
    // Identity: set by the gateway only.
    case xUserID, xAgentID, xAPIKeyID
    // Browsers.
    case origin, secFetchSite, accessControlRequestMethod, accessControlRequestHeaders, accessControlAllowOrigin
    case accessControlExposeHeaders, lastEventID
    // WebSocket (RFC 6455).
    case secWebSocketKey, secWebSocketAccept, secWebSocketVersion, secWebSocketProtocol, secWebSocketExtensions

    /// The name in lower case; empty for `.other`.
    public var text: StaticString {
        switch self {
        case .other: ""
        case .host: "host"
        case .contentLength: "content-length"
        case .transferEncoding: "transfer-encoding"
        case .connection: "connection"
        case .keepAlive: "keep-alive"
        case .proxyConnection: "proxy-connection"
        case .te: "te"
        case .trailer: "trailer"
        case .upgrade: "upgrade"
        case .expect: "expect"
        case .http2Settings: "http2-settings"
        case .authorization: "authorization"
        case .proxyAuthorization: "proxy-authorization"
        case .proxyAuthenticate: "proxy-authenticate"
        case .proxyAuthenticationInfo: "proxy-authentication-info"
        case .wwwAuthenticate: "www-authenticate"
        case .cookie: "cookie"
        case .setCookie: "set-cookie"
        case .contentType: "content-type"
        case .contentEncoding: "content-encoding"
        case .accept: "accept"
        case .acceptEncoding: "accept-encoding"
        case .acceptLanguage: "accept-language"
        case .userAgent: "user-agent"
        case .referer: "referer"
        case .date: "date"
        case .server: "server"
        case .cacheControl: "cache-control"
        case .vary: "vary"
        case .location: "location"
        case .allow: "allow"
        case .retryAfter: "retry-after"
        case .via: "via"
        case .xRequestID: "x-request-id"
        case .xForwardedFor: "x-forwarded-for"
        case .xForwardedProto: "x-forwarded-proto"
        case .xForwardedHost: "x-forwarded-host"
        case .xForwardedPort: "x-forwarded-port"
        case .forwarded: "forwarded"
        case .xRealIP: "x-real-ip"
        case .xForwardedClientCert: "x-forwarded-client-cert"
        case .xOriginalURL: "x-original-url"
        case .xRewriteURL: "x-rewrite-url"
        case .traceparent: "traceparent"
        case .tracestate: "tracestate"
        case .xUserID: "x-user-id"
        case .xAgentID: "x-agent-id"
        case .xAPIKeyID: "x-api-key-id"
        case .origin: "origin"
        case .secFetchSite: "sec-fetch-site"
        case .accessControlRequestMethod: "access-control-request-method"
        case .accessControlRequestHeaders: "access-control-request-headers"
        case .accessControlAllowOrigin: "access-control-allow-origin"
        case .accessControlExposeHeaders: "access-control-expose-headers"
        case .lastEventID: "last-event-id"
        case .secWebSocketKey: "sec-websocket-key"
        case .secWebSocketAccept: "sec-websocket-accept"
        case .secWebSocketVersion: "sec-websocket-version"
        case .secWebSocketProtocol: "sec-websocket-protocol"
        case .secWebSocketExtensions: "sec-websocket-extensions"
        }
    }
}

extension FieldName {
    /// The parsers take note of it: one comparison spares most fields the `switch`.
    @inline(__always)
    var isDecisive: Bool {
        rawValue &- FieldName.host.rawValue <= FieldName.contentType.rawValue &- FieldName.host.rawValue
    }

    /// Says who the caller is. Only the gateway may say that to an upstream.
    public var isIdentity: Bool {
        switch self {
        case .xUserID, .xAgentID, .xAPIKeyID: true
        default: false
        }
    }

    /// Says by which way the request came. Believed only from trusted proxies.
    public var isForwarding: Bool {
        switch self {
        case .xForwardedFor, .xForwardedProto, .xForwardedHost, .xForwardedPort, .forwarded, .xRealIP,
            .xForwardedClientCert, .xOriginalURL, .xRewriteURL:
            true
        default: false
        }
    }

    /// Decides where the body ends.
    public var isFraming: Bool { self == .contentLength || self == .transferEncoding }

    /// Meant for the next hop only (RFC 9110 §7.6.1), whether `Connection` names it or not.
    public var isHopByHop: Bool {
        switch self {
        case .connection, .keepAlive, .proxyConnection, .te, .trailer, .transferEncoding, .upgrade, .http2Settings,
            .proxyAuthorization, .proxyAuthenticate, .proxyAuthenticationInfo:
            true
        default: false
        }
    }

    /// A `Connection` option may not remove it: what the gateway sets or decides on stays its own (Traefik
    /// CVE-2024-45410, Fabio CVE-2025-48865).
    public var isProtectedFromNomination: Bool {
        switch self {
        case .host, .authorization, .xRequestID, .via, .traceparent, .cookie: true
        default: isIdentity || isForwarding || isFraming
        }
    }

    /// A configuration may not inject it: every known name has a meaning of its own, framing, routing, the body's type or the
    /// gateway's word, and would be taken from clients on all routes.
    public var isForbiddenInjection: Bool {
        self != .other
    }

    /// Spelled with `_` (or another separator) for `-` it reaches CGI and WSGI applications under the same name, so
    /// such spellings are recognised and marked (oauth2-proxy CVE-2025-64484, Traefik CVE-2026-33433).
    var hasAliases: Bool { isIdentity || isForwarding || isFraming || self == .xRequestID }

    /// The name of these bytes, without regard to case or aliases; `.other` if it is not known.
    public init(_ name: Span<UInt8>) {
        let id = FieldNameTable.shared.find(NameKey(name, from: 0, count: name.count))
        // A match proves a valid name only for bytes above the control range (see `NameKey`).
        self = FieldSyntax.isToken(name) ? id : .other
    }
}
