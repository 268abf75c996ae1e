import Configuration
import HTTP
import Identity
import Policy
import Transport

/// One-time tickets: given for a token, and taken from the query in its place (contract.md "WebSocket").
extension Exchange {
    /// What a query says of tickets.
    private enum TicketParameter {
        case none, several
        case one(ByteRange)
    }

    /// Gives a ticket for the token that the request came with.
    func giveTicket(_ identity: IdentityService) {
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
        identity.tickets.issue(token: token, userID: principal.userID) { text in
            shard.post { resumption.resume { $0.ticketGiven(text) } }
        }
    }

    private func ticketGiven(_ text: String?) {
        guard let text else { return refuse(.rateLimited(retryAfter: Int(TicketTable.lifetime))) }
        answerLocally(.json(200, "{\"ticket\":\"\(text)\",\"expiresIn\":\(TicketTable.lifetime)}"))
    }

    /// Finds the ticket of a route that takes one, so that it does not go on. False when there are two.
    func findTicket(_ route: Route, _ bytes: Span<UInt8>) -> Bool {
        guard route.acceptsTicket, let query = head.query else { return true }
        switch Self.parameter(bytes, query) {
        case .none: return true
        case .several: return false
        case .one(let range):
            ticketParameter = range
            return true
        }
    }

    private static func parameter(_ bytes: Span<UInt8>, _ query: ByteRange) -> TicketParameter {
        var found = TicketParameter.none
        var start = Int(query.start)
        while start <= query.end {
            var end = start
            while end < query.end, bytes[end] != UInt8(ascii: "&") { end += 1 }
            let isTicket =
                end - start >= 5 && TextMatch.equalsIgnoringCase(bytes, start..<start + 5, "token")
                && (end - start == 5 || bytes[start + 5] == UInt8(ascii: "=")) && bytes[start] == UInt8(ascii: "t")
            if isTicket {
                if case .one = found { return .several }
                found = .one(ByteRange(from: start, to: end))
            }
            start = end + 1
        }
        return found
    }

    /// Begins to spend the ticket; `ticketSpent` goes on.
    func spendTicket(_ parameter: ByteRange, _ bytes: Span<UInt8>) -> Decision {
        // Anything of another form is no ticket of ours, a JWT or a key in particular.
        guard let identity = worker.identity, parameter.count == 6 + Self.ticketLength else {
            return .refuse(.tokenInvalid)
        }
        let ticket = bytes.copy(Int(parameter.start) + 6..<parameter.end)
        let shard = worker.shard
        let resumption = ExchangeResumption(self)
        identity.tickets.spend(ticket) { token in
            shard.post { resumption.resume { $0.ticketSpent(token) } }
        }
        return .wait
    }

    /// 32 bytes in base64url.
    private static let ticketLength = 43

    private func ticketSpent(_ token: [UInt8]?) {
        guard let token else { return refuseAfterWaiting(.tokenInvalid) }
        cookieToken = token
        switch worker.authenticator.authenticate(token: token.span, now: worker.clock.update()) {
        case .principal(let principal):
            admitted(principal)
            proceed()
        case .refused(let refusal): refuseAfterWaiting(refusal)
        }
    }
}
