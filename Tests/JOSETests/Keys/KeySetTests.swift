import JOSE
import Testing

@Suite struct KeySetTests {
    private static let p256 =
        #""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","#
        + #""y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#
    private static let ed = #""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#
    private static let secret = #""kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0i""#

    private func read(_ json: String, _ algorithms: [SignatureAlgorithm] = SignatureAlgorithm.allCases) throws -> KeySet
    {
        try KeySet.jwks([UInt8](json.utf8), algorithms: algorithms)
    }

    @Test func `keys keep their order, name and algorithm`() throws {
        let set = try read(
            #"{"keys":[{"kid":"a",\#(Self.p256)},{"kid":"b","use":"sig",\#(Self.ed)},"#
                + #"{\#(Self.secret),"alg":"HS256","key_ops":["verify"]}],"extra":1}"#)
        #expect(set.keys.map(\.keyID) == ["a", "b", nil])
        #expect(set.keys.map(\.algorithms) == [[.es256], [.edDSA], [.hs256]])
        #expect(set.warnings.isEmpty)
    }

    @Test func `one key alone is a set`() throws {
        let set = try read("{\(Self.p256)}")
        #expect(set.keys.count == 1)
        #expect(throws: KeyError.self) { try read(#"{"kty":"XYZ"}"#) }
    }

    @Test(arguments: [
        (#""kty":"XYZ""#, "unknown", "an unknown type"), (#""crv":"P-256""#, "kty", "no type"),
        (#""kty":7"#, "kty", "a mistyped type"), (#"\#(p256),"use":"enc""#, "use", "for encryption"),
        (#"\#(p256),"use":7"#, "use", "mistyped use"),
        (#"\#(p256),"key_ops":["encrypt"]"#, "key_ops", "for another operation"),
        (#"\#(p256),"alg":"ECDH-ES""#, "alg", "bound to another algorithm"),
        (#"\#(p256),"alg":"RS256""#, "alg", "alg of another type"),
        (#"\#(p256),"alg":1"#, "alg", "mistyped alg"), (#"\#(p256),"kid":["a"]"#, "kid", "mistyped kid"),
        (#""kty":"EC","crv":"secp256k1","x":"AA","y":"AA""#, "secp256k1", "an unknown curve"),
        (#""kty":"EC","crv":"P-256","x":"AA","y":"AA""#, "32 bytes", "short coordinates"),
        (#""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU""#, "'y'", "half a point"),
        (
            #""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","#
                + #""y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4""#, "public key", "not on the curve"
        ),
        (#""kty":"RSA","n":"wQ","e":"AQAB""#, "bits", "far too weak"),
        (#""kty":"RSA","n":"wg","e":"AQAB""#, "modulus", "even"),
        (#""kty":"RSA","n":"","e":"AQAB""#, "modulus", "none"), (#""kty":"RSA","n":"wQ","e":"AQ""#, "exponent", "1"),
        (
            #""kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#, "X25519",
            "not for signatures"
        ),
        (#""kty":"OKP","crv":"Ed25519","x":"AA""#, "32 bytes", "short"),
        (#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=""#, "base64url", "padded"),
        (#""kty":"oct","k":"AAAA""#, "3 bytes", "a short secret"),
    ])
    func `a key that cannot be used is passed over with a warning, and the others work`(
        members: String, warning: String, why: String
    ) throws {
        let set = try read(#"{"keys":[{\#(members)},{"kid":"good",\#(Self.ed)}]}"#)
        #expect(set.keys.map(\.keyID) == ["good"], "\(why)")
        #expect(set.warnings.count == 1)
        #expect(set.warnings.first?.contains(warning) == true, "\(why): \(set.warnings)")
    }

    @Test func `a private key in a set is used for its public half and warned about`() throws {
        let set = try read(#"{"keys":[{\#(Self.p256),"d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}]}"#)
        #expect(set.keys.count == 1)
        #expect(set.warnings.count == 1)
    }

    @Test func `a secret too short for one of the algorithms does for the others`() throws {
        #expect(try read("{\(Self.secret)}").keys.first?.algorithms == [.hs256, .hs384])
    }

    @Test(arguments: [
        ("", "nothing"), ("<html>", "a page"), ("[]", "an array"), ("{}", "no keys"),
        (#"{"keys":{}}"#, "keys that are no array"),
        (#"{"keys":[],"keys":[]}"#, "twice"),
    ])
    func `what is not a key set is refused`(json: String, why: String) {
        #expect(throws: KeyError.self, "\(why)") { try read(json) }
    }

    @Test func `an empty set has no keys`() throws { #expect(try read(#"{"keys":[]}"#).keys.isEmpty) }
}
