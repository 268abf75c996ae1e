internal import Configuration
internal import HTTP
internal import JOSE
internal import Transport

/// One-time tickets: kept in the store, so that one is good at every gateway of it, and still when a new process has taken over.
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
        work(about: userID, orElse: { reply(.unavailable) }) { [self] () throws(StoreError) in
            let now = WallClock.nanoseconds() / 1_000_000
            let ticket = Ticket(mint.settings.signing[0])
            guard let stored = ticket.stored(token: token, userID: userID, nowMilliseconds: now) else {
                return reply(.unavailable)
            }
            let wait = try store.keep(stored, nowMilliseconds: now)
            guard let wait else { return reply(.issued(String(decoding: ticket.text, as: UTF8.self))) }
            reply(.full(retryAfter: Int(min(max((wait + 999) / 1_000, 1), Ticket.lifetime))))
        }
    }

    /// Spends a ticket. A guess is known as one without the store.
    public func spendTicket(
        _ text: [UInt8], mint: TokenMint, reply: @escaping @Sendable (TicketOutcome) -> Void
    ) {
        guard let ticket = Ticket(text, keys: mint.settings.signing) else { return reply(.invalid) }
        work(about: String(decoding: text, as: UTF8.self), orElse: { reply(.unavailable) }) {
            [self] () throws(StoreError) in
            let now = WallClock.nanoseconds() / 1_000_000
            let sealed = try store.takeTicket(ticket.digest, nowMilliseconds: now)
            reply(sealed.flatMap(ticket.open).map { .token($0) } ?? .invalid)
        }
    }

    private func work(
        about subject: String, orElse failed: @escaping @Sendable () -> Void,
        _ body: @escaping @Sendable () throws(StoreError) -> Void
    ) {
        let refused: Reply = { _ in failed() }
        enqueue(about: subject, refused) { [self] () throws(Refusal) in
            do throws(StoreError) { try body() } catch { throw refusal(for: error) }
            return nil
        }
    }
}
