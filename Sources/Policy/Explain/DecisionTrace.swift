public import Configuration
public import HTTP
import JOSE

/// What the gateway would do with a request and why, step by step, without sending it: `gatehouse explain`. It asks the
/// parser, normaliser, router, authenticator and authorizer that serve requests. No step holds a part of a credential.
public struct DecisionTrace: Sendable {
    /// How it ends.
    public enum Outcome: Sendable, Equatable {
        /// The request goes on to the upstream of this name.
        case forwarded(upstream: String)
        /// The gateway answers it with an error.
        case refused(Refusal)
        /// The gateway answers it by itself, if all goes well with this status.
        case answered(status: Int)
        /// Only the running gateway can tell; where it lets the request pass, it goes on to the upstream of this name, or, without
        /// one, is answered by the gateway itself.
        case undecided(upstream: String?)
    }

    /// The request to explain.
    public struct Request: Sendable {
        /// The method's name.
        public var method: String
        /// The target, as it stands in a request line.
        public var target: String
        /// Field lines, `Name: value`. `Host: localhost` is added when there is no `Host`.
        public var fieldLines: [String]

        /// A request.
        public init(method: String, target: String, fieldLines: [String] = []) {
            self.method = method
            self.target = target
            self.fieldLines = fieldLines
        }
    }

    /// What a request is judged by.
    struct Circumstances {
        let configuration: Configuration
        let authenticator: Authenticator
        let now: Int64
    }

    /// One line a step, for people.
    public private(set) var steps: [String] = []
    /// How it ends.
    public private(set) var outcome: Outcome = .refused(.notFound)
    /// The route that it met.
    public private(set) var route: Route?
    /// A step was left to the running gateway.
    var isUndecided = false

    /// The status of a refusal or of the gateway's own answer; nil when the upstream decides.
    public var status: Int? {
        switch outcome {
        case .forwarded, .undecided: nil
        case .refused(let refusal): refusal.status
        case .answered(let status): status
        }
    }

    /// The refusal's code.
    public var code: String? { if case .refused(let refusal) = outcome { "\(refusal.code)" } else { nil } }

    /// Explains a request under a configuration and the API keys of its store, at `now` in seconds since 1970.
    public init(
        _ request: Request, configuration: Configuration, keys: KeyTable, revocations: RevocationSet = RevocationSet(),
        now: Int64
    ) {
        let authenticator = Authenticator(
            issuers: configuration.issuers, keyPrefix: configuration.keyPrefix, tokenLimit: configuration.limits.token,
            introspects: !configuration.introspections.isEmpty, keys: keys, revocations: revocations, cacheCapacity: 0)
        let bytes = Self.bytes(of: request)
        let circumstances = Circumstances(configuration: configuration, authenticator: authenticator, now: now)
        if let refusal = judge(bytes.span, circumstances) { outcome = .refused(refusal) }
        switch outcome {
        case .forwarded(let upstream): note("decision", "forwarded to upstream \(upstream)")
        case .refused(let refusal): note("decision", "\(refusal.status) \(refusal.code): \(refusal.message)")
        case .answered(let status): note("decision", "\(status), answered by the gateway itself")
        case .undecided(let upstream):
            let way = upstream.map { "forwarded to upstream \($0)" } ?? "answered by the gateway itself"
            note("decision", "left to the running gateway; if it agrees, \(way)")
        }
    }

    private static func bytes(of request: Request) -> [UInt8] {
        var lines = ["\(request.method) \(request.target) HTTP/1.1"] + request.fieldLines
        if !request.fieldLines.contains(where: { $0.lowercased().hasPrefix("host:") }) {
            lines.append("Host: localhost")
        }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    }

    mutating func note(_ step: String, _ text: String) { steps.append("\(step): \(text)") }

    /// Everything up to the decision: nil when the request passes.
    private mutating func judge(
        _ bytes: Span<UInt8>, _ circumstances: Circumstances
    ) -> Refusal? {
        let configuration = circumstances.configuration
        var limits = HeadLimits()
        limits.head = configuration.limits.head
        limits.fields = configuration.limits.fields
        limits.target = configuration.limits.target
        var head = RequestHead()
        var parser = RequestHeadParser(limits: limits)
        switch parser.parse(bytes, into: &head) {
        case .incomplete: return reject("request", .badRequest(field: nil, reason: "the head is not complete"))
        case .failed(let error): return reject("request", error.refusal)
        case .complete: note("request", "\(text(bytes, head.methodRange)) for host \(text(bytes, head.host))")
        }
        var path: [UInt8] = []
        let sent = bytes.extracting(head.path.range)
        if let error = PathNormalizer.normalize(sent, into: &path) { return reject("path", error.refusal) }
        let normal = String(copying: path.span)
        note("path", ByteWords.equal(sent, path.span) ? normal : "\(String(copying: sent)) is \(normal)")
        if normal == "/healthz" || normal == "/healthz/", head.method == .get || head.method == .head {
            outcome = .answered(status: 200)
            return nil
        }
        if let endpoint = OwnEndpoints(configuration).match(path.span) {
            return serve(endpoint, bytes, head, circumstances)
        }
        if answersPreflight(bytes, head, path.span, configuration) {
            outcome = .answered(status: 204)
            return nil
        }
        var match = RouteMatch()
        if let refusal = meet(bytes, head, path.span, configuration, &match) { return refusal }
        guard let route else { return .notFound }
        if route.isPublic {
            note("credential", "not looked at")
        } else if let refusal = pass(bytes, head, path.span, route, match, circumstances) {
            return refusal
        }
        let upstream = configuration.upstreams[route.upstream].name
        outcome = isUndecided ? .undecided(upstream: upstream) : .forwarded(upstream: upstream)
        return nil
    }

    private mutating func meet(
        _ bytes: Span<UInt8>, _ head: RequestHead, _ path: Span<UInt8>, _ configuration: Configuration,
        _ match: inout RouteMatch
    ) -> Refusal? {
        let host = bytes.extracting(head.host?.range ?? 0..<0)
        let name = bytes.extracting(head.methodRange.range)
        switch Router(configuration: configuration)
            .match(host: host, method: head.method, methodName: name, path: path, into: &match)
        {
        case .notFound: return reject("route", .notFound)
        case .methodNotAllowed(let allowed): return reject("route", .methodNotAllowed(allowed: allowed))
        case .found: break
        }
        let route = configuration.routes[match.routeIndex]
        found(route)
        for (name, range) in zip(route.pattern.parameters, match.parameters) {
            note("parameter", "\(name) is \(text(path, range))")
        }
        return nil
    }

    /// The request has met a route.
    mutating func found(_ route: Route) {
        self.route = route
        let accepted = route.isPublic ? "none" : route.accept.names.joined(separator: " ")
        note("route", "\(route.name) at \(route.position.text), accept \(accepted)")
    }

    private mutating func pass(
        _ bytes: Span<UInt8>, _ head: RequestHead, _ path: Span<UInt8>, _ route: Route, _ match: RouteMatch,
        _ circumstances: Circumstances
    ) -> Refusal? {
        if route.acceptsTicket, let query = head.query {
            switch QueryTicket(in: query, of: bytes) {
            case .none: break
            case .several:
                return reject("credential", .badRequest(field: "token", reason: "sent more than once"))
            case .one(_, let ticket): if head.authorization == nil { return judgeTicket(ticket) }
            }
        }
        var principal: Principal?
        if let refusal = identify(bytes, head, circumstances, &principal) { return refusal }
        guard let principal else { return nil }
        if let refusal = Authorizer.authorize(principal, route: route, path: path, match: match) {
            return reject("authorization", refusal)
        }
        note("authorization", "passes")
        noteLimits(of: route, principal)
        for injection in route.injections {
            let value = principal.header(for: injection).map { String(decoding: $0, as: UTF8.self) }
            note("inject", "\(injection.name): \(value ?? "(none: no such claim, or no header could hold it)")")
        }
        return nil
    }

    /// What has been used is known to the running gateway alone.
    private mutating func noteLimits(of route: Route, _ principal: Principal) {
        if let rate = route.rateLimit {
            note("limit", "\(rate.text) by \(rate.subject.rawValue), counted when it runs")
        }
        if let quota = route.quota { note("limit", "\(quota.text) by \(quota.subject.rawValue), counted when it runs") }
        let own = [principal.keyLimits.rate?.text, principal.keyLimits.quota?.text].compactMap(\.self)
        if !own.isEmpty { note("limit", "\(own.joined(separator: ", ")) of the key itself, counted when it runs") }
    }

    /// To look for a ticket is to spend it.
    private mutating func judgeTicket(_ ticket: ByteRange?) -> Refusal? {
        guard ticket != nil else {
            note("credential", "the query's 'token' has not the form of a ticket; JWTs and keys are not read there")
            return .tokenInvalid
        }
        note("credential", "a ticket by its form, taken from the query")
        leave("verification", "one that was given within 30 s passes once, as its token does")
        return nil
    }

    /// An endpoint of the gateway's own.
    private mutating func serve(
        _ endpoint: OwnEndpoint, _ bytes: Span<UInt8>, _ head: RequestHead, _ circumstances: Circumstances
    ) -> Refusal? {
        note("endpoint", "\(endpoint.name), served by the gateway itself before any route")
        guard endpoint.takes(head.method) else {
            return reject("endpoint", .methodNotAllowed(allowed: endpoint.allowedMethods))
        }
        if endpoint == .introspection || endpoint == .revocation {
            leave("credential", "Basic, of a 'client' of the identity block")
        } else if endpoint.isPublic {
            note("credential", "not looked at")
        } else {
            var principal: Principal?
            if let refusal = identify(bytes, head, circumstances, &principal) { return refusal }
            guard principal == nil || principal?.kind == .jwt else {
                return reject("authorization", .credentialNotAccepted(accepted: ["jwt"]))
            }
        }
        outcome = isUndecided ? .undecided(upstream: nil) : .answered(status: endpoint.successStatus(head.method))
        return nil
    }

    /// Who asks.
    private mutating func identify(
        _ bytes: Span<UInt8>, _ head: RequestHead, _ circumstances: Circumstances, _ result: inout Principal?
    ) -> Refusal? {
        guard let value = head.authorization else {
            guard circumstances.configuration.identity?.usesCookies == true else {
                return reject("credential", .credentialsMissing)
            }
            return identifyByCookie(bytes, head, circumstances, &result)
        }
        guard let range = BearerToken.range(in: bytes.extracting(value.range)) else {
            note("credential", "Authorization is not 'Bearer' with something behind it")
            return .credentialsMissing
        }
        let token = bytes.extracting(value.range).extracting(range)
        switch BearerToken.form(of: token, keyPrefix: Array(circumstances.configuration.keyPrefix.utf8)) {
        case .jwt: note("credential", "a JWT by its form")
        case .apiKey: note("credential", "an API key by its prefix")
        case .unknown where circumstances.configuration.introspections.isEmpty:
            note("credential", "neither a JWT nor an API key by its form")
        case .unknown: note("credential", "an opaque token: neither a JWT nor an API key by its form")
        }
        return tell(circumstances.authenticator.examine(token, now: circumstances.now), circumstances, &result)
    }

    /// What verification came to.
    mutating func tell(
        _ examination: Authenticator.Examination, _ circumstances: Circumstances, _ result: inout Principal?
    ) -> Refusal? {
        switch examination {
        case .refused(let refusal): return reject("verification", refusal)
        case .opaque:
            let names = circumstances.configuration.introspections.map(\.name).joined(separator: ", ")
            leave("verification", "it asks \(names)")
        case .tokenFailed(.keyUnknown(let issuer, _)):
            let name = circumstances.configuration.issuers[issuer].name
            leave("verification", "it fetches the keys of \(name), and none that it has kept here is the token's")
        case .tokenFailed(let failure):
            note("verification", failure.explanation)
            return failure.refusal
        case .principal(let principal, _):
            note("verification", principal.explanation(circumstances.configuration.issuers))
            result = principal
        }
        return nil
    }

    /// Notes a step that only the running gateway can take.
    mutating func leave(_ step: String, _ text: String) {
        note(step, "left to the running gateway: \(text)")
        isUndecided = true
    }

    mutating func reject(_ step: String, _ refusal: Refusal) -> Refusal {
        note(step, refusal.explanation)
        return refusal
    }

    func text(_ bytes: Span<UInt8>, _ range: ByteRange?) -> String {
        guard let range else { return "-" }
        return String(copying: bytes.extracting(range.range))
    }
}

extension Principal {
    func explanation(_ issuers: [TokenIssuer]) -> String {
        let end = expiresAt == .max ? "never expires" : "expires \(HTTPDate.iso8601(expiresAt))"
        switch kind {
        case .jwt:
            let issuer = claims.map { issuers[$0.issuerIndex].name } ?? ""
            return "token of jwt block \(issuer) for user \(userID), \(end)"
        case .opaque: return "opaque token of user \(userID), \(end)"
        case .apiKey:
            return "API key \(keyID ?? "") of agent \(agentID ?? "") and user \(userID), \(end)"
        }
    }
}

extension TokenFailure {
    fileprivate var explanation: String {
        switch self {
        case .invalid(let reason): "\(reason)"
        case .keyUnknown: "its key is not known"
        case .expired(let time): "expired \(HTTPDate.iso8601(time))"
        case .notYetValid(let time): "not valid before \(HTTPDate.iso8601(time))"
        case .wrongType(let expected): "another token_type than \(expected)"
        }
    }
}

extension Refusal {
    /// The refusal with what is particular to it.
    fileprivate var explanation: String {
        switch self {
        case .badRequest(_, let reason, _): reason
        case .notFound: "no pattern covers this path"
        case .methodNotAllowed(let allowed): "the path allows \(allowed)"
        case .apiKeyInvalid: "no such key in the store"
        case .apiKeyExpired(let time): "expired \(HTTPDate.iso8601(time))"
        case .apiKeyRevoked(let time): "revoked\(time.map { " \(HTTPDate.iso8601($0))" } ?? "")"
        case .tokenRevoked: "its session, the token itself, or all of the user's tokens were revoked"
        case .permissionDenied(let required, _): "the token lacks \(required)"
        case .agentMismatch(let agent): "the key belongs to another agent than \(agent)"
        case .credentialNotAccepted(let accepted): "the route accepts \(accepted.joined(separator: " ")) only"
        default: "\(message)"
        }
    }
}
