import Dispatch
import Identity
import JOSE
import Synchronization
import Testing

@testable import Stores

@Suite("Stores: one-time tickets")
struct TicketTests {
    private static let now: Int64 = 1_800_000_000_000

    private func digest(_ text: String) -> Digest256 { SHA256().hash(Array(text.utf8).span) }

    private func ticket(
        _ name: String, of holder: String = "ann", sealed: [UInt8] = [0, 255, 7], at now: Int64 = now
    ) -> StoredTicket {
        StoredTicket(
            digest: digest(name), holder: digest(holder), sealed: sealed,
            end: now + Ticket.lifetime * 1_000)
    }

    @Test("it is taken once, at any gateway of the store, within its time", arguments: StoreKind.all)
    func once(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let (here, there) = (try bed.open(), try bed.open())
        let long = (0..<20_000).map { UInt8(truncatingIfNeeded: $0) }
        #expect(try here.keep(ticket("a"), nowMilliseconds: Self.now) == .kept)
        #expect(try here.keep(ticket("b", sealed: long), nowMilliseconds: Self.now) == .kept)
        #expect(try there.takeTicket(digest("a"), nowMilliseconds: Self.now + 29_999) == ticket("a"))
        for store in [here, there] {
            #expect(try store.takeTicket(digest("a"), nowMilliseconds: Self.now) == nil, "spent")
            #expect(try store.takeTicket(digest("c"), nowMilliseconds: Self.now) == nil, "unknown")
        }
        #expect(try there.takeTicket(digest("b"), nowMilliseconds: Self.now)?.sealed == long)
        #expect(try here.keep(ticket("d"), nowMilliseconds: Self.now) == .kept)
        #expect(try here.takeTicket(digest("d"), nowMilliseconds: Self.now + 30_000) == nil, "aged")
    }

    @Test("of many who ask at once one gets it", arguments: StoreKind.all)
    func race(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let stores = [try bed.open(), try bed.open()]
        let digest = digest("a")
        for _ in 0..<5 {
            #expect(try stores[0].keep(ticket("a"), nowMilliseconds: Self.now) == .kept)
            let winners = Atomic(0)
            DispatchQueue.concurrentPerform(iterations: 8) { index in
                if (try? stores[index % 2].takeTicket(digest, nowMilliseconds: Self.now)) != .some(nil) {
                    winners.add(1, ordering: .relaxed)
                }
            }
            #expect(winners.load(ordering: .relaxed) == 1)
        }
    }

    @Test("one user has so many at a time, which keeps nobody else from his", arguments: StoreKind.all)
    func bound(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        for number in 0..<Ticket.perUser {
            #expect(
                try store.keep(ticket("\(number)", at: Self.now + Int64(number)), nowMilliseconds: Self.now) == .kept)
        }
        #expect(
            try store.keep(ticket("more"), nowMilliseconds: Self.now + 10_000)
                == .holderIsFull(until: Self.now + 30_000))
        #expect(try store.keep(ticket("ben's", of: "ben"), nowMilliseconds: Self.now) == .kept)
        _ = try store.takeTicket(digest("5"), nowMilliseconds: Self.now)
        #expect(try store.keep(ticket("more"), nowMilliseconds: Self.now) == .kept, "one was used")
        #expect(try store.keep(ticket("late"), nowMilliseconds: Self.now + 30_000) == .kept, "one is over")
    }

    @Test("a purge forgets those that are over, and no other", arguments: StoreKind.all)
    func purge(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        _ = try store.keep(ticket("old", at: Self.now - 30_000), nowMilliseconds: Self.now - 30_000)
        _ = try store.keep(ticket("new"), nowMilliseconds: Self.now)
        try store.purge(now: Self.now / 1_000)
        #expect(try store.takeTicket(digest("old"), nowMilliseconds: Self.now - 1) == nil)
        #expect(try store.takeTicket(digest("new"), nowMilliseconds: Self.now) != nil)
    }
}
