/// A signing key's public half, as others get it.
extension SigningKey {
    /// A private key that is named by its RFC 7638 thumbprint, so that a new key always has a new name.
    public init(namedByThumbprint pem: [UInt8], algorithm: SignatureAlgorithm) throws(KeyError) {
        let key = try SigningKey(pem: pem, algorithm: algorithm)
        guard let parameters = key.publicParameters else { throw KeyError("its public half cannot be read") }
        try self.init(pem: pem, algorithm: algorithm, keyID: Self.thumbprint(parameters))
    }

    /// The public key as a JWK (RFC 7517 §4) with its name and algorithm; nil for a secret, which has no public half.
    public var publicJWK: JSONObject? {
        guard var object = publicParameters else { return nil }
        if let keyID { object["kid"] = .string(keyID) }
        object["use"] = .string("sig")
        object["alg"] = .string(algorithm.rawValue)
        return object
    }

    /// RFC 7638 §3: SHA-256 over the required members in lexical order.
    private static func thumbprint(_ parameters: JSONObject) -> String {
        var ordered = JSONObject()
        for member in parameters.members.sorted(by: {
            Array($0.name.utf8).lexicographicallyPrecedes(Array($1.name.utf8))
        }) {
            ordered[member.name] = member.value
        }
        let text = JSONWriter.encode(ordered)
        return Base64URL.encode(SHA256().hash(text.span).bytes)
    }
}

extension AsymmetricKey {
    /// The members that make the public key (RFC 7518 §6.2.1 and §6.3.1, RFC 8037 §2), from its SubjectPublicKeyInfo, at whose
    /// end they stand.
    var publicParameters: JSONObject? {
        let info = subjectPublicKeyInfo
        switch kind {
        case .rsa:
            var reader = DER.Reader(info)
            guard let (modulus, exponent) = reader.rsaPublicKey() else { return nil }
            return ["kty": .string("RSA"), "n": number(modulus), "e": number(exponent)]
        case .ec(let curve):
            let point = info.suffix(2 * curve.size)
            guard info.count > point.count, info[point.startIndex - 1] == 0x04 else { return nil }
            return [
                "kty": .string("EC"), "crv": .string(curve.rawValue), "x": number(point.prefix(curve.size)),
                "y": number(point.suffix(curve.size)),
            ]
        case .ed25519:
            return [
                "kty": .string("OKP"), "crv": .string("Ed25519"), "x": number(info.suffix(Ed25519PublicKey.size)),
            ]
        }
    }

    private func number(_ bytes: ArraySlice<UInt8>) -> JSONValue { .string(Base64URL.encode(Array(bytes))) }
}
