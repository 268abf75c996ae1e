/// The few members of a JOSE header (RFC 7515 §4.1) that are looked at.
///
/// `jku`, `jwk`, `x5u` and `x5c` are ignored: keys come from the configuration only (RFC 8725 §3.10).
struct TokenHeader {
    let algorithm: SignatureAlgorithm
    let keyID: String?

    init(_ bytes: Span<UInt8>) throws(TokenFailure) {
        guard let header = (try? JSONReader.parse(bytes))?.object else {
            throw .invalid("the header is not acceptable JSON")
        }
        // RFC 7515 §4.1.11: what is critical has to be understood, and nothing is.
        guard header["crit"] == nil else { throw .invalid("the header has crit, of which nothing is understood") }
        // RFC 7797 §6: an unencoded payload is a critical extension.
        guard header["b64"] == nil || header["b64"] == .bool(true) else {
            throw .invalid("an unencoded payload (b64) is not understood")
        }
        // RFC 7516 §9: what tells an encrypted token from a signed one.
        guard header["enc"] == nil else { throw .invalid("the token is encrypted") }
        guard let name = header["alg"]?.string else { throw .invalid("the header has no alg") }
        guard let algorithm = SignatureAlgorithm(name: name) else {
            throw .invalid("alg is not one that is understood")
        }
        self.algorithm = algorithm
        switch header["kid"] {
        case nil: keyID = nil
        case .string(let text): keyID = text
        default: throw .invalid("kid is not a string")
        }
    }
}

extension SignatureAlgorithm {
    /// The algorithm of exactly that name: names are case-sensitive (RFC 7515 §4.1.1).
    init?(name: String) {
        guard let algorithm = SignatureAlgorithm(rawValue: name), algorithm.rawValue.hasSameBytes(as: name) else {
            return nil
        }
        self = algorithm
    }
}
