import Dispatch
import Synchronization
import Testing
import Transport

@testable import Identity

@Suite struct TicketTableTests {
    private final class Clock: Sendable {
        let now = Atomic<Int64>(1)
        func move(seconds: Int64) { now.add(seconds * 1_000_000_000, ordering: .relaxed) }
    }

    private let clock = Clock()
    private let table: TicketTable

    init() {
        let clock = clock
        table = TicketTable(now: { MonotonicTime(nanoseconds: clock.now.load(ordering: .relaxed)) })
    }

    private func ask(_ token: [UInt8], user: String) async -> TicketTable.Issue {
        await withCheckedContinuation { done in
            table.issue(token: token, userID: user) { done.resume(returning: $0) }
        }
    }

    private func issue(_ token: String = "token", user: String = "ann") async -> String? {
        if case .issued(let ticket) = await ask([UInt8](token.utf8), user: user) { ticket } else { nil }
    }

    private func spend(_ ticket: String) async -> String? {
        await withCheckedContinuation { done in
            table.spend([UInt8](ticket.utf8)) { token in
                done.resume(returning: token.map { String(decoding: $0, as: UTF8.self) })
            }
        }
    }

    @Test("a ticket is 32 random bytes in base64url and good once")
    func once() async throws {
        let first = try #require(await issue("a"))
        let second = try #require(await issue("b"))
        #expect(first.utf8.count == 43 && first != second)
        #expect(await spend(second) == "b")
        #expect(await spend(first) == "a")
        #expect(await spend(first) == nil)
        #expect(await spend("unknown") == nil)
    }

    @Test("of many who spend it at once one gets the token")
    func race() async throws {
        let ticket = try #require(await issue())
        let winners = await withTaskGroup(of: String?.self) { group in
            for _ in 0..<64 { group.addTask { await spend(ticket) } }
            return await group.reduce(into: 0) { $0 += $1 == nil ? 0 : 1 }
        }
        #expect(winners == 1)
    }

    @Test("it lives for 30 seconds")
    func ages() async throws {
        let ticket = try #require(await issue())
        let other = try #require(await issue())
        clock.move(seconds: 29)
        #expect(await spend(ticket) != nil)
        clock.move(seconds: 1)
        #expect(await spend(other) == nil)
    }

    @Test("one user has a bounded number of them, and the aged make room")
    func bounded() async throws {
        for _ in 0..<TicketTable.perUser { #expect(await issue() != nil) }
        #expect(await issue() == nil)
        #expect(await issue(user: "bob") != nil)
        clock.move(seconds: TicketTable.lifetime)
        #expect(await issue() != nil)
    }

    @Test("who has too many hears when the first of them ends")
    func waits() async throws {
        #expect(await issue() != nil)
        clock.move(seconds: 10)
        for _ in 1..<TicketTable.perUser { #expect(await issue() != nil) }
        #expect(await ask([1], user: "ann") == .full(retryAfter: 20))
        clock.move(seconds: 19)
        #expect(await ask([1], user: "ann") == .full(retryAfter: 1))
    }

    @Test("the tokens behind them have a bound in bytes, and what is spent makes room")
    func boundedInBytes() async throws {
        let half = [UInt8](repeating: 1, count: TicketTable.bytesAtMost / 2)
        guard case .issued(let ticket) = await ask(half, user: "a") else { return #expect(Bool(false)) }
        #expect(await ask(half, user: "b") != .full(retryAfter: 30))
        #expect(await ask([1], user: "c") == .full(retryAfter: 30))
        #expect(await spend(ticket) != nil)
        #expect(await issue(user: "c") != nil)
    }
}
