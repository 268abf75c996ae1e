import Configuration
import Dispatch
import HTTP
import Identity
import Policy
import Synchronization
import Transport

/// A configuration made ready to serve: routes compiled, certificates in TLS contexts, the envelope with its realm.
///
/// Immutable. Built off the shards; each has one of its own (`replica`), and an exchange keeps the one it began with
/// (`design`: reload never touches a connection).
final class Serving: Sendable {
    let configuration: Configuration
    let router: Router
    let envelope: ErrorEnvelope
    let tls: TLSServerContext?
    /// How each upstream's connections speak TLS, by the upstream's index.
    let upstreamTLS: [TLSClientContext?]
    let headLimits: HeadLimits
    /// What the gateway serves itself.
    let endpoints: OwnEndpoints
    /// What makes the gateway's own tokens.
    let mint: TokenMint?
    /// How tokens travel in cookies, where they may.
    let cookies: SessionCookies?
    /// The keys page.
    let console: ConsolePages?
    /// Who is asked for keys and about opaque tokens.
    let providers: Providers
    /// Limits and other origins, by the route's index; nil where the route has none.
    let policies: [RoutePolicy?]
    /// Names of headers that some route injects: no client's own goes on, on whatever route.
    let injectedNames: [[UInt8]]
    /// Some route takes pages of other origins.
    let hasCrossOrigin: Bool
    /// What `/.well-known/oauth-protected-resource` says.
    let resourceMetadata: [UInt8]
    /// Where a `redirect` listener sends clients: `:8443`, or empty for port 443.
    let redirectPort: String
    /// Labels of metrics and logs, by the route's index.
    let routeNames: [[UInt8]]
    /// `keepalive_timeout` in nanoseconds, reckoned once: every answer sets it.
    let keepaliveTimeout: Int64
    let upstreamNames: [[UInt8]]

    convenience init(
        _ configuration: Configuration, tickets: TLSTicketKeys, providers: Providers = Providers()
    ) throws(TLSError) {
        var tls: TLSServerContext?
        if let settings = configuration.tls {
            tls = try TLSServerContext(
                identities: settings.identities, minimumVersion: settings.minimumVersion,
                clientAuthority: settings.clientAuthority, tickets: tickets)
        }
        var contexts: [TLSClientContext?] = []
        for upstream in configuration.upstreams {
            if let settings = upstream.tls {
                contexts.append(try TLSClientContext(trust: settings.trust))
            } else {
                contexts.append(nil)
            }
        }
        self.init(configuration, providers, tls: tls, upstreamTLS: contexts)
    }

    /// The same for another shard. Requests hold on to routes and to much else, which counts its references: processors
    /// that count in one place take its cache line from each other each time.
    func replica() -> Serving {
        var configuration = configuration
        configuration.routes = configuration.routes.map { $0.replica() }
        return Serving(configuration, providers, tls: tls, upstreamTLS: upstreamTLS)
    }

    /// One for each of so many shards, made at the same time.
    func replicas(_ count: Int) -> [Serving] {
        let made = Mutex([Serving](repeating: self, count: count))
        DispatchQueue.concurrentPerform(iterations: max(count - 1, 0)) { index in
            let replica = replica()
            made.withLock { $0[index + 1] = replica }
        }
        return made.withLock { $0 }
    }

    private init(
        _ configuration: Configuration, _ providers: Providers, tls: TLSServerContext?, upstreamTLS: [TLSClientContext?]
    ) {
        self.configuration = configuration
        self.providers = providers
        self.tls = tls
        self.upstreamTLS = upstreamTLS
        router = Router(configuration: configuration)
        envelope = ErrorEnvelope(
            realm: configuration.realm, resourceMetadata: configuration.resource?.metadataURL)
        var limits = HeadLimits()
        limits.head = configuration.limits.head
        limits.fields = configuration.limits.fields
        limits.target = configuration.limits.target
        headLimits = limits
        mint = configuration.identity.map(TokenMint.init)
        endpoints = OwnEndpoints(configuration)
        cookies = configuration.identity.flatMap { $0.usesCookies ? SessionCookies($0) : nil }
        console = configuration.console == nil ? nil : ConsolePages(configuration)
        policies = configuration.routes.map(RoutePolicy.init)
        injectedNames = Set(configuration.routes.flatMap(\.injections).map(\.name)).map { Array($0.utf8) }
        hasCrossOrigin = configuration.routes.contains { $0.cors != nil }
        resourceMetadata = configuration.resource.map(ResourceMetadata.json) ?? []
        redirectPort = Self.redirectPort(configuration.listeners)
        keepaliveTimeout = configuration.limits.keepaliveTimeout.nanoseconds
        routeNames = configuration.routes.map { Array($0.name.utf8) }
        upstreamNames = configuration.upstreams.map { Array($0.name.utf8) }
    }

    /// Whether a field has a name, or an alias of one, that only the gateway may send.
    func isInjected(_ name: Span<UInt8>) -> Bool {
        injectedNames.contains { HeaderAlias.isAlias(name, of: $0) }
    }

    private static func redirectPort(_ listeners: [Listener]) -> String {
        for listener in listeners where listener.kind == .tls {
            switch listener.address {
            case .ipv4(_, let port), .ipv6(_, let port): return port == 443 ? "" : ":\(port)"
            case .unix: continue
            }
        }
        return ""
    }
}
