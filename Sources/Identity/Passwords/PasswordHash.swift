internal import JOSE

/// A password as it is kept: the text of a hash with its parameters.
///
/// New ones are PHC strings of scrypt, `$scrypt$ln=15,r=8,p=3$SALT$HASH` (RFC 7914; base64 without padding). What Django's
/// hashers write is understood as well: `pbkdf2_sha256$ITERATIONS$SALT$HASH`, `pbkdf2_sha1$…` and
/// `scrypt$N$SALT$R$P$HASH`. Checking is slow on purpose: not for a shard's queue.
public struct PasswordHash: Sendable, Equatable {
    /// As it is kept.
    public let text: String
    let function: KeyFunction
    private let salt: [UInt8]
    private let hash: [UInt8]

    /// N = 2^15, r = 8, p = 3: 32 MiB, and about a tenth of a second.
    static let current = KeyFunction.scrypt(logN: 15, blockSize: 8, parallelism: 3)
    private static let saltSize = 16
    private static let hashSize = 32
    /// Longer texts are no hashes.
    static let longestText = 512

    /// Reads a hash; nil when it is not understood, or would cost more memory or time than a login may.
    public init?(_ text: String) {
        guard text.utf8.count <= Self.longestText else { return nil }
        let parts = text.split(separator: "$", omittingEmptySubsequences: false).map(String.init)
        let parsed: (KeyFunction, [UInt8]?, [UInt8]?)?
        switch parts.first {
        case "" where parts.count == 5 && parts[1] == "scrypt":
            parsed = KeyFunction(parameters: parts[2]).map {
                ($0, Base64.decode(parts[3], padded: false), Base64.decode(parts[4], padded: false))
            }
        case "pbkdf2_sha256" where parts.count == 4, "pbkdf2_sha1" where parts.count == 4:
            parsed = KeyFunction(pbkdf2: parts[0], iterations: parts[1]).map {
                ($0, Array(parts[2].utf8), Base64.decode(parts[3], padded: true))
            }
        case "scrypt" where parts.count == 6:
            parsed = KeyFunction(n: parts[1], blockSize: parts[3], parallelism: parts[4]).map {
                ($0, Array(parts[2].utf8), Base64.decode(parts[5], padded: true))
            }
        default: parsed = nil
        }
        guard let parsed, let salt = parsed.1, let hash = parsed.2, (1...64).contains(salt.count),
            (16...64).contains(hash.count)
        else { return nil }
        self.text = text
        function = parsed.0
        self.salt = salt
        self.hash = hash
    }

    private init(function: KeyFunction, salt: [UInt8], hash: [UInt8]) {
        self.function = function
        self.salt = salt
        self.hash = hash
        text = "$scrypt$\(function.parameters)$\(Base64.encode(salt))$\(Base64.encode(hash))"
    }

    /// The hash of a password under a fresh salt, in today's strength.
    public static func make(_ password: String) -> PasswordHash {
        let salt = RandomBytes.make(saltSize)
        let hash = current.derive(PasswordText.normalized(password), salt: salt, count: hashSize)
        return PasswordHash(function: current, salt: salt, hash: hash)
    }

    /// A hash that no password has, and that costs as much to find that out as any new one.
    public static let dummy = PasswordHash(
        function: current, salt: RandomBytes.make(saltSize), hash: RandomBytes.make(hashSize))

    /// Whether it has today's strength and form; else the password is hashed anew when it is known.
    public var isCurrent: Bool { text.hasPrefix("$scrypt$") && function.isAtLeast(Self.current) }

    /// Whether the password is the right one: in NFC, and also as it was sent, since a table from elsewhere may have been
    /// made without normalisation.
    public func matches(_ password: String) -> Bool {
        PasswordText.forms(password).contains(where: matches)
    }

    private func matches(_ password: [UInt8]) -> Bool {
        SecureBytes.areEqual(function.derive(password, salt: salt, count: hash.count), hash)
    }
}
