public import Transport

/// The `tls` block: what `tls` listeners present and ask for.
public struct TLS: Sendable {
    /// Certificates with their keys, at least one; the first is the default, others are chosen by server name.
    public var identities: [TLSIdentity]
    /// The lowest protocol version.
    public var minimumVersion: TLSVersion
    /// Who signs clients' certificates, for mutual TLS.
    public var clientAuthority: TLSClientAuthority?

    /// A checked block.
    public init(
        identities: [TLSIdentity], minimumVersion: TLSVersion = .v12, clientAuthority: TLSClientAuthority? = nil
    ) {
        self.identities = identities
        self.minimumVersion = minimumVersion
        self.clientAuthority = clientAuthority
    }
}
