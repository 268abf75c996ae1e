/// An `upstream` block: servers that are equals.
public struct Upstream: Sendable {
    /// Its name in the file, in logs, metrics and errors.
    public var name: String
    /// At least one.
    public var servers: [UpstreamServer]
    /// How a server is chosen (`balance`).
    public var balance: Balance = .leastRequest
    /// How servers are asked whether they live (`health_check`).
    public var healthCheck: HealthCheck?
    /// To a connection, TLS included (`connect_timeout`).
    public var connectTimeout: Duration = .seconds(2)
    /// From the request to the head of the answer (`response_timeout`).
    public var responseTimeout: Duration = .seconds(60)
    /// Without a byte in either direction once the head of the answer came (`idle_timeout`).
    public var idleTimeout: Duration = .seconds(300)
    /// Idle connections kept for each shard (`keepalive`).
    public var keepalive = 64
    /// Verified TLS to the servers (`tls on`, `ca`, `tls_name`).
    public var tls: UpstreamTLS?
    /// Consecutive failures that eject a server (`fail_limit`).
    public var failLimit = 5
    /// How long a server is first ejected for; grows with each time (`eject_time`).
    public var ejectTime: Duration = .seconds(10)

    /// An upstream with every default.
    public init(name: String, servers: [UpstreamServer]) {
        self.name = name
        self.servers = servers
    }

    /// How a server is chosen.
    public enum Balance: Sendable, Hashable {
        /// The less busy of two random ones.
        case leastRequest
        /// In turn, by weight.
        case roundRobin
        /// By this request header's value, so that the same value meets the same server.
        case hash(field: String)
    }

    /// An active health check.
    public struct HealthCheck: Sendable, Hashable {
        /// `GET` or `HEAD`.
        public var method: String
        /// The request target.
        public var path: String
        /// From one check to the next.
        public var interval: Duration
        /// What `Host` says, where it is not the server's address: a backend may answer to its own name only.
        public var host: String?

        /// A check.
        public init(method: String, path: String, interval: Duration, host: String? = nil) {
            self.method = method
            self.path = path
            self.interval = interval
            self.host = host
        }
    }
}
