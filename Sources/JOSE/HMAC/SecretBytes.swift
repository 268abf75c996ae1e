import COpenSSL

/// The bytes of a shared secret; overwritten when the last holder lets go.
final class SecretBytes: @unchecked Sendable {
    /// Never changed before `deinit`, which is why it may be shared among threads.
    private var storage: [UInt8]

    init(_ bytes: [UInt8]) { storage = bytes }

    deinit {
        unsafe storage.withUnsafeMutableBytes { unsafe OPENSSL_cleanse($0.baseAddress, $0.count) }
    }

    /// The secret.
    var bytes: [UInt8] { storage }

    /// How long it is.
    var count: Int { storage.count }
}
