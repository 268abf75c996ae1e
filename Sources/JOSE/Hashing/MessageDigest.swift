import COpenSSL

/// One reusable hash computation. Confined to its owner.
///
/// Invariant: `context` belongs to this object, is freed by `deinit`, and always has its algorithm set. Algorithms are
/// fetched once for the process (OpenSSL 3 looks an algorithm up by name on every use otherwise, which takes longer than
/// hashing a token).
@safe
final class MessageDigest {
    let algorithm: DigestAlgorithm
    private let context: OpaquePointer

    init(_ algorithm: DigestAlgorithm) {
        self.algorithm = algorithm
        guard let context = unsafe EVP_MD_CTX_new(),
            unsafe EVP_DigestInit_ex2(context, Fetched.of(algorithm).pointer, nil) == 1
        else { fatalError("no memory for a hash") }
        unsafe self.context = context
    }

    deinit { unsafe EVP_MD_CTX_free(context) }

    /// Begins anew.
    func restart() {
        guard unsafe EVP_DigestInit_ex2(context, nil, nil) == 1 else { fatalError("a hash cannot begin") }
    }

    /// Goes on from where `other`, of the same algorithm, stands.
    func resume(from other: MessageDigest) {
        guard unsafe EVP_MD_CTX_copy_ex(context, other.context) == 1 else { fatalError("no memory for a hash") }
    }

    /// Takes in bytes.
    func update(_ bytes: Span<UInt8>) {
        let result = unsafe bytes.withUnsafeBytes { unsafe EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
        guard result == 1 else { fatalError("a hash cannot go on") }
    }

    /// The hash value. Afterwards only `restart` and `resume` may follow.
    func finish(into value: inout DigestValue) {
        var bytes = value.storage.mutableSpan
        let result = unsafe bytes.withUnsafeMutableBufferPointer {
            unsafe EVP_DigestFinal_ex(context, $0.baseAddress, nil)
        }
        guard result == 1 else { fatalError("a hash cannot end") }
        value.count = algorithm.size
    }

    /// An algorithm of the default provider. Immutable, kept for the life of the process.
    @safe
    private struct Fetched: @unchecked Sendable {
        let pointer: OpaquePointer

        private static let sha256 = Fetched(.sha256)
        private static let sha384 = Fetched(.sha384)
        private static let sha512 = Fetched(.sha512)

        private init(_ algorithm: DigestAlgorithm) {
            guard let pointer = unsafe EVP_MD_fetch(nil, algorithm.name, nil) else {
                fatalError("OpenSSL lacks \(algorithm.name)")
            }
            unsafe self.pointer = pointer
        }

        static func of(_ algorithm: DigestAlgorithm) -> Fetched {
            switch algorithm {
            case .sha256: sha256
            case .sha384: sha384
            case .sha512: sha512
            }
        }
    }
}
