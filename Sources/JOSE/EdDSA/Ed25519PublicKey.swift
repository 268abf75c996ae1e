/// Ed25519 keys by their 32 bytes (RFC 8037 §2).
enum Ed25519PublicKey {
    /// Bytes of a public key.
    static let size = 32

    /// The key with these bytes.
    static func make(_ bytes: [UInt8]) throws(KeyError) -> AsymmetricKey {
        guard bytes.count == size else { throw KeyError("an Ed25519 key has \(size) bytes, not \(bytes.count)") }
        // RFC 8410 §4: id-Ed25519 without parameters.
        let identifier = DER.sequence([[0x06, 0x03, 0x2B, 0x65, 0x70]])
        return try AsymmetricKey(subjectPublicKeyInfo: DER.sequence([identifier, DER.bitString(bytes)]))
    }
}
