/// RSA keys by their numbers (RFC 7518 §6.3.1), and the sizes that are accepted.
enum RSAPublicKey {
    /// RFC 7518 §3.3: at least 2048 bits. The upper bound is OpenSSL's; it keeps one verification from taking seconds.
    static let acceptedBits = 2048...16384

    /// The key with this modulus and exponent, big-endian.
    static func make(modulus: [UInt8], exponent: [UInt8]) throws(KeyError) -> AsymmetricKey {
        let n = [UInt8](modulus.drop { $0 == 0 })
        let e = [UInt8](exponent.drop { $0 == 0 })
        guard let nLast = n.last, nLast & 1 == 1, n.count <= acceptedBits.upperBound / 8 else {
            throw KeyError("its modulus is not that of an RSA key")
        }
        guard let eLast = e.last, eLast & 1 == 1, e != [1], e.count <= 8 else {
            throw KeyError("its exponent is not that of an RSA key")
        }
        // RFC 3279 §2.3.1: rsaEncryption with NULL parameters.
        let identifier = DER.sequence([
            [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01], [0x05, 0x00],
        ])
        let numbers = DER.sequence([DER.integer(n), DER.integer(e)])
        return try AsymmetricKey(subjectPublicKeyInfo: DER.sequence([identifier, DER.bitString(numbers)]))
    }
}
