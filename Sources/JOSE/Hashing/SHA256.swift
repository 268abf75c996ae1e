/// SHA-256 with a reused context. Confined to its owner, usually a shard.
public final class SHA256 {
    private let digest = MessageDigest(.sha256)

    /// A context of its own.
    public init() {}

    /// The hash of `bytes`.
    public func hash(_ bytes: Span<UInt8>) -> Digest256 {
        digest.restart()
        digest.update(bytes)
        var value = DigestValue()
        digest.finish(into: &value)
        return Digest256(value.bytes) ?? Digest256()
    }

    /// Puts the hash of `bytes` into `value`.
    public func hash(_ bytes: Span<UInt8>, into value: inout Digest256) { value = hash(bytes) }
}
