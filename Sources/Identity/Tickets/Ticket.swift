public import JOSE

/// A one-time ticket, which stands for an access token where a browser cannot set headers: WebSocket, EventSource.
///
/// Its text is 12 random bytes, the lower half of the millisecond in which its time is over, and a code over both, by which every gateway
/// with the signing key tells one that may be good from a guess, and from one that is too old, without asking the store. The store has its hash, and the token sealed
/// with a key that only the ticket gives: who reads the store can use neither.
public struct Ticket: Sendable {
    /// Seconds that a ticket is good for.
    public static let lifetime: Int64 = 30
    /// Tickets of all that wait to be used at a time.
    public static let ticketsAtMost = 16_384
    /// Tickets of one user at a time, so that nobody pushes others' out; those asked for at one moment may be a few more.
    public static let perUser = 64

    private static let randomCount = 12
    private static let codeCount = 16
    private static let textCount = 43
    /// Milliseconds by which the clock of the gateway that made it may be ahead.
    private static let clockSkew: Int64 = 60_000

    /// What the client shows.
    let text: [UInt8]
    /// When its time is over, in unix milliseconds.
    let end: Int64

    /// A new one that is recognised by who has `key`; `now` in unix milliseconds.
    init(_ key: DerivedKey, now: Int64) {
        end = now + Self.lifetime * 1_000
        let half = UInt32(truncatingIfNeeded: end)
        let body = RandomBytes.make(Self.randomCount) + (0..<4).map { UInt8(truncatingIfNeeded: half >> (24 - 8 * $0)) }
        text = Array(Base64URL.encode(body + key.code(of: body).prefix(Self.codeCount)).utf8)
    }

    /// What a client showed; nil when no holder of one of the keys has made it, or its time is over.
    init?(_ text: [UInt8], keys: [DerivedKey], now: Int64) {
        var bytes: [UInt8] = []
        let bodyCount = Self.randomCount + 4
        guard text.count == Self.textCount, Base64URL.decode(text.span, into: &bytes),
            bytes.count == bodyCount + Self.codeCount
        else { return nil }
        let (body, code) = (Array(bytes.prefix(bodyCount)), Array(bytes.dropFirst(bodyCount)))
        let half = body.suffix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let left = Int64(Int32(bitPattern: half &- UInt32(truncatingIfNeeded: now)))
        guard (1...Self.lifetime * 1_000 + Self.clockSkew).contains(left),
            keys.contains(where: { SecureBytes.areEqual(Array($0.code(of: body).prefix(Self.codeCount)), code) })
        else { return nil }
        self.text = text
        end = now + left
    }

    /// What the store finds it by.
    var digest: Digest256 { SHA256().hash(text.span) }

    /// What the store keeps of it. Nil when OpenSSL cannot seal.
    func stored(token: [UInt8], holder: Digest256) -> StoredTicket? {
        guard let sealed = SealedBytes.seal(token, with: sealingKey) else { return nil }
        return StoredTicket(digest: digest, holder: holder, sealed: sealed, end: end)
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
    public let end: Int64

    /// A ticket.
    public init(digest: Digest256, holder: Digest256, sealed: [UInt8], end: Int64) {
        self.digest = digest
        self.holder = holder
        self.sealed = sealed
        self.end = end
    }
}
