/// Elliptic-curve keys by their coordinates (RFC 7518 §6.2.1).
enum ECPublicKey {
    /// The key with these coordinates, each of exactly the curve's size.
    static func make(curve: Curve, x: [UInt8], y: [UInt8]) throws(KeyError) -> AsymmetricKey {
        guard x.count == curve.size, y.count == curve.size else {
            throw KeyError("its coordinates have to be \(curve.size) bytes each for \(curve.rawValue)")
        }
        // RFC 5480 §2: id-ecPublicKey, the named curve, and the uncompressed point.
        let identifier = DER.sequence([[0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01], curve.objectIdentifier])
        let key = try AsymmetricKey(subjectPublicKeyInfo: DER.sequence([identifier, DER.bitString([0x04] + x + y)]))
        guard key.kind == .ec(curve) else { throw KeyError("it is not a key on \(curve.rawValue)") }
        return key
    }
}
