/// A secret for one purpose, which every holder of a signing key makes alike, and which tells nothing of that key.
public struct DerivedKey: Sendable {
    private let secret: SecretBytes

    fileprivate init(of material: [UInt8], for purpose: String) {
        let root = HMACVerifier(secret: SecretBytes(material), digest: .sha256, digests: DigestSet())
        secret = SecretBytes(Self.bytes(root.authenticate(Array(purpose.utf8).span)))
    }

    /// The code of a message, 32 bytes (HMAC-SHA256, RFC 2104).
    public func code(of message: [UInt8]) -> [UInt8] {
        Self.bytes(
            HMACVerifier(secret: secret, digest: .sha256, digests: DigestSet()).authenticate(message.span))
    }

    private static func bytes(_ value: DigestValue) -> [UInt8] { (0..<value.count).map { value.storage[$0] } }
}

extension SigningKey {
    /// The secret of a purpose of this name.
    public func derived(for purpose: String) -> DerivedKey { DerivedKey(of: secretMaterial, for: purpose) }
}
