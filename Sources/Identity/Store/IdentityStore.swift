public import JOSE
public import Policy

/// What a store keeps beyond API keys: users, their sessions, and what was revoked. Unix seconds throughout, except where
/// milliseconds are said.
public protocol IdentityStore: Store {
    /// Writers that do not wait for each other, unless they are about the same; of more, each would wait for all before it.
    var writersAtOnce: Int { get }

    /// Adds users, all or none.
    func create(_ users: [StoredUser]) throws(StoreError) -> UserCreation

    /// Every user, by e-mail.
    func users() throws(StoreError) -> [User]

    /// The user with this normalised e-mail.
    func user(email: String) throws(StoreError) -> StoredUser?

    /// Keeps a stronger hash of the same password, unless the password was changed meanwhile.
    func upgradePassword(of userID: String, from old: String, to new: String) throws(StoreError)

    /// Changes the password and ends every session of the user; revocations count until `until`. False when there is no such
    /// user.
    func changePassword(of userID: String, to hash: String, now: Int64, until: Int64) throws(StoreError) -> Bool

    /// Disables a user and ends every session, which counts until `until`, or enables him. False when there is no such user.
    func setDisabled(_ isDisabled: Bool, userID: String, now: Int64, until: Int64) throws(StoreError) -> Bool

    /// Begins a session with its first pair. False, and nothing is kept, when the user was disabled or got another password
    /// meanwhile.
    func begin(_ first: TokenPair, passwordVersion: Int64) throws(StoreError) -> Bool

    /// Judges a presented token without spending it: `unspent` or `dead`.
    func inspect(_ token: PresentedToken) throws(StoreError) -> RefreshOutcome

    /// Spends a presented token in favour of `successor`, whose session and user are filled in from the token's. A token that
    /// was spent at most `overlap` milliseconds ago keeps its successor; a longer time ago, its session is revoked with effect until
    /// `until`.
    func rotate(
        _ token: PresentedToken, to successor: FreshPair, nowMilliseconds: Int64, overlap: Int64, until: Int64
    ) throws(StoreError) -> RefreshOutcome

    /// Ends a session; the revocation counts until `until`. A session that the store does not know is revoked all the same.
    func endSession(_ id: String, now: Int64, until: Int64) throws(StoreError)

    /// Revokes one token by its `jti` until `until`.
    func revokeToken(_ id: String, until: Int64) throws(StoreError)

    /// Keeps a ticket, and forgets those whose time is over.
    func keep(_ ticket: StoredTicket, nowMilliseconds: Int64) throws(StoreError) -> TicketKeeping

    /// The ticket with this hash, once, whoever asks; nil when there is none, or its time is over.
    func takeTicket(_ digest: Digest256, nowMilliseconds: Int64) throws(StoreError) -> StoredTicket?

    /// Every count whose period is not over.
    func usages(now: Int64) throws(StoreError) -> [Usage]

    /// Adds to counts, all in one transaction; gives what they are now.
    @discardableResult
    func add(_ usages: [Usage]) throws(StoreError) -> [Int64]

    /// Forgets sessions, tokens, tickets, counts and revocations whose time is over.
    func purge(now: Int64) throws(StoreError)
}

/// What becomes of a ticket that is to be kept. Times are unix milliseconds.
public enum TicketKeeping: Sendable, Equatable {
    /// It is there.
    case kept
    /// Its holder has `Ticket.perUser`, of which the first is over then.
    case holderIsFull(until: Int64)
    /// All have `Ticket.ticketsAtMost`, of which the first is over then.
    case full(until: Int64)
}

/// What becomes of users that are to be added.
public enum UserCreation: Sendable, Equatable {
    /// They are there.
    case created
    /// None was added: this place in the list has an e-mail or an id that another user has.
    case taken(index: Int, field: String)
}

/// What was revoked since a place in the store's log.
public struct RevocationLog: Sendable {
    /// Where the next look begins.
    public let sequence: Int64
    /// In order.
    public let entries: [Revocation]
    /// The entries are everything that counts, not only what is new.
    public let isWhole: Bool

    /// A piece of the log.
    public init(sequence: Int64, entries: [Revocation], isWhole: Bool) {
        self.sequence = sequence
        self.entries = entries
        self.isWhole = isWhole
    }
}
