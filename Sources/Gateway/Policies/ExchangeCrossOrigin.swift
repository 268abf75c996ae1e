import Configuration
import HTTP
import Policy
import Transport

/// Pages of other origins (the Fetch standard's CORS protocol).
extension Exchange {
    /// Notes what every answer of the route carries. `Vary` stands there whoever asks: what one origin gets must not be kept
    /// for another.
    func beginCrossOrigin(_ cors: CrossOrigin, _ bytes: Span<UInt8>) {
        policyLines.append(contentsOf: Self.varyLine)
        guard let origin = onlyOrigin, cors.admits(bytes.extracting(origin.range)) else { return }
        policyLines.append(contentsOf: Self.allowStart)
        for index in origin.range { policyLines.append(bytes[index]) }
        policyLines.append(contentsOf: Self.exposeLines)
    }

    /// The value of `Origin`; nil too where there are two, of which each reader could mean another.
    private var onlyOrigin: ByteRange? {
        var found: ByteRange?
        for field in head.fields where field.id == .origin {
            guard found == nil else { return nil }
            found = field.value
        }
        return found
    }

    /// The answer to a preflight on a route with `cors`: the question is about another method than `OPTIONS`, so the route is
    /// looked up by that. Nil where the request is none, or its route leaves it to the upstream.
    func preflight(_ bytes: Span<UInt8>, host: Span<UInt8>, path: Span<UInt8>) -> LocalAnswer? {
        guard head.method == .options, head.first(.origin) != nil,
            let asked = head.first(.accessControlRequestMethod)
        else { return nil }
        let name = bytes.extracting(asked.value.range)
        var match = RouteMatch()
        guard
            case .found = serving.router.match(
                host: host, method: HTTP.Method(name), methodName: name, path: path, into: &match),
            let policy = serving.policies[match.routeIndex], let cors = policy.cors
        else { return nil }
        meet(match)
        beginCrossOrigin(cors, bytes)
        var answer = LocalAnswer.noContent
        if policyLines.count > Self.varyLine.count { answer.extra = policy.preflightLines }
        return answer
    }

    private static let varyLine = Array("Vary: Origin\r\n".utf8)
    private static let allowStart = Array("Access-Control-Allow-Origin: ".utf8)
    private static let exposeLines = Array(
        "\r\nAccess-Control-Expose-Headers: WWW-Authenticate, Retry-After, X-Request-Id\r\n".utf8)
}
