/// The `api_keys` block: where owners manage the keys of their agents.
public struct KeyEndpoints: Sendable {
    /// The path of an agent's keys; has `{agent_id}` and ends in `/`.
    public var pattern: PathPattern
    /// Who says whether a user may manage an agent.
    public var ownerCheck: OwnerCheck

    /// Endpoints at `pattern`.
    public init(pattern: PathPattern, ownerCheck: OwnerCheck) {
        self.pattern = pattern
        self.ownerCheck = ownerCheck
    }
}

/// The question to an upstream whether a user may manage an agent (`owner_check`): 2xx says yes, 4xx no.
public struct OwnerCheck: Sendable {
    /// The place in `Configuration.upstreams`.
    public var upstream: Int
    /// `GET` or `HEAD`.
    public var method: String
    /// What is asked; has `{agent_id}` and no other parameter.
    public var pattern: PathPattern

    /// A question to `upstream`.
    public init(upstream: Int, method: String, pattern: PathPattern) {
        self.upstream = upstream
        self.method = method
        self.pattern = pattern
    }
}
