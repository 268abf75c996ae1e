public import Transport

/// TLS to an upstream's servers: chain and name are always verified.
public struct UpstreamTLS: Sendable {
    /// Who vouches for the servers (`ca`, else the system's authorities).
    public var trust: TLSTrust
    /// The name that their certificate has to cover (`tls_name`); nil: the host that the `server` line names.
    public var serverName: String?

    /// Verified TLS.
    public init(trust: TLSTrust, serverName: String? = nil) {
        self.trust = trust
        self.serverName = serverName
    }
}
