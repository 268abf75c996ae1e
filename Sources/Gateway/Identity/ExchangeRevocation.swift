import Configuration
import HTTP
import Identity
import Policy

/// The backend's own logout: its 2xx revokes the token here as well, before the client hears of it.
extension Exchange {
    /// Whether the answer's head, which is here, has to wait until the token is revoked everywhere.
    func withholdsAnswer() -> Bool {
        guard stage == .request, !hasRevoked, let route, route.revokesSession, (200...299).contains(answer.status),
            let principal, principal.kind == .jwt
        else { return false }
        guard let identity = worker.identity else { return false }
        hasRevoked = true
        identity.revoke(
            principal, accessTTL: serving.mint?.settings.accessTTL ?? 0, reply: later { $0.revocationDone($1) })
        return true
    }

    private func revocationDone(_ reply: IdentityReply) {
        if case .refused(let refusal) = reply { return requestFailed(refusal) }
        if let cookies = serving.cookies, head.authorization == nil { answerLines = cookies.clear() }
        upstream?.releaseAnswer()
    }
}
