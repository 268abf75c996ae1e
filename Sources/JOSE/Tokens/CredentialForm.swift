/// What a bearer credential looks like, before anything is verified.
public enum CredentialForm: Equatable, Sendable {
    /// Three base64url segments with a JSON header that has `alg`.
    case jwt
    /// Anything else.
    case notJWT

    /// Judges by form alone. It says nothing about whether the credential is any good.
    public init(of bytes: Span<UInt8>) { self = looksLikeJWT(bytes) ? .jwt : .notJWT }
}

/// Whether a credential has the form of a JWT: three base64url segments, the first a JSON object with `alg`.
///
/// Longer ones than a token may be are none, so that the cost is bounded.
public func looksLikeJWT(_ bytes: Span<UInt8>) -> Bool {
    guard let parts = TokenParts(bytes) else { return false }
    var decoded: [UInt8] = []
    guard Base64URL.decode(bytes.extracting(parts.payload), into: &decoded),
        Base64URL.decode(bytes.extracting(parts.signature), into: &decoded),
        Base64URL.decode(bytes.extracting(parts.header), into: &decoded),
        let header = (try? JSONReader.parse(decoded.span))?.object
    else { return false }
    return header["alg"] != nil
}
