import Configuration
import HTTP
import JOSE
import Policy

/// Routes, credentials and limits.
enum PolicyBenchmarks {
    static var all: [Benchmark] {
        [
            route(count: 10), route(count: 10_000), knownToken, newToken, key(count: 1_000), key(count: 1_000_000),
            rateLimit,
        ]
    }

    private static func pattern(_ text: String) -> PathPattern {
        guard let pattern = try? PathPattern(text) else { preconditionFailure("no pattern") }
        return pattern
    }

    /// With many routes its instructions are those with few, and valgrind takes long to make them.
    private static func route(count: Int) -> Benchmark {
        Benchmark(name: "route-of-\(count)", times: 1_000_000, isPure: count < 100) {
            let router = Router(routes: routes(count))
            let path = Array("/api/agents/123e4567-e89b-12d3-a456-426614174000/documents/".utf8)
            let method = Array("GET".utf8)
            return { times in
                var match = RouteMatch()
                var sum: UInt64 = 0
                for _ in 0..<times {
                    let outcome = router.match(
                        host: [UInt8]().span, method: .get, methodName: method.span, path: path.span, into: &match)
                    guard outcome == .found else { preconditionFailure("no route") }
                    sum &+= UInt64(match.routeIndex)
                }
                return sum
            }
        }
    }

    private static func routes(_ count: Int) -> [Route] {
        var patterns = ["/api/agents/{agent_id}/", "/api/agents/{agent_id}/query/", "/api/", "/widget/"]
        for index in patterns.count..<count { patterns.append("/api/service-\(index)/{id}/") }
        return patterns.enumerated().map { Route(index: $0, pattern: pattern($1), accept: .jwt) }
    }

    private static let secret = [UInt8](repeating: 0x5a, count: 48)

    private static func signingKey() -> SigningKey {
        guard let key = try? SigningKey(secret: secret, algorithm: .hs256) else { preconditionFailure("no key") }
        return key
    }

    private static func authenticator(cache: Int, keys: KeyTable = .empty) -> Authenticator {
        let issuer = TokenIssuer(name: "bench", algorithms: [.hs256], keys: [signingKey().verificationKey])
        return Authenticator(
            issuers: [issuer], keyPrefix: "rk_", tokenLimit: 16_384, keys: keys, cacheCapacity: cache)
    }

    private static func token() -> [UInt8] {
        let claims: JSONObject = [
            "sub": .string("123e4567-e89b-12d3-a456-426614174000"), "exp": .integer(4_102_444_800),
            "iat": .integer(1_700_000_000), "jti": .string("8f14e45f"), "token_type": .string("access"),
        ]
        guard let text = try? signingKey().sign(claims: claims) else { preconditionFailure("no token") }
        return Array("Bearer \(text)".utf8)
    }

    private static func judge(_ value: [UInt8], by authenticator: Authenticator, _ times: Int) -> UInt64 {
        var sum: UInt64 = 0
        for _ in 0..<times {
            guard
                case .principal(let principal) = authenticator.authenticate(
                    authorization: value.span, now: 1_700_000_001)
            else { preconditionFailure("not accepted") }
            sum &+= UInt64(principal.headerLines.count)
        }
        return sum
    }

    private static var knownToken: Benchmark {
        let value = token()
        return Benchmark(name: "token-known", bytes: value.count, times: 1_000_000) {
            let authenticator = authenticator(cache: 64)
            return { judge(value, by: authenticator, $0) }
        }
    }

    private static var newToken: Benchmark {
        let value = token()
        return Benchmark(name: "token-new-hs256", bytes: value.count, times: 50_000, isPure: false) {
            let authenticator = authenticator(cache: 0)
            return { judge(value, by: authenticator, $0) }
        }
    }

    private static func key(count: Int) -> Benchmark {
        Benchmark(name: "key-of-\(count)", times: 200_000, isPure: false) {
            let authenticator = authenticator(cache: 64, keys: KeyStock.table(count))
            let value = Array("Bearer \(KeyStock.text(count / 2))".utf8)
            return { judge(value, by: authenticator, $0) }
        }
    }

    private static var rateLimit: Benchmark {
        Benchmark(name: "rate-limit", times: 1_000_000) {
            let limit = RateLimit(count: 1_000_000, unit: 1)
            let key = SubjectHash.of("123e4567-e89b-12d3-a456-426614174000")
            return { times in
                let table = RateTable(capacity: 1_024)
                var sum: UInt64 = 0
                for index in 0..<times {
                    guard case .passes(let remaining, _) = table.take(key, limit, now: Int64(index) * 1_000 + 1) else {
                        preconditionFailure("refused")
                    }
                    sum &+= UInt64(remaining)
                }
                return sum
            }
        }
    }
}

/// Many API keys.
private enum KeyStock {
    static func text(_ index: Int) -> String { "rk_" + String(repeating: "k", count: 35) + String(10_000_000 + index) }

    static func table(_ count: Int) -> KeyTable {
        let sha256 = SHA256()
        return KeyTable(
            (0..<count).map { index in
                let bytes = Array(text(index).utf8)
                return KeyRecord(
                    id: "\(index)", agentID: "agent-\(index)", ownerID: "owner-\(index)",
                    digest: sha256.hash(bytes.span))
            })
    }
}
