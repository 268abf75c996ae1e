import Configuration
import HTTP
import Policy

/// A route's limits and other origins, with the parts of answers that do not depend on the request.
final class RoutePolicy: Sendable {
    let rate: RateLimit?
    let quota: Quota?
    let cors: CrossOrigin?
    /// What tells the route's limits from those of others, also after a reload.
    let scope: String
    /// The same for its rate as it is now: with another one everybody begins anew.
    let rateHash: UInt64
    /// The same for its quota.
    let quotaHash: UInt64
    /// `RateLimit-Policy`, as a complete line; empty without limits (draft-ietf-httpapi-ratelimit-headers).
    let limitLine: [UInt8]
    /// What a preflight is answered behind the origin: complete lines.
    let preflightLines: [UInt8]

    /// Nil where the route has neither.
    init?(_ route: Route) {
        guard route.rateLimit != nil || route.quota != nil || route.cors != nil else { return nil }
        rate = route.rateLimit
        quota = route.quota
        cors = route.cors
        scope = "route:\(route.name)"
        rateHash = SubjectHash.of("\(scope) \(route.rateLimit?.text ?? "")")
        quotaHash = SubjectHash.of("\(scope) \(route.quota?.period.rawValue ?? "")")
        limitLine = Self.limitLine(rate: route.rateLimit, quota: route.quota)
        preflightLines = route.cors.map { Self.preflightLines($0, methods: route.preflightMethods) } ?? []
    }

    /// The rate is told as its burst in the time that it takes to fill again.
    private static func limitLine(rate: RateLimit?, quota: Quota?) -> [UInt8] {
        var items: [String] = []
        if let rate {
            let window = max((rate.interval * Int64(rate.burst) + 999_999_999) / 1_000_000_000, 1)
            items.append("\"rate\";q=\(rate.burst);w=\(window)")
        }
        if let quota {
            // A month has no length of its own: the draft lets `w` be left out.
            items.append("\"quota\";q=\(quota.count)" + (quota.period == .day ? ";w=86400" : ""))
        }
        return items.isEmpty ? [] : Array("RateLimit-Policy: \(items.joined(separator: ", "))\r\n".utf8)
    }

    /// Browsers may remember the answer for ten minutes.
    private static func preflightLines(_ cors: CrossOrigin, methods: [String]) -> [UInt8] {
        Array(
            """
            Access-Control-Allow-Methods: \(methods.joined(separator: ", "))\r
            Access-Control-Allow-Headers: \(cors.allowedHeaders.joined(separator: ", "))\r
            Access-Control-Max-Age: 600\r

            """.utf8)
    }
}

/// The document of `/.well-known/oauth-protected-resource` (RFC 9728 §2).
enum ResourceMetadata {
    static func json(_ resource: ProtectedResource) -> [UInt8] {
        func list(_ values: [String]) -> String { "[" + values.map(quoted).joined(separator: ",") + "]" }
        func quoted(_ text: String) -> String {
            var bytes: [UInt8] = []
            JSONText.appendQuoted(text, to: &bytes)
            return String(decoding: bytes, as: UTF8.self)
        }
        var text = "{\"resource\":\(quoted(resource.identifier))"
        if !resource.authorizationServers.isEmpty {
            text += ",\"authorization_servers\":\(list(resource.authorizationServers))"
        }
        if !resource.scopes.isEmpty { text += ",\"scopes_supported\":\(list(resource.scopes))" }
        return Array("\(text),\"bearer_methods_supported\":[\"header\"]}".utf8)
    }
}
