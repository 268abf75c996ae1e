import HTTP
import Identity
import Policy

/// Requests whose token comes in a cookie.
extension Exchange {
    /// Who asks, by the access cookie. When that has expired, its renewal is begun and `isWaiting` says so.
    func authenticateByCookie(_ bytes: Span<UInt8>, _ cookies: SessionCookies) -> AuthenticationResult {
        let range: Range<Int>
        switch head.cookie(cookies.accessName, in: bytes) {
        case .none: return .refused(.credentialsMissing)
        case .several:
            whyInvalid = "the access cookie is there more than once: somebody else has set one of them"
            return .refused(.tokenInvalid)
        case .one(let found): range = found
        }
        guard head.isSafe || isFromOwnPage(bytes, cookies) else { return .refused(.csrfFailed) }
        let result = worker.authenticator.authenticate(token: bytes.extracting(range), now: worker.clock.update())
        whyInvalid = worker.authenticator.whyInvalid
        switch result {
        case .principal: cookieToken = bytes.copy(range)
        case .refused(.tokenExpired(let time)): renew(bytes.copy(range), expiredAt: time)
        case .refused(let refusal): clearCookies(after: refusal)
        case .keyUnknown(let issuer, let hasKeys): return .refused(keyRefusal(issuer, hasKeys))
        case .unknownToken: return .refused(.tokenInvalid)
        }
        return result
    }

    func isFromOwnPage(_ bytes: Span<UInt8>, _ cookies: SessionCookies) -> Bool {
        switch SameOrigin.evidence(head, bytes, isSecure: downstream?.client.isSecure ?? false) {
        case .own: true
        case .foreign: false
        case .none: cookies.isDoublySubmitted(head, bytes)
        }
    }

    /// The gateway holds the pair for the browser, so it renews it: the request goes on with the new token.
    private func renew(_ token: [UInt8], expiredAt time: Int64) {
        guard let identity = worker.identity, let mint = serving.mint else { return }
        isWaiting = true
        identity.renew(expiredAccess: token, expiredAt: time, mint: mint, reply: later { $0.renewed($1) })
    }

    private func renewed(_ reply: IdentityReply) {
        switch reply {
        case .tokens(let tokens, _):
            answerLines = serving.cookies?.set(tokens) ?? []
            cookieToken = Array(tokens.access.utf8)
            let token = cookieToken
            switch worker.authenticator.authenticate(token: token.span, now: worker.clock.update()) {
            case .principal(let principal):
                admitted(principal)
                proceed()
            case .refused(let refusal):
                whyInvalid = worker.authenticator.whyInvalid
                refuseAfterWaiting(refusal)
            case .keyUnknown(let issuer, let hasKeys): refuseAfterWaiting(keyRefusal(issuer, hasKeys))
            case .unknownToken: refuseAfterWaiting(.tokenInvalid)
            }
        case .refused(let refusal): refuseAfterWaiting(refusal)
        case .json, .noContent: refuseAfterWaiting(.tokenInvalid)
        }
    }

    func refuseAfterWaiting(_ refusal: Refusal) {
        isWaiting = false
        answerLines = []
        if ticket == .none { clearCookies(after: refusal) }
        refuse(refusal)
    }
}
