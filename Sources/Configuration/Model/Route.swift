public import JOSE

/// A `route` block. An object, since each request passes it on from step to step.
public final class Route: Sendable {
    /// Its place in `Configuration.routes`.
    public let index: Int
    /// The Host that it is for, lower case without port; nil: any.
    public let host: String?
    /// Upper case; empty: every method.
    public let methods: [String]
    /// The paths that it covers.
    public let pattern: PathPattern
    /// What passes; empty exactly when the route is public.
    public let accept: CredentialKinds
    /// The pattern's parameter that an API key's agent has to equal (`agent {name}`), without braces.
    public let agentParameter: String?
    /// Claims of which each has to hold one of its values (`require`).
    public let requirements: [ClaimRequirement]
    /// Bytes of a request body (`max_body`).
    public let maxBody: Int
    /// Whether `Authorization` goes on to the upstream; nil: for a JWT, not for an API key.
    public let forwardCredential: Bool?
    /// Its place in `Configuration.upstreams`.
    public let upstream: Int
    /// A 2xx of the upstream also revokes the token here (`revokes session`).
    public let revokesSession: Bool
    /// Whether WebSocket handshakes pass (`websocket`).
    public let webSocket: Bool
    /// A one-time ticket may stand in the query for a token (`accept_query token`).
    public let acceptsTicket: Bool
    /// How long an event stream may be silent before a comment is sent (`stream_keepalive`); nil: for ever.
    public let streamKeepalive: Duration?
    /// How long what runs may outlive its token's `exp` (`stream_grace`); a revocation never.
    public let streamGrace: Duration
    /// How fast a caller's requests may come (`rate_limit`).
    public let rateLimit: RateLimit?
    /// How many requests of a caller may come in a day or a month (`quota`).
    public let quota: Quota?
    /// Pages of which origins may use it (`cors`).
    public let cors: CrossOrigin?
    /// Claims that the upstream gets as headers (`inject`).
    public let injections: [ClaimInjection]
    /// Where the file declares it.
    public let position: SourcePlace

    /// A route; `accept` empty makes it public.
    public init(
        index: Int, host: String? = nil, methods: [String] = [], pattern: PathPattern, accept: CredentialKinds,
        agentParameter: String? = nil, requirements: [ClaimRequirement] = [], maxBody: Int = Limits().body,
        forwardCredential: Bool? = nil, upstream: Int = 0, webSocket: Bool = true,
        revokesSession: Bool = false, acceptsTicket: Bool = false, streamKeepalive: Duration? = nil,
        streamGrace: Duration = .zero, policies: RoutePolicies = RoutePolicies(),
        position: SourcePlace = SourcePlace(file: "", line: 0, column: 0)
    ) {
        self.index = index
        self.host = host
        self.methods = methods
        self.pattern = pattern
        self.accept = accept
        self.agentParameter = agentParameter
        self.requirements = requirements
        self.maxBody = maxBody
        self.forwardCredential = forwardCredential
        self.upstream = upstream
        self.webSocket = webSocket
        self.revokesSession = revokesSession
        self.acceptsTicket = acceptsTicket
        self.streamKeepalive = streamKeepalive
        self.streamGrace = streamGrace
        rateLimit = policies.rateLimit
        quota = policies.quota
        cors = policies.cors
        injections = policies.injections
        self.position = position
    }

    /// The same route as another object. The lists that requests go through are its own too, but for origins and long texts.
    public func replica() -> Route { Route(self) }

    /// Member by member, so that the compiler asks for those to come.
    private init(_ other: Route) {
        index = other.index
        host = other.host
        methods = other.methods
        pattern = other.pattern
        accept = other.accept
        agentParameter = other.agentParameter
        requirements = other.requirements.map { ClaimRequirement(claim: $0.claim, values: $0.values.map { $0 }) }
        maxBody = other.maxBody
        forwardCredential = other.forwardCredential
        upstream = other.upstream
        revokesSession = other.revokesSession
        webSocket = other.webSocket
        acceptsTicket = other.acceptsTicket
        streamKeepalive = other.streamKeepalive
        streamGrace = other.streamGrace
        rateLimit = other.rateLimit
        quota = other.quota
        cors = other.cors
        injections = other.injections.map { $0 }
        position = other.position
    }

    /// Whether it is for everybody (`accept none`): a credential is not looked at.
    public var isPublic: Bool { accept.isEmpty }

    /// The methods that pages of other origins are told of: those it names, else what pages commonly send.
    public var preflightMethods: [String] {
        methods.isEmpty ? ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] : methods
    }

    /// The label of metrics and logs: `POST /api/x/{id}/`, `api.example.com /api/`.
    public var name: String {
        ((host.map { [$0] } ?? []) + (methods.isEmpty ? [] : [methods.joined(separator: "|")]) + [pattern.text])
            .joined(separator: " ")
    }
}

/// What a route bounds, lets in and adds.
public struct RoutePolicies: Sendable {
    /// `rate_limit`
    public var rateLimit: RateLimit?
    /// `quota`
    public var quota: Quota?
    /// `cors`
    public var cors: CrossOrigin?
    /// `inject`
    public var injections: [ClaimInjection] = []

    /// None.
    public init() {}
}
