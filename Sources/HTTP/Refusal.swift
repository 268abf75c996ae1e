/// Every answer by which the gateway refuses a request: the error table of the HTTP contract, with typed details. A
/// refusal is a value, since refusing is ordinary work. Nothing in it tells a client what it could not know.
public enum Refusal: Error, Equatable, Sendable {
    // 401
    case credentialsMissing
    case tokenInvalid
    /// `exp` has passed; seconds since 1970.
    case tokenExpired(at: Int64)
    /// `nbf` is ahead; seconds since 1970.
    case tokenNotYetValid(from: Int64)
    case tokenRevoked
    /// `expected` is `access` or `refresh`.
    case tokenWrongType(expected: String)
    case apiKeyInvalid
    case apiKeyExpired(at: Int64)
    case apiKeyRevoked(at: Int64?)
    case loginFailed
    // 403
    /// `required` is for people ("scope query"); `scope` goes into `WWW-Authenticate`.
    case permissionDenied(required: String, scope: String?)
    case agentMismatch(agentID: String)
    case credentialNotAccepted(accepted: [String])
    case csrfFailed
    case httpsRequired
    // 4xx about the request
    case badRequest(field: String?, reason: String, aboutCredential: Bool = false)
    case expectationFailed
    /// A WebSocket handshake of another version than 13.
    case webSocketVersion
    case notFound
    /// `allowed` as in `Allow`: "GET, POST".
    case methodNotAllowed(allowed: String)
    /// `limit` as in the configuration: "10s".
    case requestTimeout(limit: String)
    case bodyTooLarge(limit: Int)
    case uriTooLong(limit: Int)
    case unsupportedMediaType
    case headersTooLarge(limit: Int)
    case misdirectedRequest
    /// Seconds until another try has a chance.
    case rateLimited(retryAfter: Int)
    /// No configured `client`, or a wrong secret (RFC 7617).
    case clientUnknown
    case quotaExceeded(retryAfter: Int)
    // 5xx
    case upstreamError(upstream: String)
    case upstreamUnavailable(upstream: String)
    case upstreamTimeout(upstream: String)
    case draining
    case keysUnavailable(issuer: String)
    case storeUnavailable
    /// Too many passwords wait to be checked; seconds until another try has a chance.
    case loginBusy(retryAfter: Int)
}

extension Refusal {
    /// The HTTP status.
    public var status: Int {
        switch self {
        case .credentialsMissing, .tokenInvalid, .tokenExpired, .tokenNotYetValid, .tokenRevoked, .tokenWrongType,
            .apiKeyInvalid, .apiKeyExpired, .apiKeyRevoked, .loginFailed, .clientUnknown:
            401
        case .permissionDenied, .agentMismatch, .credentialNotAccepted, .csrfFailed, .httpsRequired: 403
        case .badRequest: 400
        case .expectationFailed: 417
        case .webSocketVersion: 426
        case .notFound: 404
        case .methodNotAllowed: 405
        case .requestTimeout: 408
        case .bodyTooLarge: 413
        case .uriTooLong: 414
        case .unsupportedMediaType: 415
        case .headersTooLarge: 431
        case .misdirectedRequest: 421
        case .rateLimited, .quotaExceeded: 429
        case .upstreamError: 502
        case .upstreamUnavailable, .draining, .keysUnavailable, .storeUnavailable, .loginBusy: 503
        case .upstreamTimeout: 504
        }
    }

    /// The value of `error`: what programs compare.
    public var code: StaticString {
        switch self {
        case .credentialsMissing: "credentials_missing"
        case .tokenInvalid: "token_invalid"
        case .tokenExpired: "token_expired"
        case .tokenNotYetValid: "token_not_yet_valid"
        case .tokenRevoked: "token_revoked"
        case .tokenWrongType: "token_wrong_type"
        case .apiKeyInvalid: "api_key_invalid"
        case .apiKeyExpired: "api_key_expired"
        case .apiKeyRevoked: "api_key_revoked"
        case .loginFailed: "login_failed"
        case .permissionDenied: "permission_denied"
        case .agentMismatch: "agent_mismatch"
        case .credentialNotAccepted: "credential_not_accepted"
        case .csrfFailed: "csrf_failed"
        case .httpsRequired: "https_required"
        case .badRequest, .expectationFailed, .webSocketVersion: "bad_request"
        case .notFound: "not_found"
        case .methodNotAllowed: "method_not_allowed"
        case .requestTimeout: "request_timeout"
        case .bodyTooLarge: "body_too_large"
        case .uriTooLong: "uri_too_long"
        case .unsupportedMediaType: "unsupported_media_type"
        case .headersTooLarge: "headers_too_large"
        case .misdirectedRequest: "misdirected_request"
        case .rateLimited: "rate_limited"
        case .clientUnknown: "login_failed"
        case .quotaExceeded: "quota_exceeded"
        case .upstreamError: "upstream_error"
        case .upstreamUnavailable: "upstream_unavailable"
        case .upstreamTimeout: "upstream_timeout"
        case .draining: "draining"
        case .keysUnavailable: "keys_unavailable"
        case .storeUnavailable, .loginBusy: "store_unavailable"
        }
    }

    /// The value of `message`: what people read. Plain ASCII without quotes, so it stands as it is in JSON and in
    /// `grpc-message`.
    public var message: StaticString {
        switch self {
        case .credentialsMissing: "Send a credential as Authorization: Bearer <token or API key>"
        case .tokenInvalid: "The token is not valid here"
        case .tokenExpired: "Access token has expired"
        case .tokenNotYetValid: "The token is not valid yet"
        case .tokenRevoked: "The token has been revoked; log in again"
        case .tokenWrongType: "This kind of token cannot be used here"
        case .apiKeyInvalid: "The API key is not valid"
        case .apiKeyExpired: "The API key has expired"
        case .apiKeyRevoked: "The API key has been revoked"
        case .loginFailed: "E-mail or password is wrong"
        case .permissionDenied: "The credential lacks a permission that this resource requires"
        case .agentMismatch: "The API key belongs to another agent"
        case .credentialNotAccepted: "This resource takes another kind of credential"
        case .csrfFailed: "The request does not come from the page that holds the session"
        case .httpsRequired: "The credential was sent over plain HTTP and is exposed: replace it, and use https"
        case .badRequest: "The request is malformed"
        case .expectationFailed: "The only supported expectation is 100-continue"
        case .webSocketVersion: "The only supported version of WebSocket is 13"
        case .notFound: "There is nothing at this address"
        case .methodNotAllowed: "The method is not allowed here"
        case .requestTimeout: "The request did not arrive in time"
        case .bodyTooLarge: "The request body is too large"
        case .uriTooLong: "The request target is too long"
        case .unsupportedMediaType: "The content type or encoding is not supported here"
        case .headersTooLarge: "The request headers are too large or too many"
        case .misdirectedRequest: "This host is not served on this connection; open another one for it"
        case .clientUnknown: "The name or the secret of the client is wrong"
        case .rateLimited: "Too many requests; try again later"
        case .quotaExceeded: "The quota is used up; try again later"
        case .upstreamError: "The service behind the gateway did not give a valid answer"
        case .upstreamUnavailable: "The service behind the gateway cannot be reached"
        case .upstreamTimeout: "The service behind the gateway did not answer in time"
        case .draining: "The gateway is stopping; try again"
        case .keysUnavailable: "The keys to check this token cannot be had at the moment; try again later"
        case .loginBusy: "Too many logins are being checked at the moment; try again later"
        case .storeUnavailable: "The gateway cannot reach its store at the moment; try again later"
        }
    }
}
