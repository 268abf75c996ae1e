public import HTTP
public import JOSE

/// What becomes of a request's credential.
public enum AuthenticationResult: Sendable {
    /// It is good, and says who asks.
    case principal(Principal)
    /// It is not; the answer says why.
    case refused(Refusal)
}

/// Turns an `Authorization` value into a principal or a refusal. Confined to one shard; a reload makes a new one.
///
/// A token is verified once and then known by its bytes until it expires. An API key is known by its SHA-256 alone, and
/// whether it may be used is asked of the current table each time. Neither allocates when it is known already.
public final class Authenticator {
    /// Longer ones are no keys of ours: they are refused before they are hashed. No timing tells what is not public.
    private static let keyLimit = 256

    private let verifier: TokenVerifier
    /// Leeway by issuer, in seconds.
    private let leeways: [Int64]
    private let keyPrefix: [UInt8]
    private let tokenLimit: Int
    private let cache: TokenCache
    private let sha256 = SHA256()
    private var keys: KeyTable
    private let keyPrincipals: KeyPrincipals

    /// Tokens that were found in the cache.
    public private(set) var cacheHits = 0
    /// Tokens that were not.
    public private(set) var cacheMisses = 0

    /// An authenticator for one shard. `cacheCapacity` bounds the verified tokens that it remembers, `cacheBytes` the
    /// memory for them, reckoned generously; 0 remembers none.
    public init(
        issuers: [TokenIssuer], keyPrefix: String, tokenLimit: Int, keys: KeyTable, cacheCapacity: Int = 8192,
        cacheBytes: Int = 64 << 20
    ) {
        verifier = TokenVerifier(issuers: issuers)
        leeways = issuers.map(\.leeway)
        self.keyPrefix = Array(keyPrefix.utf8)
        self.tokenLimit = tokenLimit
        self.keys = keys
        cache = TokenCache(capacity: cacheCapacity, byteLimit: cacheBytes)
        keyPrincipals = KeyPrincipals(capacity: cacheCapacity)
    }

    /// Goes on with another table: what was revoked, made or changed acts from the next request on.
    public func replaceKeys(_ table: KeyTable) {
        keys = table
        keyPrincipals.removeAll()
    }

    /// How many verified tokens are remembered.
    public var cacheCount: Int { cache.count }

    /// Judges the value of a request's `Authorization`, nil if it has none. `now` is in seconds since 1970.
    public func authenticate(authorization: Span<UInt8>?, now: Int64) -> AuthenticationResult {
        guard let authorization, let range = BearerToken.range(in: authorization) else {
            return .refused(.credentialsMissing)
        }
        switch examine(authorization.extracting(range), now: now) {
        case .principal(let principal, _): return .principal(principal)
        case .tokenFailed(let failure): return .refused(failure.refusal)
        case .refused(let refusal): return .refused(refusal)
        }
    }

    /// What `examine` finds, with what `explain` tells beyond the answer.
    enum Examination {
        case principal(Principal, isCached: Bool)
        case tokenFailed(TokenFailure)
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
            case .principal(let principal): return .principal(principal, isCached: true)
            case .expired(let time): return .tokenFailed(.expired(at: time))
            }
        }
        cacheMisses &+= 1
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
            let (until, overflows) = claims.expiresAt.addingReportingOverflow(leeways[claims.issuerIndex])
            cache.insert(token, tag: tag, principal: principal, now: now, until: overflows ? .max : until)
            return .principal(principal, isCached: false)
        }
    }

    /// Unknown and malformed keys get one answer.
    private func lookUp(_ key: Span<UInt8>, now: Int64) -> Examination {
        guard key.count <= Authenticator.keyLimit, let place = keys.place(of: sha256.hash(key)) else {
            return .refused(.apiKeyInvalid)
        }
        switch keys.standing(at: place, now: now) {
        case .active: return .principal(keyPrincipals.principal(at: place, of: keys), isCached: true)
        case .expired(let time): return .refused(.apiKeyExpired(at: time))
        case .revoked(let time): return .refused(.apiKeyRevoked(at: time))
        }
    }
}

extension TokenFailure {
    /// What a client is answered. Why a token is invalid is told to the operator only.
    var refusal: Refusal {
        switch self {
        case .invalid: .tokenInvalid
        case .expired(let time): .tokenExpired(at: time)
        case .notYetValid(let time): .tokenNotYetValid(from: time)
        case .wrongType(let expected): .tokenWrongType(expected: expected)
        }
    }
}
