public import JOSE

/// A secret or private key of a `jwt` block, that `token sign` makes tokens with.
public struct SigningMaterial: Sendable {
    /// The `jwt` block's name.
    public let issuer: String
    /// The key with its algorithm.
    public let key: SigningKey

    /// A key of a `jwt` block.
    public init(issuer: String, key: SigningKey) {
        self.issuer = issuer
        self.key = key
    }
}
