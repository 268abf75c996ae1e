internal import COpenSSL

/// A function that makes a key of a password slowly, with its parameters, which are within bounds.
enum KeyFunction: Sendable, Hashable {
    case scrypt(logN: Int, blockSize: Int, parallelism: Int)
    case pbkdf2(digest: Digest, iterations: Int)

    enum Digest: String, Sendable {
        case sha1 = "pbkdf2_sha1"
        case sha256 = "pbkdf2_sha256"
    }

    /// Bytes that scrypt may take (128 · N · r): eight times what a new hash takes.
    private static let memoryAtMost = 256 << 20
    /// What scrypt may cost in time (N · r · p): about sixteen times a new hash.
    private static let workAtMost = 1 << 24
    private static let iterationsAtMost = 10_000_000

    /// `ln=15,r=8,p=3`
    init?(parameters: String) {
        let words = parameters.split(separator: ",", omittingEmptySubsequences: false)
        guard words.count == 3, words[0].hasPrefix("ln="), words[1].hasPrefix("r="), words[2].hasPrefix("p="),
            let logN = Self.number(words[0].dropFirst(3)), let blockSize = Self.number(words[1].dropFirst(2)),
            let parallelism = Self.number(words[2].dropFirst(2))
        else { return nil }
        self.init(logN: logN, blockSize: blockSize, parallelism: parallelism)
    }

    /// Django's: N itself, r and p.
    init?(n: String, blockSize: String, parallelism: String) {
        guard let n = Self.number(n[...]), n.nonzeroBitCount == 1, let blockSize = Self.number(blockSize[...]),
            let parallelism = Self.number(parallelism[...])
        else { return nil }
        self.init(logN: n.trailingZeroBitCount, blockSize: blockSize, parallelism: parallelism)
    }

    /// Django's `pbkdf2_sha256` and `pbkdf2_sha1`.
    init?(pbkdf2 name: String, iterations: String) {
        guard let digest = Digest(rawValue: name), let count = Self.number(iterations[...]),
            (1...Self.iterationsAtMost).contains(count)
        else { return nil }
        self = .pbkdf2(digest: digest, iterations: count)
    }

    private init?(logN: Int, blockSize: Int, parallelism: Int) {
        guard (1...24).contains(logN), (1...64).contains(blockSize), (1...64).contains(parallelism),
            128 * blockSize << logN <= Self.memoryAtMost, blockSize * parallelism << logN <= Self.workAtMost
        else { return nil }
        self = .scrypt(logN: logN, blockSize: blockSize, parallelism: parallelism)
    }

    /// Digits without sign or leading zero, at most nine.
    private static func number(_ text: Substring) -> Int? {
        guard (1...9).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), text.first != "0"
        else { return nil }
        return Int(text)
    }

    /// The parameters in a PHC string.
    var parameters: String {
        switch self {
        case .scrypt(let logN, let blockSize, let parallelism): "ln=\(logN),r=\(blockSize),p=\(parallelism)"
        case .pbkdf2(_, let iterations): "i=\(iterations)"
        }
    }

    /// Whether no parameter is weaker.
    func isAtLeast(_ other: KeyFunction) -> Bool {
        guard case .scrypt(let n, let r, let p) = self, case .scrypt(let otherN, let otherR, let otherP) = other else {
            return false
        }
        return n >= otherN && r >= otherR && p >= otherP
    }

    /// `count` bytes of key. Empty when OpenSSL cannot do it, for want of memory: it matches nothing then.
    func derive(_ password: [UInt8], salt: [UInt8], count: Int) -> [UInt8] {
        var key = [UInt8](repeating: 0, count: count)
        let done: Int32
        switch self {
        case .scrypt(let logN, let blockSize, let parallelism):
            let limit = UInt64(128 * blockSize << logN) + UInt64(128 * blockSize * (parallelism + 2)) + 4096
            done = unsafe password.withUnsafeBytes { password in
                unsafe EVP_PBE_scrypt(
                    password.baseAddress?.assumingMemoryBound(to: CChar.self), password.count, salt, salt.count,
                    1 << UInt64(logN), UInt64(blockSize), UInt64(parallelism), limit, &key, key.count)
            }
        case .pbkdf2(let digest, let iterations):
            let function = unsafe digest == .sha1 ? EVP_sha1() : EVP_sha256()
            done = unsafe password.withUnsafeBytes { password in
                unsafe PKCS5_PBKDF2_HMAC(
                    password.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(password.count), salt,
                    Int32(salt.count), Int32(iterations), function, Int32(key.count), &key)
            }
        }
        ERR_clear_error()
        return done == 1 ? key : []
    }
}

/// Bytes that nobody may learn by measuring.
enum SecureBytes {
    /// Whether both are the same; takes as long whether they are or not.
    static func areEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        guard one.count == other.count, !one.isEmpty else { return false }
        return unsafe CRYPTO_memcmp(one, other, one.count) == 0
    }
}
