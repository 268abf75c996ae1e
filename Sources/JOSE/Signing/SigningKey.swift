/// A key that the gateway signs its own tokens with.
public struct SigningKey: Sendable {
    private enum Material: Sendable {
        case secret(SecretBytes)
        case asymmetric(AsymmetricKey)
    }

    private let material: Material
    /// What it signs with.
    public let algorithm: SignatureAlgorithm
    /// Its name, put into the header as `kid`.
    public let keyID: String?
    /// The key that verifies what this one signs.
    public let verificationKey: VerificationKey

    /// A shared secret, at least as long as the algorithm's hash.
    public init(secret: [UInt8], algorithm: SignatureAlgorithm, keyID: String? = nil) throws(KeyError) {
        var key = try VerificationKey(secret: secret, algorithms: [algorithm])
        key.keyID = keyID
        verificationKey = key
        material = .secret(SecretBytes(secret))
        self.algorithm = algorithm
        self.keyID = keyID
    }

    /// A private key without pass phrase, as PEM.
    public init(pem: [UInt8], algorithm: SignatureAlgorithm, keyID: String? = nil) throws(KeyError) {
        let key = try AsymmetricKey(pem: pem)
        guard key.isPrivate else { throw KeyError("it is not a private key, which signing needs") }
        var verifying = try VerificationKey(key: key, algorithms: [algorithm])
        verifying.keyID = keyID
        verificationKey = verifying
        material = .asymmetric(key)
        self.algorithm = algorithm
        self.keyID = keyID
    }

    /// What makes its public half; nil for a secret.
    var publicParameters: JSONObject? {
        if case .asymmetric(let key) = material { key.publicParameters } else { nil }
    }

    /// The secret itself, or the private key's DER.
    var secretMaterial: [UInt8] {
        switch material {
        case .secret(let secret): secret.bytes
        case .asymmetric(let key): key.privateDER
        }
    }

    /// A token with these claims, as compact JWS (RFC 7515 §7.1).
    public func sign(claims: JSONObject) throws(KeyError) -> String {
        var header: JSONObject = ["typ": .string("JWT"), "alg": .string(algorithm.rawValue)]
        if let keyID { header["kid"] = .string(keyID) }
        return try sign(header: header, payload: JSONWriter.encode(claims))
    }

    /// A JWS of any payload under any header.
    func sign(header: JSONObject, payload: [UInt8]) throws(KeyError) -> String {
        var token: [UInt8] = []
        let headerText = JSONWriter.encode(header)
        Base64URL.append(headerText.span, to: &token)
        token.append(UInt8(ascii: "."))
        Base64URL.append(payload.span, to: &token)
        let signature = try signature(of: token)
        token.append(UInt8(ascii: "."))
        Base64URL.append(signature.span, to: &token)
        return String(decoding: token, as: UTF8.self)
    }

    /// A signature in the form of RFC 7518.
    func signature(of message: [UInt8]) throws(KeyError) -> [UInt8] {
        switch material {
        case .secret(let secret):
            let hmac = HMACVerifier(secret: secret, digest: algorithm.digest, digests: DigestSet())
            let code = hmac.authenticate(message.span)
            return (0..<code.count).map { code.storage[$0] }
        case .asymmetric(let key):
            guard let signature = key.sign(message, with: algorithm) else {
                throw KeyError("OpenSSL cannot sign with it")
            }
            guard case .ec(let curve) = key.kind else { return signature }
            guard let raw = ECDSASignature.decodeDER(signature, on: curve) else {
                throw KeyError("OpenSSL made a signature that is none")
            }
            return raw
        }
    }
}
