import Configuration
import Dispatch
import HTTP
import JOSE
import Policy
import Providers
import Transport

/// Credentials that somebody else has to be asked about: keys that are not known, opaque tokens.
extension Exchange {
    /// Seconds that a request waits for keys at most.
    private static let keyPatience = 2
    /// Seconds that a request waits for introspection at most.
    private static let introspectionPatience = 6

    /// The token's key may have to be fetched: waits for that, or refuses where nothing is fetched now.
    func awaitKeys(of issuer: Int, hasKeys: Bool) -> Decision {
        let otherwise = keyRefusal(issuer, hasKeys)
        guard let keys = serving.providers.keys else { return .refuse(otherwise) }
        let wait = ProviderWait(self)
        guard keys.demand(issuer: issuer, reply: { _ in wait.end { $0.keysFetched() } }) else {
            return .refuse(otherwise)
        }
        wait.end(after: Self.keyPatience) { $0.keysFetched() }
        return .wait
    }

    private func keyRefusal(_ issuer: Int, _ hasKeys: Bool) -> Refusal {
        if hasKeys { return .tokenInvalid }
        let issuers = serving.configuration.issuers
        guard issuer < issuers.count else { return .tokenInvalid }
        return .keysUnavailable(issuer: issuers[issuer].issuer ?? issuers[issuer].name)
    }

    /// Whatever became of the fetch: what is known now decides.
    private func keysFetched() {
        guard let value = head.authorization, let headBuffer else { return refuseAfterWaiting(.credentialsMissing) }
        let bytes = headBuffer.readable
        switch worker.authenticator.authenticate(
            authorization: bytes.extracting(value.range), now: worker.clock.update())
        {
        case .principal(let principal):
            admitted(principal)
            proceed()
        case .refused(let refusal): refuseAfterWaiting(refusal)
        case .keyUnknown(let issuer, let hasKeys): refuseAfterWaiting(keyRefusal(issuer, hasKeys))
        case .unknownToken: refuseAfterWaiting(.tokenInvalid)
        }
    }

    /// Asks about an opaque token.
    func introspect(_ bytes: Span<UInt8>) -> Decision {
        guard let introspector = serving.providers.introspector, let value = head.authorization,
            let range = BearerToken.range(in: bytes.extracting(value.range))
        else { return .refuse(.tokenInvalid) }
        let token = bytes.extracting(value.range).copy(range)
        let wait = ProviderWait(self)
        introspector.look(token, now: worker.clock.update()) { finding in
            wait.end { $0.introspected(finding, token) }
        }
        let name = serving.configuration.introspections.first?.name ?? ""
        wait.end(after: Self.introspectionPatience) { $0.introspected(.unavailable(name: name), token) }
        return .wait
    }

    private func introspected(_ finding: Introspector.Finding, _ token: [UInt8]) {
        switch finding {
        case .active(let claims, let until):
            let principal = Principal(introspected: claims)
            if let refusal = worker.authenticator.refusal(for: principal) { return refuseAfterWaiting(refusal) }
            worker.authenticator.remember(principal, for: token.span, now: worker.clock.update(), until: until)
            admitted(principal)
            proceed()
        case .failed(let failure): refuseAfterWaiting(failure.refusal)
        case .inactive: refuseAfterWaiting(.tokenInvalid)
        case .unavailable(let name): refuseAfterWaiting(.keysUnavailable(issuer: name))
        }
    }
}

/// A request that waits for a provider, and goes on once: with what came, or when its patience ends.
private final class ProviderWait: @unchecked Sendable {
    private let shard: Shard
    private let resumption: ExchangeResumption
    /// Confined to the shard's queue.
    private var hasEnded = false

    init(_ exchange: Exchange) {
        shard = exchange.worker.shard
        resumption = ExchangeResumption(exchange)
    }

    /// Goes on, if it has not yet. From any queue.
    func end(_ body: @escaping @Sendable (Exchange) -> Void) {
        shard.post { [self] in
            guard !hasEnded else { return }
            hasEnded = true
            resumption.resume(body)
        }
    }

    func end(after seconds: Int, _ body: @escaping @Sendable (Exchange) -> Void) {
        shard.queue.asyncAfter(deadline: .now() + .seconds(seconds)) { [weak self] in self?.end(body) }
    }
}
