/// A refresh token and the access token that was issued with it, by what makes them: ids and times, never the tokens.
///
/// From these and the signing key the same claims can be written again, which is how every racer of a refresh gets the same
/// successor. Times are unix seconds.
public struct TokenPair: Sendable, Equatable {
    /// The refresh token's `jti`.
    public let refreshID: String
    /// The access token's `jti`.
    public let accessID: String
    /// Both tokens' `sid`.
    public let sessionID: String
    /// The user's id.
    public let userID: String
    /// Both tokens' `iat`.
    public let issuedAt: Int64
    /// The refresh token's `exp`.
    public let expiresAt: Int64

    /// A pair.
    public init(
        refreshID: String, accessID: String, sessionID: String, userID: String, issuedAt: Int64, expiresAt: Int64
    ) {
        self.refreshID = refreshID
        self.accessID = accessID
        self.sessionID = sessionID
        self.userID = userID
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
    }

    /// The pair that `fresh` is for this session.
    public init(_ fresh: FreshPair, sessionID: String, userID: String) {
        self.init(
            refreshID: fresh.refreshID, accessID: fresh.accessID, sessionID: sessionID, userID: userID,
            issuedAt: fresh.issuedAt, expiresAt: fresh.expiresAt)
    }
}

/// The ids and times of a pair before its session is known. Unix seconds.
public struct FreshPair: Sendable {
    /// The refresh token's `jti`.
    public let refreshID: String
    /// The access token's `jti`.
    public let accessID: String
    /// Both tokens' `iat`.
    public let issuedAt: Int64
    /// The refresh token's `exp`.
    public let expiresAt: Int64

    /// A pair with ids that were never used, whose refresh token lives for `lifetime` seconds.
    public init(now: Int64, lifetime: Int64) {
        refreshID = Identifier.uuid()
        accessID = Identifier.uuid()
        issuedAt = now
        expiresAt = now + lifetime
    }
}

/// Which token a refresh was asked with.
public enum PresentedToken: Sendable, Equatable {
    /// A refresh token, by its `jti`.
    case refresh(id: String)
    /// The expired access token of a pair that the gateway itself holds for a browser, by its `jti`.
    case access(id: String)
}

/// What the store knows of a token that was presented for a refresh.
public enum RefreshOutcome: Sendable, Equatable {
    /// It is good and was not spent: the pair that it belongs to.
    case unspent(TokenPair)
    /// It was good and is spent now; this is its successor.
    case rotated(TokenPair)
    /// It had been spent a moment ago: the successor of then.
    case repeated(TokenPair)
    /// It had been spent longer ago: its session is revoked by this.
    case reused(sessionID: String)
    /// The session was revoked, the user is disabled, or the store never knew it.
    case dead
}
