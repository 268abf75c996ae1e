public import JOSE

/// A service that may ask about, and end, what the gateway issued (`client` in `identity`).
public struct ServiceClient: Sendable, Equatable {
    /// Its name.
    public let name: String
    /// SHA-256 of its secret.
    public let secretDigest: Digest256

    /// A client.
    public init(name: String, secretDigest: Digest256) {
        self.name = name
        self.secretDigest = secretDigest
    }
}
