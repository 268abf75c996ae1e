public import JOSE

/// The `identity` block: what the gateway issues itself, and where. Times are seconds.
public struct IdentitySettings: Sendable {
    /// What `login/`, `token/refresh/` and `logout/` stand under; ends in `/`, literals only.
    public var prefix: PathPattern
    /// The keys, at least one: the first signs, each verifies (`sign`). Asymmetric ones are named by their RFC 7638 thumbprint.
    public var signing: [SigningKey]
    /// `iss` of the tokens, then also checked (`issuer`).
    public var issuer: String?
    /// `aud` of the tokens, then also checked (`audience`).
    public var audience: String?
    /// How long an access token lives (`access_ttl`).
    public var accessTTL: Int64 = 3_600
    /// How long a refresh token lives (`refresh_ttl`).
    public var refreshTTL: Int64 = 7 * 86_400
    /// A refresh token is good for one use (`rotate_refresh`).
    public var rotatesRefresh = false
    /// How long a spent refresh token still gives its successor (`refresh_overlap`).
    public var refreshOverlap: Int64 = 10
    /// Tokens also travel in cookies (`cookies`).
    public var usesCookies = false
    /// Services that may introspect and revoke what was issued (`client`).
    public var clients: [ServiceClient] = []

    /// The name under which its tokens are verified and `token sign` finds its key.
    public static let issuerName = "identity"

    /// The cookie that an access token travels in. `__Host-` binds it to this host over TLS (RFC 6265bis §4.1.3.2).
    public static let accessCookie = "__Host-access"

    /// Settings with every default.
    public init(prefix: PathPattern, signing: [SigningKey]) {
        self.prefix = prefix
        self.signing = signing
    }

    /// What verifies tokens of its own of this `token_type`.
    public func issuer(of tokenType: String, leeway: Int64 = 0) -> TokenIssuer {
        let keys = signing.map(\.verificationKey)
        return TokenIssuer(
            name: Self.issuerName, issuer: issuer, audience: audience.map { [$0] } ?? [],
            algorithms: signing.map(\.algorithm), keys: keys, keysAreNamed: keys.allSatisfy { $0.keyID != nil },
            requirements: [ClaimRequirement(claim: "token_type", values: [tokenType])], leeway: leeway)
    }
}
