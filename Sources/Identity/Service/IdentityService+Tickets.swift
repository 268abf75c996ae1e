internal import Configuration
internal import HTTP
internal import JOSE
internal import Transport

/// One-time tickets: kept in the store, so that one is good at every gateway of it, and still when a new process has taken over. They
/// have lanes of their own: whoever asks for many, or shows many, keeps nobody from logging in.
extension IdentityService {
    /// What became of a wish for a ticket.
    public enum TicketIssue: Sendable, Equatable {
        /// The ticket.
        case issued(String)
        /// There are too many; there is room in so many seconds.
        case full(retryAfter: Int)
        /// The store does not answer.
        case unavailable
    }

    /// What a ticket came to.
    public enum TicketOutcome: Sendable, Equatable {
        /// It stands for this token, and for nobody else any more.
        case token([UInt8])
        /// It is unknown, spent or aged.
        case invalid
        /// The store does not answer.
        case unavailable
    }

    /// A new ticket for a token.
    public func issueTicket(
        for token: [UInt8], userID: String, mint: TokenMint, reply: @escaping @Sendable (TicketIssue) -> Void
    ) {
        let holder = SHA256().hash(Array(userID.utf8).span)
        let now = WallClock.milliseconds()
        if let wait = ticketMemory.begin(holder, now: now) { return reply(.full(retryAfter: Self.seconds(wait))) }
        let done: @Sendable (TicketIssue, Int64?) -> Void = { [self] issue, fullUntil in
            ticketMemory.ended(holder, fullUntil: fullUntil, now: now)
            reply(issue)
        }
        askAboutTicket(of: holder, orElse: { done(.unavailable, nil) }) { [self] () throws(Refusal) in
            let now = WallClock.milliseconds()
            let ticket = Ticket(mint.ticketKeys[0], now: now)
            guard let stored = ticket.stored(token: token, holder: holder) else { return done(.unavailable, nil) }
            switch try asking({ store throws(StoreError) in try store.keep(stored, nowMilliseconds: now) }) {
            case .kept: done(.issued(String(decoding: ticket.text, as: UTF8.self)), nil)
            case .holderIsFull(let end): done(.full(retryAfter: Self.seconds(end - now)), end)
            case .full(let end): done(.full(retryAfter: Self.seconds(end - now)), nil)
            }
        }
    }

    /// Spends a ticket. What cannot be good is known without the store: a guess, one that is too old, one that was shown here before.
    public func spendTicket(_ text: [UInt8], mint: TokenMint, reply: @escaping @Sendable (TicketOutcome) -> Void) {
        let now = WallClock.milliseconds()
        guard let ticket = Ticket(text, keys: mint.ticketKeys, now: now) else { return reply(.invalid) }
        let digest = ticket.digest
        guard ticketMemory.present(digest, until: ticket.end, now: now) else { return reply(.invalid) }
        let failed: @Sendable () -> Void = { [self] in
            ticketMemory.forget(digest)
            reply(.unavailable)
        }
        askAboutTicket(of: digest, orElse: failed) { [self] () throws(Refusal) in
            let now = WallClock.milliseconds()
            let found = try asking { store throws(StoreError) in try store.takeTicket(digest, nowMilliseconds: now) }
            guard let found, let token = ticket.open(found.sealed) else { return reply(.invalid) }
            ticketMemory.hasRoom(found.holder)
            reply(.token(token))
        }
    }

    private func askAboutTicket(
        of digest: Digest256, orElse failed: @escaping @Sendable () -> Void,
        _ body: @escaping @Sendable () throws(Refusal) -> Void
    ) {
        enqueue(in: ticketLanes[digest], { _ in failed() }) { () throws(Refusal) in
            try body()
            return nil
        }
    }

    /// Whole seconds, at least one and at most a ticket's lifetime.
    private static func seconds(_ milliseconds: Int64) -> Int {
        Int(min(max((milliseconds + 999) / 1_000, 1), Ticket.lifetime))
    }
}
