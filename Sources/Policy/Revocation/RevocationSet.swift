public import HTTP
import JOSE

/// What was revoked and still counts. A value: each shard has its own, so that looking needs no lock.
///
/// Bounded by what the store holds: every entry is a login that was ended, a token that was, or a user who was disabled, and
/// leaves when the tokens that it names have expired. `epoch` rises with every change, so that who was found clean once need
/// not be looked up again before the next one.
public struct RevocationSet: Sendable {
    private struct Cutoff: Sendable {
        var moment: Int64
        var until: Int64
    }

    private var sessions: [String: Int64] = [:]
    private var tokens: [String: Int64] = [:]
    private var disabledUsers: [String: Int64] = [:]
    private var cutoffs: [String: Cutoff] = [:]
    /// Entries after the last purge; twice as many call for the next.
    private var purgedCount = RevocationSet.smallest
    /// Below so many entries nothing is purged in passing.
    private static let smallest = 1_024

    /// Another number after each change. 0: nothing was ever revoked.
    public private(set) var epoch: UInt64 = 0

    /// Nothing was revoked.
    public init() {}

    /// What a log says, read in its order.
    public init(_ revocations: [Revocation], now: Int64) {
        for revocation in revocations { apply(revocation, now: now) }
    }

    /// How many entries there are.
    public var count: Int { sessions.count + tokens.count + disabledUsers.count + cutoffs.count }

    /// Enters a revocation; one that is known already changes nothing.
    public mutating func apply(_ revocation: Revocation, now: Int64) {
        switch revocation {
        case .session(let id, let until): sessions[id] = max(until, sessions[id] ?? until)
        case .token(let id, let until): tokens[id] = max(until, tokens[id] ?? until)
        case .userDisabled(let id, let time): disabledUsers[id] = time
        case .userEnabled(let id): disabledUsers[id] = nil
        case .tokensBefore(let user, let moment, let until):
            let known = cutoffs[user] ?? Cutoff(moment: moment, until: until)
            cutoffs[user] = Cutoff(moment: max(moment, known.moment), until: max(until, known.until))
        }
        epoch &+= 1
        if count > 2 * purgedCount { purge(now: now) }
    }

    /// Forgets what names only tokens that have expired. No standing changes by it, so `epoch` stays.
    public mutating func purge(now: Int64) {
        sessions = sessions.filter { $0.value > now }
        tokens = tokens.filter { $0.value > now }
        cutoffs = cutoffs.filter { $0.value.until > now }
        purgedCount = max(count, RevocationSet.smallest)
    }

    /// Takes over what another set knew and this one does not. A store that was set back has forgotten; who was logged out stays so. Whether
    /// a user is disabled, the store alone says: enabled again, he has no entry.
    public mutating func remember(_ former: RevocationSet, now: Int64) {
        for (id, until) in former.sessions { apply(.session(id, until: until), now: now) }
        for (id, until) in former.tokens { apply(.token(id, until: until), now: now) }
        for (user, cutoff) in former.cutoffs {
            apply(.tokensBefore(user: user, moment: cutoff.moment, until: cutoff.until), now: now)
        }
    }

    /// Goes on from the epoch of another set that this one takes the place of.
    mutating func succeed(_ former: RevocationSet) { epoch = max(epoch, former.epoch) &+ 1 }

    /// The refusal of a credential that was verified, if it was revoked. Entries count until they are purged: a token that is
    /// named by one has then expired anyway.
    public func refusal(for principal: Principal) -> Refusal? {
        if let time = disabledUsers[principal.userID] {
            return principal.kind == .apiKey ? .apiKeyRevoked(at: time) : .tokenRevoked
        }
        guard principal.kind == .jwt else { return nil }
        if let session = principal.sessionID, sessions[session] != nil { return .tokenRevoked }
        if let token = principal.tokenID, tokens[token] != nil { return .tokenRevoked }
        if let cutoff = cutoffs[principal.userID], (principal.claims?.issuedAt ?? .min) < cutoff.moment {
            return .tokenRevoked
        }
        return nil
    }
}
