public import JOSE

/// Who a request comes from, after verification: only `Authenticator` makes one. Immutable, shared by all requests with
/// the same credential.
public final class Principal: Sendable {
    /// What the caller has shown.
    public enum Kind: Sendable, Equatable {
        /// A verified JWT.
        case jwt
        /// An API key.
        case apiKey
        /// An opaque token that its issuer vouches for.
        case opaque
    }

    /// What the caller has shown.
    public let kind: Kind
    /// The user: the token's, or the API key's owner. 1 to 256 visible ASCII bytes.
    public let userID: String
    /// The agent that an API key speaks for; nil for a JWT.
    public let agentID: String?
    /// The API key's id; nil for a JWT.
    public let keyID: String?
    /// When the credential ends, without leeway, in seconds since 1970: a token's `exp`, a key's expiry or the end of
    /// its grace. `Int64.max` if it does not.
    public let expiresAt: Int64
    /// The token's `sid`: the login that it belongs to.
    public let sessionID: String?
    /// The token's `jti`.
    public let tokenID: String?
    /// What the token says; nil for an API key.
    public let claims: VerifiedClaims?
    /// What the upstream is told, ready to be copied into its request's head: whole field lines with their CRLF.
    public let headerLines: [UInt8]
    /// SHA-256 of an API key, by which its standing is asked again; nil for a JWT.
    let digest: Digest256?
    /// The agent's id as bytes, for comparison with the path; empty for a JWT.
    let agentBytes: [UInt8]
    /// Until when the issuer's answer about an opaque token serves, in seconds since 1970; nil for others, which say by themselves
    /// how long they are good.
    public let verifiedUntil: Int64?
    /// What an API key may do by itself, on all routes together.
    public let keyLimits: KeyLimits
    /// What the credential is counted by.
    let credentialHash: UInt64
    /// What the user is counted by.
    let userHash: UInt64

    init(_ claims: VerifiedClaims, kind: Kind = .jwt, verifiedUntil: Int64? = nil) {
        self.kind = kind
        self.verifiedUntil = verifiedUntil
        userID = claims.userID
        agentID = nil
        keyID = nil
        expiresAt = claims.expiresAt
        sessionID = claims.sessionID
        tokenID = claims.tokenID
        self.claims = claims
        headerLines = Array("X-User-Id: \(claims.userID)\r\n".utf8)
        digest = nil
        agentBytes = []
        keyLimits = KeyLimits()
        credentialHash = SubjectHash.of(
            Self.credentialName(keyID: nil, sessionID: sessionID, tokenID: tokenID, userID: userID))
        userHash = SubjectHash.of(userID)
    }

    /// Whom an opaque token stands for, as its issuer says.
    /// The answer serves until `until`, in seconds since 1970.
    public convenience init(introspected claims: VerifiedClaims, until: Int64) {
        self.init(claims, kind: .opaque, verifiedUntil: until)
    }

    init(_ record: KeyRecord) {
        kind = .apiKey
        verifiedUntil = nil
        userID = record.ownerID
        agentID = record.agentID
        keyID = record.id
        expiresAt = min(record.expiresAt ?? .max, record.graceUntil ?? .max)
        sessionID = nil
        tokenID = nil
        claims = nil
        digest = record.digest
        headerLines = Array(
            "X-User-Id: \(record.ownerID)\r\nX-Agent-Id: \(record.agentID)\r\nX-Api-Key-Id: \(record.id)\r\n".utf8)
        agentBytes = Array(record.agentID.utf8)
        keyLimits = record.limits
        credentialHash = SubjectHash.of(
            Self.credentialName(keyID: record.id, sessionID: nil, tokenID: nil, userID: record.ownerID))
        userHash = SubjectHash.of(record.ownerID)
    }
}
