public import HTTP

/// An endpoint that the gateway serves itself, with the places in the path that it names.
public enum OwnEndpoint: Sendable, Equatable {
    /// A file of the keys page.
    public enum ConsoleAsset: Sendable, Equatable {
        case page, script, style
    }

    /// `POST <identity>login/`
    case login
    /// `POST <identity>token/refresh/`
    case refresh
    /// `POST <identity>logout/`
    case logout
    /// `POST <identity>ticket/`
    case ticket
    /// `POST <identity>introspect/`
    case introspection
    /// `POST <identity>revoke/`
    case revocation
    /// `GET` and `POST <api_keys>`
    case keys(agent: Range<Int>)
    /// `DELETE <api_keys>{key_id}/`
    case key(agent: Range<Int>, id: Range<Int>)
    /// `POST <api_keys>{key_id}/rotate/`
    case rotation(agent: Range<Int>, id: Range<Int>)
    /// `GET /.well-known/jwks.json`
    case jwks
    /// `GET /.well-known/oauth-protected-resource`
    case resource
    /// `GET <console>` and what it loads
    case console(ConsoleAsset)
}

extension OwnEndpoint {
    /// What `Allow` says.
    public var allowedMethods: String {
        switch self {
        case .login, .refresh, .logout, .ticket, .introspection, .revocation, .rotation: "POST"
        case .keys: "GET, HEAD, POST"
        case .key: "DELETE"
        case .jwks, .resource, .console: "GET, HEAD"
        }
    }

    /// Whether it takes the method.
    public func takes(_ method: HTTP.Method) -> Bool {
        switch self {
        case .login, .refresh, .logout, .ticket, .introspection, .revocation, .rotation: method == .post
        case .keys: method == .get || method == .head || method == .post
        case .key: method == .delete
        case .jwks, .resource, .console: method == .get || method == .head
        }
    }

    /// The status of a success.
    public func successStatus(_ method: HTTP.Method) -> Int {
        switch self {
        case .logout, .key: 204
        case .rotation: 201
        case .keys: method == .post ? 201 : 200
        case .login, .refresh, .ticket, .introspection, .revocation, .jwks, .resource, .console: 200
        }
    }

    /// Whether no token is asked for: nobody has to say who he is, or he does so otherwise.
    public var isPublic: Bool {
        switch self {
        case .login, .refresh, .introspection, .revocation, .jwks, .resource, .console: true
        case .logout, .ticket, .keys, .key, .rotation: false
        }
    }

    /// What to call it, for people.
    public var name: String {
        switch self {
        case .login: "login"
        case .refresh: "token refresh"
        case .logout: "logout"
        case .ticket: "one-time ticket"
        case .introspection: "introspection, for a 'client'"
        case .revocation: "revocation, for a 'client'"
        case .keys, .key, .rotation: "API keys of an agent"
        case .jwks: "public keys"
        case .resource: "where to log in"
        case .console: "keys page"
        }
    }
}
