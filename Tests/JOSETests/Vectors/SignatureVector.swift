import JOSE
import Testing

/// Published examples, byte for byte. Not all payloads are claims, so that signatures are what is checked.
struct SignatureVector: Sendable, CustomTestStringConvertible {
    let name: String
    let algorithm: SignatureAlgorithm
    /// The public key, or the secret, as JWK.
    let key: String
    /// The compact JWS.
    let token: String

    var testDescription: String { name }
}
