internal import HTTP
internal import JOSE
public import Policy
internal import Transport

extension IdentityService {
    /// Ends what a verified token stands for, before it replies `noContent`: its session and, for a token that has none,
    /// itself. Also what a backend's own logout calls, whose tokens may have a `jti` alone.
    public func revoke(_ principal: Principal, accessTTL: Int64, reply: @escaping Reply) {
        let subject = principal.sessionID ?? principal.tokenID ?? principal.userID
        enqueue(about: subject, reply) { [self] () throws(Refusal) in
            let now = WallClock.seconds()
            // The session may have younger tokens than the one that was shown.
            let tokenEnd = principal.expiresAt + Self.longestLeeway
            let until = max(tokenEnd, Self.end(ofTokensIssuedBy: now, accessTTL: accessTTL))
            var revoked: [Revocation] = []
            if let session = principal.sessionID { revoked.append(.session(session, until: until)) }
            if let token = principal.tokenID { revoked.append(.token(token, until: tokenEnd)) }
            guard !revoked.isEmpty else {
                throw .badRequest(
                    field: "authorization", reason: "the token has neither sid nor jti, so it cannot be revoked",
                    aboutCredential: true)
            }
            try asking { store throws(StoreError) in
                if let session = principal.sessionID {
                    try store.endSession(session, now: now, until: until)
                } else if let token = principal.tokenID {
                    try store.revokeToken(token, until: tokenEnd)
                }
            }
            publisher.revoke(revoked) { reply(.noContent) }
            return nil
        }
    }
}
