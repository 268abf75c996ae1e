/// The hash computations that one token verifier reuses for all of its keys. Confined to its owner.
final class DigestSet {
    private let sha256 = MessageDigest(.sha256)
    private let sha384 = MessageDigest(.sha384)
    private let sha512 = MessageDigest(.sha512)

    /// The computation for an algorithm, in an unknown state: restart it.
    func digest(_ algorithm: DigestAlgorithm) -> MessageDigest {
        switch algorithm {
        case .sha256: sha256
        case .sha384: sha384
        case .sha512: sha512
        }
    }

    /// The hash of `message`.
    func hash(_ message: Span<UInt8>, with algorithm: DigestAlgorithm) -> DigestValue {
        var value = DigestValue()
        let digest = digest(algorithm)
        digest.restart()
        digest.update(message)
        digest.finish(into: &value)
        return value
    }
}
