/// EdDSA with Ed25519 under one key. Confined to its owner.
final class Ed25519Verifier {
    private static let signatureSize = 64
    private let context: MessageVerificationContext

    init(key: AsymmetricKey) throws(KeyError) { context = try MessageVerificationContext(key: key) }

    /// Whether `signature` belongs to `message`. OpenSSL refuses `s` ≥ the group's order (RFC 8032 §5.1.7).
    func verify(_ signature: Span<UInt8>, of message: Span<UInt8>) -> Bool {
        guard signature.count == Self.signatureSize else { return false }
        return context.verify(signature, of: message)
    }
}
