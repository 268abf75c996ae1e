import Configuration
import HTTP
import JOSE
import Testing

@testable import Policy

/// What the tests share: a secret, an issuer, tokens, keys.
enum Samples {
    static let now: Int64 = 1_700_000_000
    static let secret = [UInt8](repeating: 0x5a, count: 32)

    static func issuer(leeway: Int64 = 30, requirements: [ClaimRequirement] = []) throws -> TokenIssuer {
        let key = try VerificationKey(secret: secret, algorithms: [.hs256])
        return TokenIssuer(
            name: "backend", algorithms: [.hs256], keys: [key], requirements: requirements, leeway: leeway)
    }

    /// A signed token of user 42 that expires ten minutes after `now`, with more claims or others.
    static func token(_ claims: JSONObject = [:], expiresAt: Int64 = now + 600) throws -> String {
        var all: JSONObject = ["user_id": .integer(42), "exp": .integer(expiresAt)]
        for member in claims.members { all[member.name] = member.value }
        return try SigningKey(secret: secret, algorithm: .hs256).sign(claims: all)
    }

    static func authenticator(
        keys: KeyTable = .empty, leeway: Int64 = 30, tokenLimit: Int = 16384, capacity: Int = 64, bytes: Int = 1 << 20
    ) throws -> Authenticator {
        Authenticator(
            issuers: [try issuer(leeway: leeway)], keyPrefix: "rk_", tokenLimit: tokenLimit, keys: keys,
            cacheCapacity: capacity, cacheBytes: bytes)
    }

    static func digest(of key: String) -> Digest256 { SHA256().hash(Array(key.utf8).span) }

    static func key(
        _ key: String, agent: String = "a1", id: String = "k1", expiresAt: Int64? = nil, revokedAt: Int64? = nil,
        graceUntil: Int64? = nil
    ) -> KeyRecord {
        KeyRecord(
            id: id, agentID: agent, ownerID: "u1", name: "chat", prefix: "rk_abcde", createdAt: 1,
            expiresAt: expiresAt, revokedAt: revokedAt, graceUntil: graceUntil, digest: digest(of: key))
    }

    /// A route from `POST|GET /path/` or `/path/`.
    static func route(
        _ text: String, _ index: Int = 0, host: String? = nil, accept: CredentialKinds = [.jwt],
        agent: String? = nil, requirements: [ClaimRequirement] = [], forward: Bool? = nil
    ) throws -> Route {
        let words = text.split(separator: " ").map(String.init)
        return Route(
            index: index, host: host, methods: words.dropLast().flatMap { $0.split(separator: "|").map(String.init) },
            pattern: try PathPattern(words.last ?? "/"), accept: accept, agentParameter: agent,
            requirements: requirements, forwardCredential: forward)
    }

    static func routes(_ texts: [String]) throws -> [Route] {
        try texts.enumerated().map { try route($1, $0) }
    }
}

extension Authenticator {
    /// What becomes of an `Authorization` value, as text for tables.
    func outcome(_ value: String?, now: Int64 = Samples.now) -> AuthenticationResult {
        guard let value else { return authenticate(authorization: nil, now: now) }
        let bytes = Array(value.utf8)
        return authenticate(authorization: bytes.span, now: now)
    }

    func principal(_ value: String, now: Int64 = Samples.now) -> Principal? {
        if case .principal(let principal) = outcome(value, now: now) { principal } else { nil }
    }

    func refusal(_ value: String?, now: Int64 = Samples.now) -> Refusal? {
        if case .refused(let refusal) = outcome(value, now: now) { refusal } else { nil }
    }
}

/// The normal form of a path, or why there is none.
func normalized(_ path: String) -> Result<String, PathError> { normalized(Array(path.utf8)) }

func normalized(_ path: [UInt8]) -> Result<String, PathError> {
    var out: [UInt8] = Array("left over".utf8)
    if let error = PathNormalizer.normalize(path.span, into: &out) { return .failure(error) }
    return .success(String(decoding: out, as: UTF8.self))
}
