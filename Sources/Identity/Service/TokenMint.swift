public import Configuration
internal import JOSE
internal import Synchronization

/// Makes the gateway's own tokens, and recognises those that it gets back for a refresh. Made with a configuration.
public final class TokenMint: Sendable {
    /// The `identity` block.
    public let settings: IdentitySettings
    /// The key set of `/.well-known/jwks.json`; `nil` when every key is a secret.
    public let jwks: [UInt8]?
    /// What tickets are recognised by, of each signing key; the first makes them.
    let ticketKeys: [DerivedKey]
    private let refreshVerifier: Mutex<TokenVerifier>
    private let accessVerifier: Mutex<TokenVerifier>

    /// A mint of an `identity` block.
    public init(_ settings: IdentitySettings) {
        self.settings = settings
        refreshVerifier = Mutex(TokenVerifier(issuers: [settings.issuer(of: "refresh", leeway: 0)]))
        // A session that has ended by its time is not found in the store, whatever the leeway.
        accessVerifier = Mutex(
            TokenVerifier(issuers: [settings.issuer(of: "access", leeway: settings.refreshTTL)]))
        ticketKeys = settings.signing.map { $0.derived(for: "gatehouse one-time ticket") }
        let keys = settings.signing.compactMap(\.publicJWK)
        jwks = keys.isEmpty ? nil : JSONWriter.encode(["keys": .array(keys.map { .object($0) })])
    }

    /// Whether each refresh spends its token: as configured, and always where the gateway holds the pair itself.
    var rotates: Bool { settings.rotatesRefresh || settings.usesCookies }

    /// The access token of a pair.
    func access(of pair: TokenPair) throws(KeyError) -> String {
        try access(id: pair.accessID, sessionID: pair.sessionID, userID: pair.userID, issuedAt: pair.issuedAt)
    }

    /// An access token.
    func access(id: String, sessionID: String, userID: String, issuedAt: Int64) throws(KeyError) -> String {
        try sign(
            "access", id: id, sessionID: sessionID, userID: userID, issuedAt: issuedAt,
            expiresAt: issuedAt + settings.accessTTL)
    }

    /// The refresh token of a pair.
    func refresh(of pair: TokenPair) throws(KeyError) -> String {
        try sign(
            "refresh", id: pair.refreshID, sessionID: pair.sessionID, userID: pair.userID, issuedAt: pair.issuedAt,
            expiresAt: pair.expiresAt)
    }

    private func sign(
        _ type: String, id: String, sessionID: String, userID: String, issuedAt: Int64, expiresAt: Int64
    ) throws(KeyError) -> String {
        var claims: JSONObject = [
            "token_type": .string(type), "exp": .integer(expiresAt), "iat": .integer(issuedAt), "jti": .string(id),
            "sid": .string(sessionID), "sub": .string(userID), "user_id": .string(userID),
        ]
        if let issuer = settings.issuer { claims["iss"] = .string(issuer) }
        if let audience = settings.audience { claims["aud"] = .string(audience) }
        return try settings.signing[0].sign(claims: claims)
    }

    /// The claims of a refresh token, if it is one of ours and its time is not over.
    func verifyRefresh(_ token: String, now: Int64) -> Result<VerifiedClaims, TokenFailure> {
        let bytes = Array(token.utf8)
        return refreshVerifier.withLock { $0.verify(bytes.span, now: now) }
    }

    /// The claims of an access token of ours, also when its time is over for less than a refresh token's life.
    func verifyExpiredAccess(_ token: [UInt8], now: Int64) -> Result<VerifiedClaims, TokenFailure> {
        accessVerifier.withLock { $0.verify(token.span, now: now) }
    }
}
