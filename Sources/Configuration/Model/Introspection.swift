public import Transport

/// An `introspection` block: opaque tokens are asked about at their issuer (RFC 7662).
public struct Introspection: Sendable {
    /// The block's name.
    public var name: String
    /// Where tokens are asked about (`endpoint`).
    public var endpoint: RemoteURL
    /// The gateway's name there (`client`).
    public var clientID: String
    /// The gateway's secret there.
    public var clientSecret: [UInt8]
    /// How long an answer counts, at most until the token's `exp` (`cache`).
    public var cache: Duration = .seconds(30)
    /// Questions under way at once (`max_lookups`).
    public var lookupsAtMost = 32
    /// The members of the answer that may hold the user's id; the first that is present counts (`user_id_claim`).
    public var userIDClaims = ["sub", "username"]
    /// Who vouches for the server (`ca`, else the system's authorities).
    public var trust: TLSTrust = .system

    /// A block with every default.
    public init(name: String, endpoint: RemoteURL, clientID: String, clientSecret: [UInt8]) {
        self.name = name
        self.endpoint = endpoint
        self.clientID = clientID
        self.clientSecret = clientSecret
    }
}
