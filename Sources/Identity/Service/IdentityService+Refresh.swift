internal import Configuration
internal import HTTP
internal import JOSE
internal import Policy
internal import Transport

extension IdentityService {
    /// `POST token/refresh/` with the token in the body, or, in cookie mode with an empty object, in a cookie.
    public func refresh(body: [UInt8], cookie: RefreshCookie?, mint: TokenMint, reply: @escaping Reply) {
        enter(reply) { [self] () throws(Refusal) in
            let fields = try RequestBody(body, allowsEmpty: cookie != nil)
            let isFromCookie = !fields.has("refresh") && cookie != nil
            let token: String
            if isFromCookie, let cookie {
                guard cookie.isFromOwnPage else { throw .csrfFailed }
                token = String(decoding: cookie.token, as: UTF8.self)
            } else {
                token = try fields.text("refresh")
            }
            let now = WallClock.seconds()
            let claims: VerifiedClaims
            switch mint.verifyRefresh(token, now: now) {
            case .success(let good): claims = good
            case .failure(let failure): throw failure.refusal
            }
            guard let id = claims.tokenID, let sessionID = claims.sessionID else { throw .tokenInvalid }
            throttled(sessionID, reply) { [self] () throws(Refusal) in
                try renew(.refresh(id: id), mint, reply, showsRefresh: !isFromCookie)
            }
            return nil
        }
    }

    /// Renews the pair of an access token that has expired, for a browser whose pair the gateway holds.
    public func renew(
        expiredAccess token: [UInt8], expiredAt time: Int64, mint: TokenMint, reply: @escaping Reply
    ) {
        enter(reply) { [self] () throws(Refusal) in
            guard case .success(let claims) = mint.verifyExpiredAccess(token, now: WallClock.seconds()),
                let id = claims.tokenID, let sessionID = claims.sessionID
            else { throw .tokenExpired(at: time) }  // another issuer's, or over for longer than the refresh token lives
            throttled(sessionID, reply) { [self] () throws(Refusal) in
                try renew(.access(id: id), mint, reply, showsRefresh: false)
            }
            return nil
        }
    }

    /// At most ten failures a minute for each session.
    private func throttled(_ sessionID: String, _ reply: @escaping Reply, _ body: @escaping Work) {
        enqueue(about: sessionID, reply) { [self] () throws(Refusal) in try counted(sessionID, body) }
    }

    private func counted(_ sessionID: String, _ body: Work) throws(Refusal) -> IdentityReply? {
        // One after the other in the session's lane: none is under way beside this one.
        let now = MonotonicTime.now().nanoseconds
        if case .refused(let seconds) = refreshes.begin(account: sessionID, address: "", now: now) {
            throw .rateLimited(retryAfter: seconds)
        }
        do throws(Refusal) {
            let reply = try body()
            refreshes.ended(account: sessionID, address: "", failed: false, now: now)
            return reply
        } catch {
            // What the gateway could not do is nobody's failure.
            refreshes.ended(account: sessionID, address: "", failed: error.status < 500, now: now)
            throw error
        }
    }

    private func renew(
        _ token: PresentedToken, _ mint: TokenMint, _ reply: @escaping Reply, showsRefresh: Bool
    ) throws(Refusal) -> IdentityReply? {
        guard mint.rotates else { return try accessOnly(token, mint) }
        let milliseconds = WallClock.milliseconds()
        let now = milliseconds / 1_000
        let settings = mint.settings
        let successor = FreshPair(now: now, lifetime: settings.refreshTTL)
        let outcome = try asking { store throws(StoreError) in
            try store.rotate(
                token, to: successor, nowMilliseconds: milliseconds, overlap: settings.refreshOverlap * 1_000,
                until: Self.end(ofTokensIssuedBy: now, accessTTL: settings.accessTTL))
        }
        switch outcome {
        case .rotated(let pair), .repeated(let pair), .unspent(let pair):
            let tokens = try successors.tokens(for: pair) { () throws(Refusal) in try issue(pair, mint) }
            var object: JSONObject = ["access": .string(tokens.access)]
            if showsRefresh, let refresh = tokens.refresh { object["refresh"] = .string(refresh) }
            return .tokens(tokens, body: JSONWriter.encode(object))
        case .reused(let sessionID):
            // RFC 9700 §4.14.2: somebody has a copy. The shards know before the answer says so.
            let until = Self.end(ofTokensIssuedBy: now, accessTTL: settings.accessTTL)
            publisher.revoke([.session(sessionID, until: until)]) {
                reply(.refused(.tokenRevoked))
            }
            return nil
        case .dead: throw .tokenRevoked
        }
    }

    /// Without rotation: the refresh token goes on being good for all its life.
    private func accessOnly(_ token: PresentedToken, _ mint: TokenMint) throws(Refusal) -> IdentityReply {
        let outcome = try asking { store throws(StoreError) in try store.inspect(token) }
        guard case .unspent(let pair) = outcome else { throw .tokenRevoked }
        let access: String
        do throws(KeyError) {
            access = try mint.access(
                id: Identifier.uuid(), sessionID: pair.sessionID, userID: pair.userID, issuedAt: WallClock.seconds())
        } catch { throw .keysUnavailable(issuer: "identity") }
        return .tokens(IssuedTokens(access: access, refresh: nil), body: JSONWriter.encode(["access": .string(access)]))
    }
}
