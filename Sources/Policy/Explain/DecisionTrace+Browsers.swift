import Configuration
import HTTP
import JOSE

/// What only browsers send: the question before a request of another origin, and tokens in cookies.
extension DecisionTrace {
    /// Whether this is a preflight on a route with `cors`, which the gateway answers by itself.
    mutating func answersPreflight(
        _ bytes: Span<UInt8>, _ head: RequestHead, _ path: Span<UInt8>, _ configuration: Configuration
    ) -> Bool {
        guard head.method == .options, let origin = head.first(.origin),
            let asked = head.first(.accessControlRequestMethod)
        else { return false }
        let name = bytes.extracting(asked.value.range)
        var match = RouteMatch()
        let outcome = Router(configuration: configuration)
            .match(
                host: bytes.extracting(head.host?.range ?? 0..<0), method: HTTP.Method(name), methodName: name,
                path: path, into: &match)
        guard outcome == .found, let cors = configuration.routes[match.routeIndex].cors else { return false }
        let route = configuration.routes[match.routeIndex]
        found(route)
        if head.fields.count(where: { $0.id == .origin }) > 1 {
            note("preflight", "Origin stands there more than once: no page may send the request")
        } else if !cors.admits(bytes.extracting(origin.value.range)) {
            note("preflight", "'cors' does not name \(text(bytes, origin.value)): its pages may not send the request")
        } else {
            let (methods, headers) = (route.preflightMethods, cors.allowedHeaders)
            note(
                "preflight",
                "pages of \(text(bytes, origin.value)) may send \(methods.joined(separator: ", ")) here, with "
                    + headers.joined(separator: ", "))
        }
        return true
    }

    /// Who asks, by the access cookie.
    mutating func identifyByCookie(
        _ bytes: Span<UInt8>, _ head: RequestHead, _ circumstances: Circumstances, _ result: inout Principal?
    ) -> Refusal? {
        let range: Range<Int>
        switch head.cookie(Array(IdentitySettings.accessCookie.utf8), in: bytes) {
        case .none: return reject("credential", .credentialsMissing)
        case .several:
            note("credential", "the access cookie, more than once: somebody else has set one of them")
            return .tokenInvalid
        case .one(let found): range = found
        }
        let token = bytes.extracting(range)
        guard BearerToken.form(of: token, keyPrefix: Array(circumstances.configuration.keyPrefix.utf8)) == .jwt else {
            note("credential", "the access cookie, which holds no JWT")
            return .tokenInvalid
        }
        note("credential", "the access cookie")
        if !head.isSafe {
            leave("page", "by cookie, this is taken from its own pages only")
        }
        let examination = circumstances.authenticator.examine(token, now: circumstances.now)
        if case .tokenFailed(let failure) = examination, case .expired(let time) = failure {
            leave("verification", "expired \(HTTPDate.iso8601(time)); it renews its own while their session holds")
            return nil
        }
        return tell(examination, circumstances, &result)
    }
}
