public import JOSE
public import Transport

/// A configuration that was checked whole: what runs on it never checks again.
///
/// Immutable once loaded; every shard gets a copy, and a request keeps the one it began with. `ConfigurationLoader` makes
/// it from a file; the memberwise defaults are those of the file's directives.
public struct Configuration: Sendable {
    /// The file that it was read from, as it was named.
    public var path: String
    /// Event-loop shards, at least one (`workers`; `auto` is one for each core that the process may use).
    public var workers: Int
    /// How long requests in flight may finish on SIGTERM or an upgrade (`drain_timeout`).
    public var drainTimeout: Duration = .seconds(30)
    /// Where the access log goes (`access_log`).
    public var accessLog: AccessLogTarget = .standardOutput
    /// Whose `X-Forwarded-For` and PROXY header are believed (`trusted_proxies`); a PROXY header over a Unix socket is always.
    public var trustedProxies: [AddressBlock] = []
    /// Where clients connect (`listen`), at least one.
    public var listeners: [Listener] = []
    /// Where operators look: `/healthz`, `/readyz`, `/metrics`, `/routes` (`admin`).
    public var admin: SocketAddress?
    /// The certificates; there is one whenever a listener needs it (`tls`).
    public var tls: TLS?
    /// Where users, sessions and keys are kept; there is one whenever something needs it (`store`).
    public var store: StoreLocation?
    /// The longest that a change in the store may take to act (`revocation_lag`).
    public var revocationLag: Duration = .seconds(1)
    /// How long what is known of the store serves while it does not answer (`store_stale`): then no credential is vouched for.
    public var storeStale: Duration = .seconds(60)
    /// Bounds on what a client may send and how slowly.
    public var limits: Limits = Limits()
    /// What an API key starts with (`key_prefix`).
    public var keyPrefix: String = "rk_"
    /// The `jwt` blocks, in the order of the file, and behind them what `identity` issues.
    public var issuers: [TokenIssuer] = []
    /// Issuers whose keys are fetched while the gateway runs.
    public var remoteKeys: [RemoteKeys] = []
    /// The `introspection` blocks, in the order of the file.
    public var introspections: [Introspection] = []
    /// What `token sign` can sign with: the key of `identity`, the secrets and private keys of `jwt` blocks.
    public var signing: [SigningMaterial] = []
    /// What the gateway issues itself (`identity`).
    public var identity: IdentitySettings?
    /// What clients learn about where to log in (`resource`).
    public var resource: ProtectedResource?
    /// Where API keys are managed over HTTP (`api_keys`).
    public var keyEndpoints: KeyEndpoints?
    /// Where the keys page is (`console`); ends in `/`, literals only.
    public var console: PathPattern?
    /// The `upstream` blocks, in the order of the file.
    public var upstreams: [Upstream] = []
    /// The `route` blocks, in the order of the file; `Route.index` is the place here.
    public var routes: [Route] = []
    /// Whom the process becomes after it bound its sockets as root (`user`).
    public var user: String?
    /// The protection space in `WWW-Authenticate` (`realm`): visible ASCII and blanks without `"` and `\`.
    public var realm: String = "gatehouse"
    /// What is doubtful but works, with its place.
    public var warnings: [Diagnostic] = []

    /// An empty configuration with every default.
    public init(path: String = "gateway.conf", workers: Int = 1) {
        self.path = path
        self.workers = workers
    }
}
