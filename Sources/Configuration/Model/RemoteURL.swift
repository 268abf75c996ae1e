public import Transport

/// An https URL that the gateway asks, in the parts that a request needs.
public struct RemoteURL: Sendable, Hashable {
    /// As the file writes it.
    public let text: String
    /// The host, lower case.
    public let host: String
    /// The port; 443 where the URL has none.
    public let port: UInt16
    /// The path, never empty.
    public let path: String

    /// Reads one; nil unless it is `https://HOST[:PORT][/path]`, with a query perhaps, and in visible ASCII.
    public init?(_ text: String) {
        guard text.hasPrefix("https://"), text.utf8.count <= 2048,
            text.utf8.allSatisfy({ (0x21...0x7e).contains($0) && !#""\<>`{}|^#"#.utf8.contains($0) })
        else { return nil }
        let rest = text.dropFirst("https://".count)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let host = authority.prefix { $0 != ":" }
        let digits = authority.dropFirst(host.count + 1)
        guard NameSyntax.isHostName(String(host)) else { return nil }
        if authority.count > host.count {
            guard NameSyntax.isPort(digits), let number = UInt16(digits) else { return nil }
            port = number
        } else {
            port = 443
        }
        self.text = text
        self.host = host.lowercased()
        let path = rest[authority.endIndex...]
        self.path = path.hasPrefix("/") ? String(path) : "/" + path
    }

    /// `host`, with its port where that is not 443: the value of `Host`.
    public var authority: String { port == 443 ? host : "\(host):\(port)" }
}

/// Keys of an issuer that are fetched while the gateway runs (`keys jwks:https:…`, `discover`).
public struct RemoteKeys: Sendable {
    /// Where the keys are found.
    public enum Location: Sendable, Hashable {
        /// A JWK Set.
        case keySet(RemoteURL)
        /// An issuer whose metadata names the key set (OpenID Connect Discovery 1.0, RFC 8414).
        case issuer(RemoteURL)
    }

    /// The issuer's place in `Configuration.issuers`.
    public var issuerIndex: Int
    /// Where the keys are found.
    public var location: Location
    /// How often they are fetched again (`refresh`).
    public var refresh: Duration = .seconds(600)
    /// How long the last good set serves while fetching fails (`stale`).
    public var stale: Duration = .seconds(86_400)
    /// Who vouches for the server (`ca`, else the system's authorities).
    public var trust: TLSTrust = .system

    /// Keys to fetch.
    public init(issuerIndex: Int, location: Location) {
        self.issuerIndex = issuerIndex
        self.location = location
    }
}
