/// ES256, ES384, ES512 under one key. Confined to its owner.
final class ECDSAVerifier {
    private let curve: Curve
    private let context: VerificationContext
    private var der: [UInt8] = []

    init(key: AsymmetricKey, curve: Curve) throws(KeyError) {
        self.curve = curve
        context = try VerificationContext(key: key, scheme: .ecdsa)
        der.reserveCapacity(144)
    }

    /// Whether `signature`, as `r || s`, belongs to what was hashed to `digest`.
    func verify(_ signature: Span<UInt8>, digest: Span<UInt8>) -> Bool {
        guard ECDSASignature.encodeDER(signature, on: curve, into: &der) else { return false }
        let der = der
        return context.verify(der.span, digest: digest)
    }
}
