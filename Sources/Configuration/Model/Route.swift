public import JOSE

/// A `route` block.
public struct Route: Sendable {
    /// Its place in `Configuration.routes`.
    public var index: Int
    /// The Host that it is for, lower case without port; nil: any.
    public var host: String?
    /// Upper case; empty: every method.
    public var methods: [String]
    /// The paths that it covers.
    public var pattern: PathPattern
    /// What passes; empty exactly when the route is public.
    public var accept: CredentialKinds
    /// The pattern's parameter that an API key's agent has to equal (`agent {name}`), without braces.
    public var agentParameter: String?
    /// Claims of which each has to hold one of its values (`require`).
    public var requirements: [ClaimRequirement]
    /// Bytes of a request body (`max_body`).
    public var maxBody: Int
    /// Whether `Authorization` goes on to the upstream; nil: for a JWT, not for an API key.
    public var forwardCredential: Bool?
    /// Its place in `Configuration.upstreams`.
    public var upstream: Int
    /// A 2xx of the upstream also revokes the token here (`revokes session`).
    public var revokesSession = false
    /// Whether WebSocket handshakes pass (`websocket`).
    public var webSocket: Bool
    /// A one-time ticket may stand in the query for a token (`accept_query token`).
    public var acceptsTicket = false
    /// How long an event stream may be silent before a comment is sent (`stream_keepalive`); nil: for ever.
    public var streamKeepalive: Duration?
    /// How long what runs may outlive its token's `exp` (`stream_grace`); a revocation never.
    public var streamGrace: Duration = .zero
    /// How fast a caller's requests may come (`rate_limit`).
    public var rateLimit: RateLimit?
    /// How many requests of a caller may come in a day or a month (`quota`).
    public var quota: Quota?
    /// Pages of which origins may use it (`cors`).
    public var cors: CrossOrigin?
    /// Claims that the upstream gets as headers (`inject`).
    public var injections: [ClaimInjection] = []
    /// Where the file declares it.
    public var position: SourcePlace

    /// A route; `accept` empty makes it public.
    public init(
        index: Int, host: String? = nil, methods: [String] = [], pattern: PathPattern, accept: CredentialKinds,
        agentParameter: String? = nil, requirements: [ClaimRequirement] = [], maxBody: Int = Limits().body,
        forwardCredential: Bool? = nil, upstream: Int = 0, webSocket: Bool = true,
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
        self.position = position
    }

    /// Whether it is for everybody (`accept none`): a credential is not looked at.
    public var isPublic: Bool { accept.isEmpty }

    /// The label of metrics and logs: `POST /api/x/{id}/`, `api.example.com /api/`.
    public var name: String {
        ((host.map { [$0] } ?? []) + (methods.isEmpty ? [] : [methods.joined(separator: "|")]) + [pattern.text])
            .joined(separator: " ")
    }
}
