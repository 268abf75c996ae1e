import Testing

@testable import Transport

@Suite("TLSTicketKeys: they rotate every 12 hours, and the previous ones still open")
struct TLSTicketKeysTests {
    private static let hour: Int64 = 3600
    private static let start: Int64 = 1_700_000_000

    private func keys() throws -> (keys: TLSTicketKeys, first: [UInt8]) {
        let keys = try TLSTicketKeys(now: Self.start)
        return (keys, try #require(keys.sealing(now: Self.start)).name)
    }

    @Test(
        "the first key seals for 12 hours",
        arguments: [
            Row("at once", 0, true), Row("one second before", 12 * hour - 1, true),
            Row("after 12 hours", 12 * hour, false),
            Row("after a week", 168 * hour, false), Row("the clock was set back", -5 * hour, true),
        ] as [Row<Int64, Bool>])
    func seals(_ row: Row<Int64, Bool>) throws {
        let (keys, first) = try keys()
        #expect((keys.sealing(now: Self.start + row.input)?.name == first) == row.expectation)
    }

    @Test(
        "a ticket of the first key, when another seals since 12 hours, opens until 24 hours and is then replaced",
        arguments: [
            Row("at once", 12 * hour, true), Row("one second before", 24 * hour - 1, true),
            Row("after 24 hours", 24 * hour, false), Row("after a week", 168 * hour, false),
        ] as [Row<Int64, Bool>])
    func opensPrevious(_ row: Row<Int64, Bool>) throws {
        let (keys, first) = try keys()
        let second = try #require(keys.sealing(now: Self.start + 12 * Self.hour))
        #expect(second.name != first)
        let found = keys.opening(name: first, now: Self.start + row.input)
        #expect((found != nil) == row.expectation)
        #expect(found?.isCurrent != true)
    }

    @Test("a key that nobody replaced opens until 24 hours, and asks for a fresh ticket after 12")
    func opensUnrotated() throws {
        let (keys, first) = try keys()
        #expect(keys.opening(name: first, now: Self.start)?.isCurrent == true)
        #expect(keys.opening(name: first, now: Self.start + 12 * Self.hour)?.isCurrent == false)
        #expect(keys.opening(name: first, now: Self.start + 24 * Self.hour) == nil)
    }

    @Test("a key two rotations old is gone")
    func forgets() throws {
        let (keys, first) = try keys()
        _ = keys.sealing(now: Self.start + 12 * Self.hour)
        _ = keys.sealing(now: Self.start + 24 * Self.hour)
        #expect(keys.opening(name: first, now: Self.start + 24 * Self.hour) == nil)
        #expect(keys.opening(name: first, now: Self.start) == nil, "also when the clock is set back")
    }

    @Test("a key that was not used for a day is not kept as the previous one")
    func skipsStale() throws {
        let (keys, first) = try keys()
        _ = keys.sealing(now: Self.start + 100 * Self.hour)
        #expect(keys.opening(name: first, now: Self.start + 1) == nil)
    }

    @Test("an unknown name opens nothing", arguments: [[], [UInt8](repeating: 0, count: 16)])
    func unknown(name: [UInt8]) throws {
        #expect(try keys().keys.opening(name: name, now: Self.start) == nil)
    }

    @Test("names and keys are random and of their sizes")
    func random() throws {
        let all = try (0..<4).map { _ in try #require(try keys().keys.sealing(now: Self.start)) }
        for key in all {
            #expect(key.name.count == 16 && key.cipherKey.count == 32 && key.macKey.count == 32)
            #expect(key.cipherKey != key.macKey)
        }
        #expect(Set(all.map(\.name)).count == 4 && Set(all.map(\.cipherKey)).count == 4)
    }
}
