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
            if isNamedToken(bytes, start..<end) {
                if case .one = found { return .several }
                found = .one(ByteRange(from: start, to: end))
            }
            start = end + 1
        }
        return found
    }

    /// Whether a parameter's name is `token`, also when some of its bytes are escaped: the upstream would read it so.
    private static func isNamedToken(_ bytes: Span<UInt8>, _ parameter: Range<Int>) -> Bool {
        var name: [UInt8] = []
        var place = parameter.lowerBound
        while place < parameter.upperBound, bytes[place] != UInt8(ascii: "="), name.count <= 5 {
            if bytes[place] == UInt8(ascii: "%"), place + 2 < parameter.upperBound {
                let digits = String(decoding: [bytes[place + 1], bytes[place + 2]], as: UTF8.self)
                name.append(UInt8(digits, radix: 16) ?? 0)
                place += 3
            } else {
                name.append(bytes[place])
                place += 1
            }
        }
        return name == Array("token".utf8)
    }

    /// A ticket came over plain HTTP, where it was exposed: it is spent, so that nobody else does that.
    func exposesTicket(_ bytes: Span<UInt8>) -> Bool {
        guard let query = head.query, let identity = worker.identity,
            serving.configuration.routes.contains(where: \.acceptsTicket),
            case .one(let parameter) = Self.parameter(bytes, query), parameter.count == 6 + Self.ticketLength
        else { return false }
        identity.tickets.spend(bytes.copy(Int(parameter.start) + 6..<parameter.end)) { _ in }
        return true
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
