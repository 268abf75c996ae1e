public import Transport

/// One address that clients connect to.
public struct Listener: Sendable, Hashable {
    /// What is spoken there.
    public enum Kind: String, Sendable, Hashable {
        /// HTTPS.
        case tls
        /// Plain HTTP that only redirects to HTTPS.
        case redirect
        /// Plain HTTP that serves routes.
        case plain
    }

    /// The address.
    public var address: SocketAddress
    /// What is spoken there.
    public var kind: Kind
    /// Whether each connection starts with a PROXY header, from a trusted proxy or over a Unix socket.
    public var proxyProtocol: Bool

    /// A listener.
    public init(address: SocketAddress, kind: Kind, proxyProtocol: Bool = false) {
        self.address = address
        self.kind = kind
        self.proxyProtocol = proxyProtocol
    }
}
