/// The hashes of RFC 7518.
enum DigestAlgorithm: Sendable {
    case sha256
    case sha384
    case sha512

    /// Bytes of a hash value.
    var size: Int {
        switch self {
        case .sha256: 32
        case .sha384: 48
        case .sha512: 64
        }
    }

    /// Bytes that the hash takes in at once: B of RFC 2104.
    var blockSize: Int { self == .sha256 ? 64 : 128 }

    /// OpenSSL's name.
    var name: String {
        switch self {
        case .sha256: "SHA2-256"
        case .sha384: "SHA2-384"
        case .sha512: "SHA2-512"
        }
    }
}
