import Configuration
import HTTP
import Identity
import Policy
import Transport

/// What a caller may use: `rate_limit` and `quota` of the route, and those of an API key.
extension Exchange {
    /// The limits that are counted by address: before a credential is looked at, so that they also slow down guessing.
    func limitByAddress(_ policy: RoutePolicy) -> Refusal? {
        policyLines.append(contentsOf: policy.limitLine)
        guard policy.rate?.subject == .address || policy.quota?.subject == .address else { return nil }
        guard let client = downstream?.client else { return .draining }
        let address = AddressGroup.of(ClientAddress.of(self, client))
        let hash = SubjectHash.of(address)
        if let rate = policy.rate, rate.subject == .address, let refusal = take(rate, hash, policy.rateHash) {
            return refusal
        }
        guard let quota = policy.quota, quota.subject == .address else { return nil }
        return take(quota, hash, policy, owner: AddressGroup.wider(address)) { "address:\(address)" }
    }

    /// What holds on the route.
    private var policy: RoutePolicy? {
        guard let route else { return nil }
        return serving.policies[route.index]
    }

    /// Tells a caller who may not pass where his limit stands: what does not reach the upstream uses nothing.
    func tellLimits(to principal: Principal) {
        guard let policy, let rate = policy.rate, rate.subject != .address,
            let subject = subject(rate.subject, principal)
        else { return }
        let key = SubjectHash.mix(subject, policy.rateHash)
        guard case .passes(let remaining, let full) = worker.rates.look(key, rate, now: MonotonicTime.now().nanoseconds)
        else { return appendState("RateLimit: \"rate\";r=", 0, until: 1) }
        appendState("RateLimit: \"rate\";r=", remaining, until: Self.seconds(full))
    }

    /// The rates that are counted by who asks.
    func limitRate(of principal: Principal) -> Refusal? {
        if let rate = policy?.rate, rate.subject != .address,
            let subject = subject(rate.subject, principal), let refusal = take(rate, subject)
        {
            return refusal
        }
        guard let rate = principal.keyLimits.rate, let subject = principal.subject(.credential) else { return nil }
        return take(rate, subject, Self.keyScope)
    }

    /// What a request uses up that passes: quotas.
    func limitUse(by principal: Principal) -> Refusal? {
        if let policy, let quota = policy.quota, quota.subject != .address,
            let subject = subject(quota.subject, principal),
            let refusal = take(
                quota, subject, policy, owner: principal.userID, name: { self.subjectName(quota.subject, principal) })
        {
            return refusal
        }
        return principal.kind == .apiKey ? countUse(of: principal) : nil
    }

    /// Counts a request with an API key, if its own quota allows that.
    private func countUse(of principal: Principal) -> Refusal? {
        guard let id = principal.keyID, let identity = worker.identity else { return nil }
        let now = worker.clock.seconds
        let (meters, isNews) = worker.usage.meters(
            ofKey: id, hash: principal.subject(.credential) ?? 0, identity.usage, now: now)
        if isNews { identity.note(KeyUse(keyID: id, usedAt: now)) }
        if let quota = principal.keyLimits.quota {
            guard let meters else { return .quotaExceeded(retryAfter: Self.untilRoom) }
            let counter = quota.period == .day ? meters.day : meters.month
            let left = max(Int(counter.key.end - now), 1)
            let remaining = counter.take(limit: Int64(quota.count))
            appendState("RateLimit: \"key\";r=", Int(remaining ?? 0), until: left)
            guard remaining != nil else { return .quotaExceeded(retryAfter: left) }
            (quota.period == .day ? meters.month : meters.day).add()
            return nil
        }
        meters?.day.add()
        meters?.month.add()
        return nil
    }

    private static let keyScope = SubjectHash.of("key")
    /// Seconds until a table that has no room for another subject may have some.
    private static let untilRoom = 60

    /// A key's agent is its own. A token may name any agent in the path, so that it is counted for its user there: nobody uses up
    /// what is another's.
    private func subject(_ kind: LimitSubject, _ principal: Principal) -> UInt64? {
        if kind == .agent, principal.kind != .apiKey, let agent = agentRange {
            let path = path
            let hash = SubjectHash.of(path.span.extracting(agent.range))
            return SubjectHash.mix(hash, principal.subject(.user) ?? 0)
        }
        return principal.subject(kind)
    }

    private func subjectName(_ kind: LimitSubject, _ principal: Principal) -> String {
        if kind == .agent, principal.kind != .apiKey, let agent = agentRange {
            return "agent:\(text(agent.range)) user:\(principal.userID)"
        }
        return principal.subjectName(kind) ?? ""
    }

    private func take(_ rate: RateLimit, _ subject: UInt64) -> Refusal? {
        take(rate, subject, policy?.rateHash ?? 0)
    }

    private func take(_ rate: RateLimit, _ subject: UInt64, _ scope: UInt64) -> Refusal? {
        switch worker.rates.take(SubjectHash.mix(subject, scope), rate, now: MonotonicTime.now().nanoseconds) {
        case .passes(let remaining, let full):
            appendState("RateLimit: \"rate\";r=", remaining, until: Self.seconds(full))
            return nil
        case .exceeds(let wait):
            let seconds = Self.seconds(wait)
            appendState("RateLimit: \"rate\";r=", 0, until: seconds)
            return .rateLimited(retryAfter: seconds)
        }
    }

    private func take(
        _ quota: Quota, _ subject: UInt64, _ policy: RoutePolicy, owner: String, name: () -> String
    ) -> Refusal? {
        guard let identity = worker.identity else { return .storeUnavailable }
        let now = worker.clock.update()
        let counter = worker.usage.counter(SubjectHash.mix(subject, policy.quotaHash), now: now) {
            identity.usage.counter(
                scope: policy.scope, subject: name(), owner: owner, period: quota.period, now: now)
        }
        guard let counter else { return .quotaExceeded(retryAfter: Self.untilRoom) }
        let left = max(Int(counter.key.end - now), 1)
        let remaining = counter.take(limit: Int64(quota.count))
        appendState("RateLimit: \"quota\";r=", Int(remaining ?? 0), until: left)
        return remaining == nil ? .quotaExceeded(retryAfter: left) : nil
    }

    /// `RateLimit`, where the limit stands now: what remains, and when all of it is back.
    private func appendState(_ start: StaticString, _ remaining: Int, until seconds: Int) {
        policyLines.append(literal: start)
        policyLines.append(decimal: remaining)
        policyLines.append(literal: ";t=")
        policyLines.append(decimal: seconds)
        policyLines.append(literal: "\r\n")
    }

    private static func seconds(_ nanoseconds: Int64) -> Int {
        max(Int((nanoseconds + 999_999_999) / 1_000_000_000), 1)
    }
}
