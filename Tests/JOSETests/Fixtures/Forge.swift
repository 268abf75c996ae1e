@testable import JOSE

/// Makes tokens that a well-behaved issuer never would.
enum Forge {
    static let now: Int64 = 1_700_000_000
    /// Claims that pass everywhere here, without the closing brace, so that a table's row can add to them.
    static let goodClaims = #"{"user_id":"user-1","exp":1700003600"#

    /// A token from raw header and claims, signed by `key` whatever the header says.
    static func token(_ header: String, _ claims: String, _ key: SigningKey) throws -> [UInt8] {
        let input = [UInt8]((encode(header) + "." + encode(claims)).utf8)
        return input + [UInt8](".".utf8) + [UInt8](Base64URL.encode(try key.signature(of: input)).utf8)
    }

    /// A token with `alg` HS256 and these raw claims.
    static func hs256(_ claims: String, secret: [UInt8] = TestKeys.secret) throws -> [UInt8] {
        try token(#"{"alg":"HS256","typ":"JWT"}"#, claims, SigningKey(secret: secret, algorithm: .hs256))
    }

    static func encode(_ text: String) -> String { Base64URL.encode([UInt8](text.utf8)) }

    /// A signing key from one of the test keys.
    static func signer(_ pem: String, _ algorithm: SignatureAlgorithm) throws -> SigningKey {
        try SigningKey(pem: [UInt8](pem.utf8), algorithm: algorithm)
    }

    /// An issuer with the test secret.
    static func issuer(_ change: (inout TokenIssuer) -> Void = { _ in }) throws -> TokenIssuer {
        var issuer = TokenIssuer(
            name: "backend", algorithms: [.hs256],
            keys: [try VerificationKey(secret: TestKeys.secret, algorithms: [.hs256])])
        change(&issuer)
        return issuer
    }

    /// An issuer with one public key.
    static func issuer(
        pem: String, _ algorithms: [SignatureAlgorithm], _ change: (inout TokenIssuer) -> Void = { _ in }
    ) throws -> TokenIssuer {
        var issuer = TokenIssuer(
            name: "backend", algorithms: algorithms,
            keys: [try VerificationKey(pem: [UInt8](pem.utf8), algorithms: algorithms)])
        change(&issuer)
        return issuer
    }
}

/// What a verification came to, short enough for a table.
enum Outcome: Equatable, Sendable {
    case user(String)
    case invalid
    case expired(Int64)
    case notYetValid(Int64)
    case wrongType(String)
    case keyUnknown(hasKeys: Bool)

    init(_ result: Result<VerifiedClaims, TokenFailure>) {
        switch result {
        case .success(let claims): self = .user(claims.userID)
        case .failure(.invalid): self = .invalid
        case .failure(.expired(let at)): self = .expired(at)
        case .failure(.notYetValid(let from)): self = .notYetValid(from)
        case .failure(.wrongType(let expected)): self = .wrongType(expected)
        case .failure(.keyUnknown(_, let hasKeys)): self = .keyUnknown(hasKeys: hasKeys)
        }
    }
}

/// The outcome of a token at an issuer.
func outcome(_ token: [UInt8], at issuers: TokenIssuer..., now: Int64 = Forge.now) -> Outcome {
    Outcome(TokenVerifier(issuers: issuers).verify(token.span, now: now))
}
