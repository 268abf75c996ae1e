/// A JSON Web Key (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2) on its way to a `VerificationKey`.
struct JSONWebKey {
    private let members: JSONObject

    init(_ members: JSONObject) { self.members = members }

    /// Its name, for messages.
    var displayName: String? { members["kid"]?.string }

    /// Whether it gives away what only its owner should have.
    var showsPrivateKey: Bool { members["d"] != nil }

    /// The key for those of `algorithms` that it can do, or why it cannot be used.
    func verificationKey(algorithms: [SignatureAlgorithm]) throws(KeyError) -> VerificationKey {
        let type = try text("kty")
        try checkUse()
        let allowed = try restrict(algorithms)
        var key = try key(type: type, algorithms: allowed)
        if members["kid"] != nil { key.keyID = try text("kid") }
        return key
    }

    /// RFC 7517 §4.2 and §4.3: a key for something else is not for signatures.
    private func checkUse() throws(KeyError) {
        if let use = members["use"] {
            guard case .string("sig") = use else { throw KeyError("its use is not 'sig'") }
        }
        if let operations = members["key_ops"] {
            guard let list = operations.array, list.contains(.string("verify")) || list.contains(.string("sign")) else {
                throw KeyError("its key_ops do not hold 'verify'")
            }
        }
    }

    /// RFC 7517 §4.4: `alg` binds the key to one algorithm.
    private func restrict(_ algorithms: [SignatureAlgorithm]) throws(KeyError) -> [SignatureAlgorithm] {
        guard members["alg"] != nil else { return algorithms }
        let name = try text("alg")
        let bound = algorithms.filter { $0.rawValue == name }
        if bound.isEmpty { throw KeyError("its alg '\(name.prefix(32))' is not among the algorithms") }
        return bound
    }

    private func key(type: String, algorithms: [SignatureAlgorithm]) throws(KeyError) -> VerificationKey {
        switch type {
        case "RSA":
            let key = try RSAPublicKey.make(modulus: bytes("n"), exponent: bytes("e"))
            return try VerificationKey(key: key, algorithms: algorithms)
        case "EC":
            let name = try text("crv")
            guard let curve = Curve(rawValue: name) else { throw KeyError("its curve '\(name.prefix(32))' is unknown") }
            let key = try ECPublicKey.make(curve: curve, x: bytes("x"), y: bytes("y"))
            return try VerificationKey(key: key, algorithms: algorithms)
        case "OKP":
            let name = try text("crv")
            guard name == "Ed25519" else { throw KeyError("its curve '\(name.prefix(32))' is unknown") }
            return try VerificationKey(key: Ed25519PublicKey.make(bytes("x")), algorithms: algorithms)
        case "oct":
            let secret = try bytes("k")
            // The listed algorithms are those of the whole set: a secret too short for one may do for another.
            let usable = algorithms.filter { $0.family == .hmac && $0.digest.size <= secret.count }
            return try VerificationKey(secret: secret, algorithms: usable.isEmpty ? algorithms : usable)
        default:
            throw KeyError("its kty '\(type.prefix(32))' is unknown")
        }
    }

    private func text(_ name: String) throws(KeyError) -> String {
        guard let text = members[name]?.string else {
            throw KeyError("its member '\(name)' is missing or not a string")
        }
        return text
    }

    private func bytes(_ name: String) throws(KeyError) -> [UInt8] {
        guard let bytes = Base64URL.decode(try text(name)) else {
            throw KeyError("its member '\(name)' is not base64url")
        }
        return bytes
    }
}
