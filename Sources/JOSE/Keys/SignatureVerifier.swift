/// One key with one algorithm, ready to verify: the key has decided the algorithm (RFC 8725 §3.1). Confined to its owner.
enum SignatureVerifier {
    case hmac(HMACVerifier)
    case rsa(RSAVerifier, DigestAlgorithm)
    case ecdsa(ECDSAVerifier, DigestAlgorithm)
    case ed25519(Ed25519Verifier)

    init(key: VerificationKey, algorithm: SignatureAlgorithm, digests: DigestSet) throws(KeyError) {
        let digest = algorithm.digest
        switch (key.material, algorithm.family) {
        case (.secret(let secret), .hmac):
            self = .hmac(HMACVerifier(secret: secret, digest: digest, digests: digests))
        case (.asymmetric(let key), .rsaPKCS1):
            self = .rsa(try Self.rsa(key, .pkcs1(digest)), digest)
        case (.asymmetric(let key), .rsaPSS):
            self = .rsa(try Self.rsa(key, .pss(digest)), digest)
        case (.asymmetric(let key), .ecdsa(let curve)):
            guard key.kind == .ec(curve) else { throw KeyError("it is not a key for \(algorithm.rawValue)") }
            self = .ecdsa(try ECDSAVerifier(key: key, curve: curve), digest)
        case (.asymmetric(let key), .ed25519):
            guard key.kind == .ed25519 else { throw KeyError("it is not a key for \(algorithm.rawValue)") }
            self = .ed25519(try Ed25519Verifier(key: key))
        default:
            throw KeyError("it is not a key for \(algorithm.rawValue)")
        }
    }

    private static func rsa(
        _ key: AsymmetricKey, _ scheme: VerificationContext.Scheme
    ) throws(KeyError) -> RSAVerifier {
        guard case .rsa(let bits) = key.kind else { throw KeyError("it is not an RSA key") }
        return try RSAVerifier(key: key, bits: bits, scheme: scheme)
    }

    /// Whether `signature`, in the form of RFC 7518, belongs to `message`.
    func verify(_ signature: Span<UInt8>, of message: Span<UInt8>, digests: DigestSet) -> Bool {
        switch self {
        case .hmac(let verifier): return verifier.verify(signature, of: message)
        case .rsa(let verifier, let digest):
            let hash = digests.hash(message, with: digest)
            return verifier.verify(signature, digest: hash.bytes)
        case .ecdsa(let verifier, let digest):
            let hash = digests.hash(message, with: digest)
            return verifier.verify(signature, digest: hash.bytes)
        case .ed25519(let verifier): return verifier.verify(signature, of: message)
        }
    }
}
