import Configuration
import Dispatch
import HTTP
import Identity
import JOSE
import Policy
import Providers
import Transport

/// Credentials that somebody else has to be asked about: keys that are not known, opaque tokens.
///
/// Those are asked whom the shard serves with now, not those of the configuration that the request began with: after a reload the
/// shard judges by the new issuers.
extension Exchange {
    /// Seconds that a request waits for keys at most.
    private static let keyPatience = 2
    /// Seconds that a request waits for introspection at most.
    private static let introspectionPatience = 6
    /// Seconds until a stream's token is asked about again that could not be.
    private static let recheckPause: Int64 = 5

    // MARK: Keys

    /// The token's key may have to be fetched: waits for that, or refuses where nothing is fetched now.
    func awaitKeys(of issuer: Int, hasKeys: Bool) -> Decision {
        demandKeys(of: issuer) ? .wait : .refuse(keyRefusal(issuer, hasKeys))
    }

    private func demandKeys(of issuer: Int) -> Bool {
        guard let keys = worker.serving.providers.keys else { return false }
        let wait = ProviderWait(self)
        guard keys.demand(issuer: issuer, reply: { _ in wait.end { $0.keysFetched(by: keys) } }) else { return false }
        wait.end(after: Self.keyPatience) { $0.keysFetched(by: keys) }
        return true
    }

    func keyRefusal(_ issuer: Int, _ hasKeys: Bool) -> Refusal {
        let issuers = worker.serving.configuration.issuers
        guard !hasKeys, issuer < issuers.count else {
            whyInvalid = "its key is not among its issuer's"
            return .tokenInvalid
        }
        return .keysUnavailable(issuer: issuers[issuer].issuer ?? issuers[issuer].name)
    }

    /// Whatever became of the fetch: what is known now decides. A reload meanwhile has others fetch.
    private func keysFetched(by keys: KeyWatch) {
        guard let value = head.authorization, let headBuffer else { return refuseAfterWaiting(.credentialsMissing) }
        let bytes = headBuffer.readable
        switch worker.authenticator.authenticate(
            authorization: bytes.extracting(value.range), now: worker.clock.update())
        {
        case .principal(let principal):
            admitted(principal)
            proceed()
        case .refused(let refusal):
            whyInvalid = worker.authenticator.whyInvalid
            refuseAfterWaiting(refusal)
        case .keyUnknown(let issuer, let hasKeys):
            if worker.serving.providers.keys !== keys, demandKeys(of: issuer) { return }
            refuseAfterWaiting(keyRefusal(issuer, hasKeys))
        case .unknownToken: refuseAfterWaiting(.tokenInvalid)
        }
    }

    // MARK: Opaque tokens

    /// Asks about an opaque token.
    func introspect(_ bytes: Span<UInt8>) -> Decision {
        guard let introspector = worker.serving.providers.introspector, let token = bearerToken(bytes) else {
            return .refuse(.tokenInvalid)
        }
        let wait = ProviderWait(self)
        introspector.look(token, client: clientHash, now: worker.clock.update()) { finding in
            wait.end { $0.introspected(finding) }
        }
        wait.end(after: Self.introspectionPatience) { exchange in
            let name = exchange.worker.serving.configuration.introspections.first?.name ?? ""
            exchange.introspected(.unavailable(name: name))
        }
        return .wait
    }

    private func bearerToken(_ bytes: Span<UInt8>) -> [UInt8]? {
        guard let value = head.authorization, let range = BearerToken.range(in: bytes.extracting(value.range)) else {
            return nil
        }
        return bytes.extracting(value.range).copy(range)
    }

    private var clientHash: UInt64 {
        guard let client = downstream?.client else { return 0 }
        return SubjectHash.of(AddressGroup.of(ClientAddress.of(self, client)))
    }

    private func introspected(_ finding: Introspector.Finding) {
        switch finding {
        case .active(let claims, let until, let weight):
            let principal = Principal(introspected: claims, until: until)
            if let refusal = worker.authenticator.refusal(for: principal) { return refuseAfterWaiting(refusal) }
            if let headBuffer, let token = bearerToken(headBuffer.readable) {
                worker.authenticator.remember(
                    principal, for: token.span, weight: weight, now: worker.clock.update(), until: until)
            }
            admitted(principal)
            proceed()
        case .failed(let failure):
            whyInvalid = "what introspection says of it is not what this gateway takes"
            refuseAfterWaiting(failure.refusal)
        case .inactive:
            whyInvalid = "introspection says that it is not active"
            refuseAfterWaiting(.tokenInvalid)
        case .unavailable(let name): refuseAfterWaiting(.keysUnavailable(issuer: name))
        }
    }

    /// Asks anew about the opaque token under which something runs, when the last answer has served its time.
    func recheck(_ moment: StreamWatch.Moment) {
        guard let principal, let until = principal.verifiedUntil, moment.seconds >= until, moment.seconds >= recheckAt,
            let introspector = worker.serving.providers.introspector, let headBuffer,
            let token = bearerToken(headBuffer.readable)
        else { return }
        recheckAt = .max
        let shard = worker.shard
        let resumption = ExchangeResumption(self)
        introspector.look(token, client: clientHash, now: moment.seconds) { finding in
            shard.post { resumption.resume { $0.rechecked(finding) } }
        }
    }

    private func rechecked(_ finding: Introspector.Finding) {
        recheckAt = 0
        let wait = worker.serving.configuration.revocationLag.nanoseconds / 2
        switch finding {
        case .active(let claims, let until, _) where claims.userID == principal?.userID:
            principal = Principal(introspected: claims, until: until)
        case .active, .inactive: end(with: .tokenRevoked, wait: wait)
        case .failed(.expired(let time)): end(with: .tokenExpired(at: time), wait: wait)
        case .failed: end(with: .tokenRevoked, wait: wait)
        // What runs was let in by a good answer: an outage of the issuer does not end it.
        case .unavailable: recheckAt = worker.clock.update() + Self.recheckPause
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
        shard.post { [self] in finish(body) }
    }

    /// Goes on after so many seconds, if it has not yet. `body` is kept as long, so it holds nothing large.
    func end(after seconds: Int, _ body: @escaping @Sendable (Exchange) -> Void) {
        shard.queue.asyncAfter(deadline: .now() + .seconds(seconds)) { [weak self] in self?.finish(body) }
    }

    private func finish(_ body: (Exchange) -> Void) {
        guard !hasEnded else { return }
        hasEnded = true
        resumption.resume(body)
    }
}
