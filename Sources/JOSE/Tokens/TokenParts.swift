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
        var first = -1
        var second = -1
        for index in 0..<token.count where token[index] == UInt8(ascii: ".") {
            if first < 0 {
                first = index
            } else if second < 0 {
                second = index
            } else {
                return nil
            }
        }
        guard first > 0, second > first else { return nil }
        header = 0..<first
        payload = (first + 1)..<second
        signature = (second + 1)..<token.count
    }
}
