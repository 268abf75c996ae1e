/// The claims of a token whose signature, times, issuer and audience have been checked. Only `TokenVerifier` makes one.
public struct VerifiedClaims: Sendable {
    /// Which of the verifier's issuers vouches for it.
    public let issuerIndex: Int
    /// Who it is: 1 to 256 visible ASCII bytes, fit for a header value.
    public let userID: String
    /// The end of its life (`exp`, without leeway), in seconds since 1970; at most the end of the year 9999.
    public let expiresAt: Int64
    /// By how many seconds its issuer's `exp` is widened.
    public let leeway: Int64
    /// `sid`, the session.
    public let sessionID: String?
    /// `jti`.
    public let tokenID: String?
    /// `iat`, in seconds since 1970; nil when it is missing or makes no sense, since it is not checked.
    public let issuedAt: Int64?
    /// All claims.
    public let claims: JSONObject

    /// What the issuer of an opaque token says of it (RFC 7662 §2.2), judged at `now`: the user's id is taken from the first of
    /// `userIDClaims` that is present. The issuer is none of the verifier's, so there is no index of it.
    ///
    /// Throws `TokenFailure` where it is not valid now, or names no user.
    public static func introspected(
        _ claims: JSONObject, userIDClaims: [String], now: Int64
    ) throws(TokenFailure) -> VerifiedClaims {
        let issuer = TokenIssuer(name: "", algorithms: [], keys: [], userIDClaims: userIDClaims, leeway: 0)
        return try ClaimRules(issuer: issuer, index: -1, needsExpiry: false).judge(claims, now: now)
    }

    init(
        issuerIndex: Int, userID: String, expiresAt: Int64, leeway: Int64, sessionID: String?, tokenID: String?,
        issuedAt: Int64?, claims: JSONObject
    ) {
        self.leeway = leeway
        self.issuerIndex = issuerIndex
        self.userID = userID
        self.expiresAt = expiresAt
        self.sessionID = sessionID
        self.tokenID = tokenID
        self.issuedAt = issuedAt
        self.claims = claims
    }

    /// The values of a claim as text: a string, an integer, a boolean, or those in an array. `scope` as one string is
    /// split at spaces (RFC 8693 §4.2). Nil when the claim is absent.
    public func values(of claim: String) -> [String]? { claims.values(of: claim) }

    /// Whether a claim holds one of `values`. Whole words, byte for byte.
    public func holds(_ claim: String, anyOf values: [String]) -> Bool { claims.holds(claim, anyOf: values) }
}

extension JSONObject {
    func values(of claim: String) -> [String]? {
        guard let value = self[claim] else { return nil }
        switch value {
        case .string(let text) where claim == "scope":
            return text.utf8.split(separator: UInt8(ascii: " ")).map { String(Substring($0)) }
        case .array(let values): return values.compactMap(\.text)
        default: return value.text.map { [$0] } ?? []
        }
    }

    func holds(_ claim: String, anyOf wanted: [String]) -> Bool {
        guard let values = values(of: claim) else { return false }
        return values.contains { value in wanted.contains { $0.hasSameBytes(as: value) } }
    }
}

extension JSONValue {
    /// A string, integer or boolean as text.
    fileprivate var text: String? {
        switch self {
        case .string(let text): text
        case .integer(let number): String(number)
        case .bool(let flag): flag ? "true" : "false"
        default: nil
        }
    }
}
