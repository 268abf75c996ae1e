import JOSE
import Testing

@testable import Identity

@Suite("Tickets: told from guesses, and sealed")
struct TicketCodeTests {
    private static func key(_ byte: UInt8) throws -> SigningKey {
        try SigningKey(secret: [UInt8](repeating: byte, count: 32), algorithm: .hs256)
    }

    @Test("every holder of the key recognises it, also while that is rotated out; nobody else does")
    func recognised() throws {
        let (old, new) = (try Self.key(1), try Self.key(2))
        let ticket = Ticket(old)
        #expect(ticket.text.count == 43 && ticket.text != Ticket(old).text)
        #expect(Ticket(ticket.text, keys: [old])?.digest == ticket.digest)
        #expect(Ticket(ticket.text, keys: [new, old]) != nil && Ticket(ticket.text, keys: [new]) == nil)
    }

    @Test("what was changed, cut or made up is a guess")
    func guesses() throws {
        let key = try Self.key(1)
        let text = Ticket(key).text
        var changed = text
        for index in text.indices {
            changed[index] = text[index] == 0x41 ? 0x45 : 0x41
            #expect(Ticket(changed, keys: [key]) == nil)
            changed[index] = text[index]
        }
        let made = [[], Array(text.dropLast()), text + [0x41], [UInt8](repeating: 0x41, count: 43), [0xFF, 0, 0x2E]]
        for guess in made { #expect(Ticket(guess, keys: [key]) == nil) }
    }

    @Test("the token comes back by the ticket alone, and what the store has does not give it")
    func sealed() throws {
        let key = try Self.key(1)
        let (ticket, other) = (Ticket(key), Ticket(key))
        let token = Array("header.claims.signature".utf8)
        let stored = try #require(ticket.stored(token: token, userID: "ann", nowMilliseconds: 1_000))
        #expect(stored.endsAtMilliseconds == 31_000 && stored.digest == ticket.digest)
        #expect(Ticket(ticket.text, keys: [key])?.open(stored.sealed) == token)
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
}
