public import JOSE

/// A one-time ticket, which stands for an access token where a browser cannot set headers: WebSocket, EventSource.
///
/// Its text is 16 random bytes and a code over them, by which every gateway with the signing key tells a ticket from a guess without
/// asking the store. The store has its hash, and the token sealed with a key that only the ticket gives: who reads the store can use
/// neither.
public struct Ticket: Sendable {
    /// Seconds that a ticket is good for.
    public static let lifetime: Int64 = 30
    /// Tickets of all that wait to be used at a time.
    public static let ticketsAtMost = 16_384
    /// Tickets of one user at a time, so that nobody pushes others' out; those asked for at one moment may be a few more.
    public static let perUser = 64

    private static let randomCount = 16
    private static let purpose = "gatehouse one-time ticket"

    /// What the client shows.
    let text: [UInt8]

    /// A new one that is recognised by who has `key`.
    init(_ key: SigningKey) {
        let random = RandomBytes.make(Self.randomCount)
        text = Array(Base64URL.encode(random + Self.code(random, key)).utf8)
    }

    /// What a client showed; nil when no holder of one of the keys has made it.
    init?(_ text: [UInt8], keys: [SigningKey]) {
        var bytes: [UInt8] = []
        guard Base64URL.decode(text.span, into: &bytes), bytes.count == 2 * Self.randomCount else { return nil }
        let random = Array(bytes.prefix(Self.randomCount))
        guard
            keys.contains(where: {
                SecureBytes.areEqual(Self.code(random, $0), Array(bytes.dropFirst(Self.randomCount)))
            })
        else { return nil }
        self.text = text
    }

    private static func code(_ random: [UInt8], _ key: SigningKey) -> [UInt8] {
        Array(key.derived(for: purpose).code(of: random).prefix(randomCount))
    }

    /// What the store finds it by.
    var digest: Digest256 { SHA256().hash(text.span) }

    /// What the store keeps of it, until `nowMilliseconds` and its lifetime. Nil when OpenSSL cannot seal.
    func stored(token: [UInt8], userID: String, nowMilliseconds: Int64) -> StoredTicket? {
        guard let sealed = SealedBytes.seal(token, with: sealingKey) else { return nil }
        return StoredTicket(
            digest: digest, holder: SHA256().hash(Array(userID.utf8).span), sealed: sealed,
            endsAtMilliseconds: nowMilliseconds + Self.lifetime * 1_000)
    }

    /// The token that was sealed for it.
    func open(_ sealed: [UInt8]) -> [UInt8]? { SealedBytes.open(sealed, with: sealingKey) }

    private var sealingKey: Digest256 { SHA256().hash((Array("seal ".utf8) + text).span) }
}

/// What a store keeps of a ticket.
public struct StoredTicket: Sendable, Equatable {
    /// The ticket's hash.
    public let digest: Digest256
    /// The hash of whose it is: as many bytes for everybody.
    public let holder: Digest256
    /// The token, sealed.
    public let sealed: [UInt8]
    /// When it is no longer good, in unix milliseconds.
    public let endsAtMilliseconds: Int64

    /// A ticket.
    public init(digest: Digest256, holder: Digest256, sealed: [UInt8], endsAtMilliseconds: Int64) {
        self.digest = digest
        self.holder = holder
        self.sealed = sealed
        self.endsAtMilliseconds = endsAtMilliseconds
    }
}
