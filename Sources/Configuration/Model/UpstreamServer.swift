public import Transport

/// A `server` line of an upstream.
public struct UpstreamServer: Sendable, Hashable {
    /// Where it is.
    public enum Endpoint: Sendable, Hashable {
        /// An address that needs no look-up.
        case address(SocketAddress)
        /// A host name, resolved again and again, and a port.
        case host(name: String, port: UInt16)
    }

    /// Where it is.
    public var endpoint: Endpoint
    /// Its share beside its equals, from 1 to 1000.
    public var weight: Int
    /// Whether it speaks cleartext HTTP/2.
    public var h2c: Bool
    /// As the file writes it, for logs and metrics.
    public var text: String

    /// A server.
    public init(endpoint: Endpoint, weight: Int = 1, h2c: Bool = false, text: String) {
        self.endpoint = endpoint
        self.weight = weight
        self.h2c = h2c
        self.text = text
    }
}
