import Configuration
import HTTP
import Identity
import Policy
import Transport

/// One-time tickets: given for a token, and taken from the query in its place (contract.md "WebSocket").
extension Exchange {
    /// Gives a ticket for the token that the request came with.
    func giveTicket(_ identity: IdentityService, _ mint: TokenMint) {
        guard let principal, let headBuffer else { return refuse(.credentialsMissing) }
        let token: [UInt8]
        if let value = head.authorization,
            let range = BearerToken.range(in: headBuffer.readable.extracting(value.range))
        {
            token = headBuffer.readable.extracting(value.range).copy(range)
        } else {
            token = cookieToken
        }
        let shard = worker.shard
        let resumption = ExchangeResumption(self)
        identity.issueTicket(for: token, userID: principal.userID, mint: mint) { issue in
            shard.post { resumption.resume { $0.ticketGiven(issue) } }
        }
    }

    private func ticketGiven(_ issue: IdentityService.TicketIssue) {
        switch issue {
        case .full(let retryAfter): refuse(.rateLimited(retryAfter: retryAfter))
        case .unavailable: refuse(.storeUnavailable)
        case .issued(let text):
            answerLocally(.json(200, "{\"ticket\":\"\(text)\",\"expiresIn\":\(Ticket.lifetime)}"))
        }
    }

    /// Finds the ticket of a route that takes one, so that it does not go on. False when there are two.
    func findTicket(_ route: Route, _ bytes: Span<UInt8>) -> Bool {
        guard route.acceptsTicket, let query = head.query else { return true }
        ticket = QueryTicket(in: query, of: bytes)
        return ticket != .several
    }

    /// A ticket came over plain HTTP, where it was exposed: it is spent, so that nobody else does that.
    func exposesTicket(_ bytes: Span<UInt8>) -> Bool {
        guard let query = head.query, let identity = worker.identity, let mint = serving.mint,
            serving.configuration.routes.contains(where: \.acceptsTicket),
            case .one(_, let ticket?) = QueryTicket(in: query, of: bytes)
        else { return false }
        identity.spendTicket(bytes.copy(ticket.range), mint: mint) { _ in }
        return true
    }

    /// Begins to spend the ticket; `ticketSpent` goes on.
    func spendTicket(_ ticket: ByteRange?, _ bytes: Span<UInt8>) -> Decision {
        guard let identity = worker.identity, let mint = serving.mint, let ticket else {
            return .refuse(.tokenInvalid)
        }
        let shard = worker.shard
        let resumption = ExchangeResumption(self)
        identity.spendTicket(bytes.copy(ticket.range), mint: mint) { outcome in
            shard.post { resumption.resume { $0.ticketSpent(outcome) } }
        }
        return .wait
    }

    private func ticketSpent(_ outcome: IdentityService.TicketOutcome) {
        let token: [UInt8]
        switch outcome {
        case .token(let bytes): token = bytes
        case .invalid:
            whyInvalid = "a ticket that is unknown, spent or aged"
            return refuseAfterWaiting(.tokenInvalid)
        case .unavailable: return refuseAfterWaiting(.storeUnavailable)
        }
        cookieToken = token
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
    }
}
