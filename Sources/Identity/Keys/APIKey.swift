public import JOSE

/// The secret that a client holds. It exists here only while it is made: what is kept is its SHA-256.
public enum APIKey {
    private static let shownCharacters = 5

    /// A new key: `prefix` and 43 base64url characters of 32 random bytes, and the digest to keep.
    public static func make(prefix: String) -> (secret: String, digest: Digest256) {
        let secret = prefix + Base64URL.encode(RandomBytes.make(32))
        return (secret, digest(of: secret))
    }

    /// The digest by which a key is kept and found.
    public static func digest(of secret: String) -> Digest256 {
        let bytes = Array(secret.utf8)
        return SHA256().hash(bytes.span)
    }

    /// How the key starts, for people to recognise it by: the configured prefix and five characters, 30 of 256 bits.
    public static func shownPrefix(of secret: String, prefix: String) -> String {
        String(secret.prefix(prefix.count + shownCharacters))
    }
}
