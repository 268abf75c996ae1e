public import HTTP
public import JOSE

/// What becomes of a request's credential.
public enum AuthenticationResult: Sendable {
    /// It is good, and says who asks.
    case principal(Principal)
    /// It is not; the answer says why.
    case refused(Refusal)
    /// It is a token whose key may have to be fetched, from the issuer of this index.
    case keyUnknown(issuer: Int, hasKeys: Bool)
    /// It is an opaque token, which its issuer has to be asked about.
    case unknownToken
}

/// Turns an `Authorization` value into a principal or a refusal. Confined to one shard; a reload makes a new one.
///
/// A token is verified once and then known by its bytes until it expires. An API key is known by its SHA-256 alone, and
/// whether it may be used is asked of the current table each time. What was revoked is refused on every request, also when
/// the credential is known. Neither allocates when it is known already.
public final class Authenticator {
    /// Longer ones are no keys of ours: they are refused before they are hashed. No timing tells what is not public.
    private static let keyLimit = 256

    private var verifier: TokenVerifier
    /// Whether somebody can be asked about opaque tokens.
    private let introspects: Bool
    private let keyPrefix: [UInt8]
    private let tokenLimit: Int
    private let cache: TokenCache
    private let sha256 = SHA256()
    private var keys: KeyTable
    private let keyPrincipals: KeyPrincipals
    private var revocations: RevocationSet
    /// The store has not answered for too long: what was revoked meanwhile is not known, so nobody is vouched for.
    public var isStoreSilent = false

    /// Tokens that were found in the cache.
    public private(set) var cacheHits = 0
    /// Tokens that were not.
    public private(set) var cacheMisses = 0

    /// An authenticator for one shard. `cacheCapacity` bounds the verified tokens that it remembers, `cacheBytes` the
    /// memory for them, reckoned generously; 0 remembers none.
    public init(
        issuers: [TokenIssuer], keyPrefix: String, tokenLimit: Int, introspects: Bool = false, keys: KeyTable,
        revocations: RevocationSet = RevocationSet(), cacheCapacity: Int = 8192, cacheBytes: Int = 64 << 20
    ) {
        self.revocations = revocations
        verifier = TokenVerifier(issuers: issuers)
        self.introspects = introspects
        self.keyPrefix = Array(keyPrefix.utf8)
        self.tokenLimit = tokenLimit
        self.keys = keys.replica()
        cache = TokenCache(capacity: cacheCapacity, byteLimit: cacheBytes)
        keyPrincipals = KeyPrincipals(capacity: cacheCapacity)
    }

    /// Goes on with other keys of the same issuers. What a key has vouched for that is gone is forgotten.
    public func replaceIssuers(_ issuers: [TokenIssuer]) {
        verifier = TokenVerifier(issuers: issuers)
        cache.removeAll()
    }

    /// Remembers whom an opaque token stands for until `until`, in seconds since 1970.
    /// `weight` is about how many bytes its claims take.
    public func remember(_ principal: Principal, for token: Span<UInt8>, weight: Int, now: Int64, until: Int64) {
        cache.insert(token, tag: cache.tag(of: token), principal: principal, weight: weight, now: now, until: until)
    }

    /// Judges a principal that was asked for: what was revoked meanwhile is refused.
    public func refusal(for principal: Principal) -> Refusal? {
        isStoreSilent ? .storeUnavailable : revocations.refusal(for: principal)
    }

    /// Goes on with another table: what was revoked, made or changed acts from the next request on.
    public func replaceKeys(_ table: KeyTable) {
        keys = table.replica()
        keyPrincipals.removeAll()
    }

    /// Goes on with all that is revoked now.
    public func replaceRevocations(_ all: RevocationSet) {
        var next = all
        next.succeed(revocations)
        revocations = next
    }

    /// Refuses from the next request on what these revoke.
    public func apply(_ further: [Revocation], now: Int64) {
        for revocation in further { revocations.apply(revocation, now: now) }
    }

    /// How many verified tokens are remembered.
    public var cacheCount: Int { cache.count }

    /// Why the token that was judged last is invalid, where it is: for the operator, never for the client.
    public private(set) var whyInvalid: StaticString?

    /// Judges the value of a request's `Authorization`, nil if it has none. `now` is in seconds since 1970.
    public func authenticate(authorization: Span<UInt8>?, now: Int64) -> AuthenticationResult {
        whyInvalid = nil
        guard let authorization, let range = BearerToken.range(in: authorization) else {
            return .refused(.credentialsMissing)
        }
        return result(examine(authorization.extracting(range), now: now))
    }

    /// Judges a token that came without a scheme, in a cookie for one. An API key is no such token.
    public func authenticate(token: Span<UInt8>, now: Int64) -> AuthenticationResult {
        whyInvalid = nil
        guard token.count > 0, !(ByteWords.hasPrefix(token, keyPrefix) && BearerToken.hasNoDot(token)) else {
            return notJWT
        }
        let judged = result(examine(token, now: now))
        // An opaque one is a credential of the header alone, also where it is remembered.
        if case .principal(let principal) = judged, principal.kind != .jwt { return notJWT }
        return judged
    }

    private var notJWT: AuthenticationResult {
        whyInvalid = "not a JWT, where only one may stand"
        return .refused(.tokenInvalid)
    }

    /// Judges a credential of any kind that somebody else presents.
    public func authenticate(presented token: Span<UInt8>, now: Int64) -> AuthenticationResult {
        token.count > 0 ? result(examine(token, now: now)) : .refused(.tokenInvalid)
    }

    /// Why a credential that a request came with, at `started`, no longer holds for what still runs under it; nil when it
    /// does. A token counts until its `exp` without leeway, unless it came within that, and for `grace` longer. Times are
    /// in seconds, moments since 1970.
    public func refusal(forRunning principal: Principal, since started: Int64, now: Int64, grace: Int64) -> Refusal? {
        if let refusal = refusal(for: principal) { return refusal }
        if let digest = principal.digest {
            guard let place = keys.place(of: digest) else { return .apiKeyRevoked(at: nil) }
            switch keys.standing(at: place, now: now) {
            case .active: return nil
            case .expired(let time): return .apiKeyExpired(at: time)
            case .revoked(let time): return .apiKeyRevoked(at: time)
            }
        }
        let end = principal.expiresAt
        let leeway = started >= end ? principal.claims?.leeway ?? 0 : 0
        guard now >= end, now - end >= leeway + grace else { return nil }
        return .tokenExpired(at: end)
    }

    @inline(__always)
    private func result(_ examination: Examination) -> AuthenticationResult {
        switch examination {
        case .principal(let principal, _):
            return isStoreSilent ? .refused(.storeUnavailable) : .principal(principal)
        case .tokenFailed(.keyUnknown(let issuer, let hasKeys)): return .keyUnknown(issuer: issuer, hasKeys: hasKeys)
        case .tokenFailed(let failure):
            if case .invalid(let reason) = failure { whyInvalid = reason }
            return .refused(failure.refusal)
        case .opaque: return .unknownToken
        case .refused(let refusal): return .refused(refusal)
        }
    }

    /// What `examine` finds, with what `explain` tells beyond the answer.
    enum Examination {
        case principal(Principal, isCached: Bool)
        case tokenFailed(TokenFailure)
        /// Nothing is known of it here, and somebody can be asked.
        case opaque
        case refused(Refusal)
    }

    /// Judges a credential.
    @inline(__always)
    func examine(_ token: Span<UInt8>, now: Int64) -> Examination {
        guard token.count <= tokenLimit else { return .tokenFailed(.invalid("longer than max_token")) }
        let hasPrefix = ByteWords.hasPrefix(token, keyPrefix)
        if hasPrefix, BearerToken.hasNoDot(token) { return lookUp(token, now: now) }
        // Only what was a JWT is in the cache, so a hit needs no look at the form.
        let tag = cache.tag(of: token)
        if let known = cache.find(token, tag: tag, now: now) {
            cacheHits &+= 1
            switch known {
            case .principal(let principal, let place):
                let epoch = revocations.epoch
                if epoch == 0 || cache.isClean(place, in: epoch) { return .principal(principal, isCached: true) }
                if let refusal = revocations.refusal(for: principal) { return .refused(refusal) }
                cache.markClean(place, in: epoch)
                return .principal(principal, isCached: true)
            case .expired(let time): return .tokenFailed(.expired(at: time))
            }
        }
        cacheMisses &+= 1
        if introspects, !hasPrefix, !looksLikeJWT(token) { return .opaque }
        // Without the prefix it is a JWT or nothing, and the verifier finds that out by itself.
        if !hasPrefix || looksLikeJWT(token) { return verify(token, tag: tag, now: now) }
        return lookUp(token, now: now)
    }

    /// The first time that a token is seen here, or the first since it left the cache. Of failures only expiry is
    /// remembered: it is the last thing that is looked at, and nothing but the clock could undo it.
    private func verify(_ token: Span<UInt8>, tag: UInt64, now: Int64) -> Examination {
        switch verifier.verify(token, now: now) {
        case .failure(let failure):
            if case .expired(let time) = failure { cache.insertExpired(token, tag: tag, at: time, now: now) }
            return .tokenFailed(failure)
        case .success(let claims):
            let principal = Principal(claims)
            let (until, overflows) = claims.expiresAt.addingReportingOverflow(claims.leeway)
            cache.insert(token, tag: tag, principal: principal, now: now, until: overflows ? .max : until)
            if let refusal = revocations.refusal(for: principal) { return .refused(refusal) }
            return .principal(principal, isCached: false)
        }
    }

    /// Unknown and malformed keys get one answer.
    private func lookUp(_ key: Span<UInt8>, now: Int64) -> Examination {
        guard key.count <= Authenticator.keyLimit, let place = keys.place(of: sha256.hash(key)) else {
            // It may have been made meanwhile.
            return .refused(isStoreSilent ? .storeUnavailable : .apiKeyInvalid)
        }
        switch keys.standing(at: place, now: now) {
        case .active: return judgeOwner(keyPrincipals.principal(at: place, of: keys), place)
        case .expired(let time): return .refused(.apiKeyExpired(at: time))
        case .revoked(let time): return .refused(.apiKeyRevoked(at: time))
        }
    }

    /// A disabled user's keys are dead.
    @inline(__always)
    private func judgeOwner(_ principal: Principal, _ place: Int) -> Examination {
        let epoch = revocations.epoch
        if epoch == 0 || keyPrincipals.isClean(place, in: epoch) { return .principal(principal, isCached: true) }
        if let refusal = revocations.refusal(for: principal) { return .refused(refusal) }
        keyPrincipals.markClean(place, in: epoch)
        return .principal(principal, isCached: true)
    }
}

extension TokenFailure {
    /// What a client is answered. Why a token is invalid is told to the operator only.
    public var refusal: Refusal {
        switch self {
        case .invalid, .keyUnknown: .tokenInvalid
        case .expired(let time): .tokenExpired(at: time)
        case .notYetValid(let time): .tokenNotYetValid(from: time)
        case .wrongType(let expected): .tokenWrongType(expected: expected)
        }
    }
}
