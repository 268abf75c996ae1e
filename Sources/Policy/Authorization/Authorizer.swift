public import Configuration
public import HTTP
import JOSE

/// Decides whether a verified caller may use the route that his request met. Pure.
public enum Authorizer {
    /// Nil when he may. `path` is the normalised path that was matched, and that is forwarded.
    ///
    /// In this order: the route has to take this kind of credential; an API key has to belong to the agent that the path
    /// names, byte for byte; a token has to hold what the route requires. An API key has full access to its own agent and
    /// carries no claims, so `require` is asked of tokens only; and a token is a user's, so `agent` is asked of keys only.
    /// What a user may do with an agent is for the upstream to say.
    public static func authorize(
        _ principal: Principal, route: Route, path: Span<UInt8>, match: RouteMatch
    ) -> Refusal? {
        switch principal.kind {
        case .apiKey:
            guard route.accept.contains(.apiKey) else { return notAccepted(by: route) }
            return agentMismatch(principal, route, path, match)
        case .jwt, .opaque:
            guard route.accept.contains(principal.kind == .jwt ? .jwt : .opaque) else { return notAccepted(by: route) }
            return missingClaim(principal, route)
        }
    }

    private static func notAccepted(by route: Route) -> Refusal {
        .credentialNotAccepted(accepted: route.accept.names)
    }

    private static func agentMismatch(
        _ principal: Principal, _ route: Route, _ path: Span<UInt8>, _ match: RouteMatch
    ) -> Refusal? {
        guard route.agentParameter != nil else { return nil }
        // A route that names an agent and a match without one cannot be; if they were, nobody passes.
        guard let agent = match.agent else { return .agentMismatch(agentID: "") }
        let segment = path.extracting(agent.range)
        if ByteWords.equal(principal.agentBytes, segment) { return nil }
        return .agentMismatch(agentID: String(copying: segment))
    }

    private static func missingClaim(_ principal: Principal, _ route: Route) -> Refusal? {
        for requirement in route.requirements {
            if let claims = principal.claims?.claims, requirement.isMet(by: claims) { continue }
            let scope = requirement.isScope ? requirement.values.joined(separator: " ") : nil
            return .permissionDenied(required: requirement.text, scope: scope)
        }
        return nil
    }
}

extension String {
    /// A text of these bytes; what is not UTF-8 becomes U+FFFD.
    init(copying bytes: Span<UInt8>) {
        self = unsafe bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }
}
