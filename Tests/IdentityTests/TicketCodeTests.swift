import JOSE
import Testing

@testable import Identity

@Suite("Tickets: told from guesses and from old ones, and sealed")
struct TicketCodeTests {
    private static let now: Int64 = 1_800_000_000_123
    private static let life = Ticket.lifetime * 1_000

    private static func key(_ byte: UInt8) throws -> DerivedKey {
        try SigningKey(secret: [UInt8](repeating: byte, count: 32), algorithm: .hs256).derived(for: "tickets")
    }

    @Test("every holder of the key recognises it, also while that is rotated out; nobody else does")
    func recognised() throws {
        let (old, new) = (try Self.key(1), try Self.key(2))
        let ticket = Ticket(old, now: Self.now)
        #expect(ticket.text.count == 43 && ticket.text != Ticket(old, now: Self.now).text)
        #expect(Ticket(ticket.text, keys: [old], now: Self.now)?.digest == ticket.digest)
        #expect(Ticket(ticket.text, keys: [new, old], now: Self.now)?.end == Self.now + Self.life)
        #expect(Ticket(ticket.text, keys: [new], now: Self.now) == nil)
    }

    @Test(
        "it is recognised for its life, by a clock that is behind too, and not after it",
        arguments: [
            (0, true), (life - 1, true), (life, false), (life + 1, false), (life + 3_600_000, false),
            (86_400_000, false),
            (-60_000, true), (-60_001, false),
        ])
    func time(passed: Int64, isGood: Bool) throws {
        let key = try Self.key(1)
        // Also where the lower half of the clock is about to begin anew.
        for now in [Self.now, Int64(UInt32.max) * 400 - 5, 1 << 41] {
            let text = Ticket(key, now: now).text
            #expect((Ticket(text, keys: [key], now: now + passed) != nil) == isGood, "\(now)")
        }
    }

    @Test("what was changed, cut or made up is a guess")
    func guesses() throws {
        let key = try Self.key(1)
        let text = Ticket(key, now: Self.now).text
        var changed = text
        for index in text.indices {
            changed[index] = text[index] == 0x41 ? 0x45 : 0x41
            #expect(Ticket(changed, keys: [key], now: Self.now) == nil)
            changed[index] = text[index]
        }
        let made = [[], Array(text.dropLast()), text + [0x41], [UInt8](repeating: 0x41, count: 43), [0xFF, 0, 0x2E]]
        for guess in made { #expect(Ticket(guess, keys: [key], now: Self.now) == nil) }
    }

    @Test("the token comes back by the ticket alone, and what the store has does not give it")
    func sealed() throws {
        let key = try Self.key(1)
        let (ticket, other) = (Ticket(key, now: Self.now), Ticket(key, now: Self.now))
        let token = Array("header.claims.signature".utf8)
        let holder = SHA256().hash([1].span)
        let stored = try #require(ticket.stored(token: token, holder: holder))
        #expect(stored.end == Self.now + Self.life && stored.digest == ticket.digest && stored.holder == holder)
        #expect(Ticket(ticket.text, keys: [key], now: Self.now)?.open(stored.sealed) == token)
        #expect(other.open(stored.sealed) == nil, "another's key")
        #expect(SealedBytes.open(stored.sealed, with: stored.digest) == nil)
        for index in stored.sealed.indices {
            var changed = stored.sealed
            changed[index] ^= 1
            #expect(ticket.open(changed) == nil)
        }
        #expect(ticket.open([]) == nil && ticket.open(Array(stored.sealed.prefix(16))) == nil)
        #expect(SealedBytes.seal([], with: stored.digest).flatMap { SealedBytes.open($0, with: stored.digest) } == [])
    }

    // MARK: What a process remembers

    private func digest(_ number: Int) -> Digest256 { SHA256().hash(Array("\(number)".utf8).span) }

    @Test("a ticket is asked about once, unless the store did not answer")
    func presented() {
        let memory = TicketMemory()
        #expect(memory.present(digest(1), until: 100, now: 1))
        #expect(!memory.present(digest(1), until: 100, now: 99))
        #expect(memory.present(digest(2), until: 100, now: 1))
        memory.forget(digest(1))
        #expect(memory.present(digest(1), until: 100, now: 2))
    }

    @Test("who has enough, or waits for many, is told without the store; and when one is used, no longer")
    func full() {
        let memory = TicketMemory()
        for _ in 0..<TicketMemory.waitingAtMost { #expect(memory.begin(digest(1), now: 0) == nil) }
        #expect(memory.begin(digest(1), now: 0) == 1_000 && memory.begin(digest(2), now: 0) == nil)
        memory.ended(digest(1), now: 0)
        #expect(memory.begin(digest(1), now: 0) == nil, "one has come")
        memory.ended(digest(1), fullUntil: 20_000, now: 0)
        #expect(memory.begin(digest(1), now: 400) == 600, "a second: another gateway may see one used")
        #expect(memory.begin(digest(1), now: 1_000) == nil)
        memory.ended(digest(1), fullUntil: 1_200, now: 1_000)
        #expect(memory.begin(digest(1), now: 1_100) == 100)
        memory.hasRoom(digest(1))
        #expect(memory.begin(digest(1), now: 1_100) == nil)
    }

    @Test("of more than are remembered those leave that end first")
    func bound() {
        let memory = TicketMemory()
        for number in 0..<TicketMemory.capacity + 1 {
            #expect(memory.present(digest(number), until: Int64(1_000 + number), now: 0))
        }
        #expect(!memory.present(digest(TicketMemory.capacity), until: 9_999, now: 0), "the last is known")
        #expect(memory.present(digest(0), until: 9_999, now: 0), "the first was forgotten")
    }
}
