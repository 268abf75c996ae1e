/// HMAC (RFC 2104) under one key, with the hash states behind both padded keys computed once. Confined to its owner.
///
/// Copying the two states costs about 0.1 µs more than the bare hash of a 500-byte token; hashing the padded keys anew
/// took 0.2 µs and `EVP_MAC_CTX_dup` 0.55 µs (OpenSSL 3.0).
final class HMACVerifier {
    private let inner: MessageDigest
    private let outer: MessageDigest
    private let work: MessageDigest

    init(secret: SecretBytes, digest algorithm: DigestAlgorithm, digests: DigestSet) {
        work = digests.digest(algorithm)
        inner = MessageDigest(algorithm)
        outer = MessageDigest(algorithm)
        var key = secret.bytes
        // RFC 2104 §2: a key longer than a block is hashed first.
        if key.count > algorithm.blockSize {
            let hashed = digests.hash(key.span, with: algorithm)
            key = (0..<hashed.count).map { hashed.storage[$0] }
        }
        key.append(contentsOf: repeatElement(0, count: algorithm.blockSize - key.count))
        let innerKey = key.map { $0 ^ 0x36 }
        let outerKey = key.map { $0 ^ 0x5C }
        inner.update(innerKey.span)
        outer.update(outerKey.span)
    }

    /// The code of `message`.
    func authenticate(_ message: Span<UInt8>) -> DigestValue {
        var value = DigestValue()
        work.resume(from: inner)
        work.update(message)
        work.finish(into: &value)
        work.resume(from: outer)
        work.update(value.bytes)
        work.finish(into: &value)
        return value
    }

    /// Whether `signature` is the whole code of `message` (RFC 7518 §3.2 knows no truncation), in constant time.
    func verify(_ signature: Span<UInt8>, of message: Span<UInt8>) -> Bool {
        let expected = authenticate(message)
        return ConstantTime.areEqual(expected.bytes, signature)
    }
}
