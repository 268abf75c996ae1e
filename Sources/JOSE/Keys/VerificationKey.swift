/// A key that checks signatures, and the algorithms that it may be used with.
public struct VerificationKey: Sendable {
    /// What it is made of.
    enum Material: Sendable {
        case secret(SecretBytes)
        case asymmetric(AsymmetricKey)
    }

    let material: Material
    /// Its name in a key set (RFC 7517 §4.5). A `secret` or `pem` key has none.
    public var keyID: String?
    /// Those of the listed algorithms that this kind of key can do; never empty.
    public let algorithms: [SignatureAlgorithm]

    /// A shared secret for the HMAC algorithms among `algorithms`.
    ///
    /// RFC 7518 §3.2: it has to be at least as long as the hash of each of them.
    public init(secret: [UInt8], algorithms: [SignatureAlgorithm]) throws(KeyError) {
        let usable = algorithms.filter { $0.family == .hmac }
        guard !usable.isEmpty else {
            throw KeyError("a secret is for HS256, HS384 and HS512, none of which is among the algorithms")
        }
        for algorithm in usable where secret.count < algorithm.digest.size {
            throw KeyError(
                "the secret has \(secret.count) bytes; \(algorithm.rawValue) needs at least \(algorithm.digest.size)")
        }
        material = .secret(SecretBytes(secret))
        self.algorithms = usable
    }

    /// A public key, a certificate's key, or the public half of a private key, as PEM. RSA keys have at least 2048 bits.
    public init(pem: [UInt8], algorithms: [SignatureAlgorithm]) throws(KeyError) {
        try self.init(key: AsymmetricKey(pem: pem), algorithms: algorithms)
    }

    init(key: AsymmetricKey, algorithms: [SignatureAlgorithm]) throws(KeyError) {
        let usable = algorithms.filter { key.canDo($0) }
        guard !usable.isEmpty else {
            throw KeyError("it is \(key.kind.article), which none of the algorithms can use")
        }
        material = .asymmetric(key)
        self.algorithms = usable
    }
}

extension AsymmetricKey {
    /// Whether an algorithm is for this kind of key.
    func canDo(_ algorithm: SignatureAlgorithm) -> Bool {
        switch (algorithm.family, kind) {
        case (.rsaPKCS1, .rsa), (.rsaPSS, .rsa), (.ed25519, .ed25519): true
        case (.ecdsa(let wanted), .ec(let curve)): wanted == curve
        default: false
        }
    }
}

extension AsymmetricKey.Kind {
    /// With its article, for messages.
    var article: String {
        switch self {
        case .rsa: "an RSA key"
        case .ec(let curve): "a key on \(curve.rawValue)"
        case .ed25519: "an Ed25519 key"
        }
    }
}
