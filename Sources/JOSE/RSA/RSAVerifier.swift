/// RS256 to RS512 and PS256 to PS512 under one key. Confined to its owner.
final class RSAVerifier {
    private let size: Int
    private let context: VerificationContext

    init(key: AsymmetricKey, bits: Int, scheme: VerificationContext.Scheme) throws(KeyError) {
        size = (bits + 7) / 8
        context = try VerificationContext(key: key, scheme: scheme)
    }

    /// Whether `signature` belongs to what was hashed to `digest`. It has to be exactly as long as the modulus
    /// (RFC 8017 §8.1.2 step 1, §8.2.2 step 1), so that no zeros can be put before it.
    func verify(_ signature: Span<UInt8>, digest: Span<UInt8>) -> Bool {
        guard signature.count == size else { return false }
        return context.verify(signature, digest: digest)
    }
}
