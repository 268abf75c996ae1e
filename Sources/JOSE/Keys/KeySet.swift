/// The usable keys of a JWK Set (RFC 7517 §5).
public struct KeySet: Sendable {
    /// The keys, in the order of the set. Empty when none can be used: the caller decides what that means.
    public let keys: [VerificationKey]
    /// A sentence for each key that was passed over or looks wrong.
    public let warnings: [String]

    /// The longest key set that is read, in bytes.
    public static let maximumSize = 1 << 20

    /// Reads a key set or a single key.
    ///
    /// Keys that are unknown, too weak or for another use are passed over with a warning (RFC 7517 §5: "implementations
    /// SHOULD ignore JWKs within a JWK Set that use kty values that are not understood"), so that an issuer may add a new
    /// kind of key without stopping the gateway.
    public static func jwks(_ json: [UInt8], algorithms: [SignatureAlgorithm]) throws(KeyError) -> KeySet {
        let value: JSONValue
        do {
            value = try JSONReader.parse(json.span, maximumSize: maximumSize)
        } catch {
            throw KeyError("it is not a JWK Set (\(error))")
        }
        guard let object = value.object else { throw KeyError("it is not a JWK Set (not a JSON object)") }
        if object["keys"] == nil, object["kty"] != nil {
            return KeySet(keys: [try JSONWebKey(object).verificationKey(algorithms: algorithms)], warnings: [])
        }
        guard let list = object["keys"]?.array else {
            throw KeyError("it is not a JWK Set (its member 'keys' is missing or not an array)")
        }
        var keys: [VerificationKey] = []
        var warnings: [String] = []
        for (index, item) in list.enumerated() {
            guard let members = item.object else {
                warnings.append("key \(index + 1) is passed over: it is not an object")
                continue
            }
            let candidate = JSONWebKey(members)
            let name = candidate.displayName.map { "key \(index + 1) ('\($0.prefix(64))')" } ?? "key \(index + 1)"
            do throws(KeyError) {
                keys.append(try candidate.verificationKey(algorithms: algorithms))
                if candidate.showsPrivateKey { warnings.append("\(name) shows its private part") }
            } catch {
                warnings.append("\(name) is passed over: \(error.message)")
            }
        }
        return KeySet(keys: keys, warnings: warnings)
    }
}
