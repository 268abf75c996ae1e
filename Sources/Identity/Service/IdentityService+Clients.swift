internal import Configuration
internal import HTTP
internal import JOSE
public import Policy
internal import Transport

/// What services ask about what was issued here, and end of it (RFC 7662, RFC 7009).
extension IdentityService {
    /// Says what a token is. `principal` is whom the shards take it for now: an access token or an API key that is good.
    public func introspect(_ token: [UInt8], principal: Principal?, mint: TokenMint, reply: @escaping Reply) {
        if let principal, principal.kind == .apiKey { return reply(Self.active(Self.members(of: principal))) }
        enter(reply) { [self] () throws(Refusal) in
            let now = WallClock.seconds()
            if principal != nil {
                guard case .success(let claims) = mint.verifyExpiredAccess(token, now: now) else {
                    return Self.inactive
                }
                return Self.active(claims.claims)
            }
            guard case .success(let claims) = mint.verifyRefresh(String(decoding: token, as: UTF8.self), now: now),
                let id = claims.tokenID
            else { return Self.inactive }
            enqueue(about: claims.sessionID ?? id, reply) { [self] () throws(Refusal) in
                let outcome = try asking { store throws(StoreError) in try store.inspect(.refresh(id: id)) }
                guard case .unspent = outcome else { return Self.inactive }
                return Self.active(claims.claims)
            }
            return nil
        }
    }

    /// Ends a token: the session of an access or a refresh token, or an API key. What is not good ends as it is.
    public func revoke(
        presented token: [UInt8], principal: Principal?, mint: TokenMint, keyPrefix: String, reply: @escaping Reply
    ) {
        let done: Reply = { outcome in
            if case .noContent = outcome { reply(Self.ended) } else { reply(outcome) }
        }
        if let principal, principal.kind == .apiKey { return revokeKey(principal, keyPrefix, done) }
        enter(done) { [self] () throws(Refusal) in
            let now = WallClock.seconds()
            if let principal {
                guard case .success = mint.verifyExpiredAccess(token, now: now) else { return .noContent }
                revoke(principal, accessTTL: mint.settings.accessTTL, reply: done)
                return nil
            }
            guard case .success(let claims) = mint.verifyRefresh(String(decoding: token, as: UTF8.self), now: now),
                let session = claims.sessionID
            else { return .noContent }
            let until = Self.end(ofTokensIssuedBy: now, accessTTL: mint.settings.accessTTL)
            enqueue(about: session, done) { [self] () throws(Refusal) in
                try asking { store throws(StoreError) in try store.endSession(session, now: now, until: until) }
                publisher.revoke([.session(session, until: until)]) { done(.noContent) }
                return nil
            }
            return nil
        }
    }

    private func revokeKey(_ principal: Principal, _ prefix: String, _ done: @escaping Reply) {
        guard let id = principal.keyID else { return done(.noContent) }
        enqueue(about: id, done) { [self] () throws(Refusal) in
            let service = KeyService(store: store, prefix: prefix)
            do throws(KeyServiceError) { try service.revoke(id: id, now: WallClock.seconds()) } catch {
                if case .store(let error) = error { throw refusal(for: error) }
            }
            publisher.reloadKeys { isKnown in done(isKnown ? .noContent : .refused(.storeUnavailable)) }
            return nil
        }
    }

    private static let inactive = IdentityReply.json(status: 200, body: JSONWriter.encode(["active": .bool(false)]))
    private static let ended = IdentityReply.json(status: 200, body: Array("{}".utf8))

    /// What else the token says of itself stands behind `active`.
    private static func active(_ members: JSONObject) -> IdentityReply {
        var object: JSONObject = ["active": .bool(true)]
        for member in members.members where member.name != "active" { object[member.name] = member.value }
        return .json(status: 200, body: JSONWriter.encode(object))
    }

    private static func members(of key: Principal) -> JSONObject {
        var object: JSONObject = ["token_type": .string("api_key"), "sub": .string(key.userID)]
        if let id = key.keyID { object["jti"] = .string(id) }
        if let agent = key.agentID { object["agent_id"] = .string(agent) }
        if key.expiresAt < .max { object["exp"] = .integer(key.expiresAt) }
        return object
    }
}
