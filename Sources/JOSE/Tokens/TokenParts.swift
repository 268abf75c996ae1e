/// Where the three parts of a compact JWS (RFC 7515 §7.1) lie in a token.
struct TokenParts {
    /// Longer tokens are refused before they are looked at.
    static let maximumSize = 16384

    let header: Range<Int>
    let payload: Range<Int>
    let signature: Range<Int>

    /// What is signed (RFC 7515 §5.2 step 8).
    var signingInput: Range<Int> { 0..<payload.upperBound }

    /// Nil unless there are exactly two dots; a JWE has four.
    init?(_ token: Span<UInt8>) {
        guard token.count <= Self.maximumSize else { return nil }
        let first = ByteWords.first(UInt8(ascii: "."), in: token, from: 0)
        guard first > 0, first < token.count else { return nil }
        let second = ByteWords.first(UInt8(ascii: "."), in: token, from: first &+ 1)
        guard second < token.count else { return nil }
        let third = ByteWords.first(UInt8(ascii: "."), in: token, from: second &+ 1)
        guard third == token.count else { return nil }
        header = 0..<first
        payload = (first + 1)..<second
        signature = (second + 1)..<token.count
    }
}
