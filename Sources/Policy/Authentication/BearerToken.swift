import JOSE

/// The credential in an `Authorization` value, by its form alone, before any verification.
public enum BearerToken {
    /// What a credential looks like.
    enum Form: Equatable {
        /// Three base64url segments, the first one JSON with `alg`.
        case jwt
        /// Begins with the configured prefix.
        case apiKey
        /// Neither.
        case unknown
    }

    /// The range of the credential in an `Authorization` value, byte for byte to the value's end; nil when there is none:
    /// another scheme, or nothing behind it. The scheme is matched in any case (RFC 9110 §11.1), and one or more spaces
    /// follow it.
    @inline(__always)
    public static func range(in value: Span<UInt8>) -> Range<Int>? {
        let space = UInt8(ascii: " ")
        // Scheme, space and at least one byte make eight. With bit 5 set only a letter in either case is that letter.
        let bearer: UInt64 = 0x7265_7261_6562
        guard value.count >= 8, value[6] == space,
            (ByteWords.load(value, 0) | 0x2020_2020_2020) & 0xffff_ffff_ffff == bearer
        else { return nil }
        var start = 7
        while start < value.count, value[start] == space { start &+= 1 }
        return start < value.count ? start..<value.count : nil
    }

    /// What a credential looks like. One that begins with the prefix and is a JWT all the same is a JWT.
    static func form(of token: Span<UInt8>, keyPrefix: [UInt8]) -> Form {
        let hasPrefix = ByteWords.hasPrefix(token, keyPrefix)
        if hasPrefix, hasNoDot(token) { return .apiKey }
        if looksLikeJWT(token) { return .jwt }
        return hasPrefix ? .apiKey : .unknown
    }

    /// Is certainly no JWT.
    @inline(__always)
    static func hasNoDot(_ token: Span<UInt8>) -> Bool {
        for place in 0..<token.count where token[place] == UInt8(ascii: ".") { return false }
        return true
    }
}
