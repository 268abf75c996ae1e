public import HTTP

/// What an endpoint of the identity service answers.
public enum IdentityReply: Sendable {
    /// Tokens were issued: 200 with `body`.
    case tokens(IssuedTokens, body: [UInt8])
    /// JSON with this status.
    case json(status: Int, body: [UInt8])
    /// 204.
    case noContent
    /// An error envelope.
    case refused(Refusal)
}

/// Tokens on their way to their holder. Never logged, never kept.
public struct IssuedTokens: Sendable {
    /// The access token.
    public let access: String
    /// The refresh token; `nil` when the one that was presented goes on being good.
    public let refresh: String?
}

/// A refresh token that came in its cookie.
public struct RefreshCookie: Sendable {
    /// The token.
    public let token: [UInt8]
    /// It is certain that the request comes from a page of this origin.
    public let isFromOwnPage: Bool

    /// A refresh token from a cookie.
    public init(token: [UInt8], isFromOwnPage: Bool) {
        self.token = token
        self.isFromOwnPage = isFromOwnPage
    }
}
