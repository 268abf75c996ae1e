import Configuration
import Testing
import Transport

@testable import Gateway

@Suite("UpstreamPool and ServerState: which server gets a request")
struct UpstreamPoolTests {
    private static func member(_ port: UInt16, weight: Int = 1) -> UpstreamServer {
        UpstreamServer(
            endpoint: .address(.ipv4([127, 0, 0, 1], port: port)), weight: weight, text: "127.0.0.1:\(port)")
    }

    private static func upstream(_ weights: [Int], _ balance: Upstream.Balance = .leastRequest) -> Upstream {
        var upstream = Upstream(
            name: "agents", servers: weights.enumerated().map { member(UInt16(9000 + $0), weight: $1) })
        upstream.balance = balance
        return upstream
    }

    private static func states(_ weights: [Int]) -> [ServerState] { upstream(weights).servers.map { ServerState($0) } }

    private static func winner(_ states: [ServerState], _ key: Int) -> Int {
        let hash = StableHash.of(Array("user-\(key)".utf8).span)
        return states.indices.max { states[$0].affinity(to: hash) < states[$1].affinity(to: hash) } ?? 0
    }

    static let shares: [Row<[Int], [Double]>] = [
        Row("equals", [1, 1], [0.5, 0.5]), Row("one heavier", [1, 3], [0.25, 0.75]),
        Row("three", [1, 2, 5], [0.125, 0.25, 0.625]),
        Row("ten", Array(repeating: 1, count: 10), Array(repeating: 0.1, count: 10)),
        Row("a featherweight", [1, 99], [0.01, 0.99]),
    ]

    @Test("hashing gives each server its share by weight", arguments: shares)
    func sharesByWeight(_ row: Row<[Int], [Double]>) {
        let states = Self.states(row.input)
        var counts = [Int](repeating: 0, count: states.count)
        for key in 0..<20_000 { counts[Self.winner(states, key)] += 1 }
        for (count, share) in zip(counts, row.expectation) {
            #expect(abs(Double(count) / 20_000 - share) < 0.02, "\(counts)")
        }
    }

    @Test("a server that goes moves its own keys only, and gets them back when it comes")
    func movesLittle() {
        let all = Self.states([1, 1, 2, 1, 3])
        let fewer = Array(all.dropLast(2)) + [all[4]]
        for key in 0..<5000 {
            let (before, after) = (all[Self.winner(all, key)], fewer[Self.winner(fewer, key)])
            #expect(before === after || before === all[3])
        }
        #expect(
            (0..<500).allSatisfy { Self.winner(all, $0) == Self.winner(Self.states([1, 1, 2, 1, 3]), $0) },
            "after a restart")
    }

    @Test("load counts requests under way by weight")
    func load() {
        let states = Self.states([1, 4])
        #expect(states[0].load > states[1].load)
        states[1].activeCount = 3
        #expect(states[1].load == 1 && states[0].load == 1)
    }

    @Test("addresses are taken in turn; new ones replace them, an empty answer changes nothing")
    func addresses() {
        let state = ServerState(UpstreamServer(endpoint: .host(name: "a.example", port: 80), text: "a.example:80"))
        #expect(state.nextAddress() == nil && state.addressCount == 0 && !state.isLive(.now()))
        let (one, other) = (SocketAddress.ipv4([10, 0, 0, 1], port: 80), SocketAddress.ipv4([10, 0, 0, 2], port: 80))
        state.replaceAddresses([one, other])
        #expect(Set([state.nextAddress(), state.nextAddress()]) == [one, other])
        state.replaceAddresses([])
        #expect(state.addressCount == 2 && state.isLive(.now()))
        state.replaceAddresses([other])
        #expect(state.nextAddress() == other)
    }

    @Test("the name that a certificate has to be for")
    func tlsName() {
        let host = ServerState(UpstreamServer(endpoint: .host(name: "a.example", port: 443), text: "a.example:443"))
        let address = ServerState(Self.member(443))
        let unix = ServerState(UpstreamServer(endpoint: .address(.unix("/run/x")), text: "unix:/run/x"))
        #expect(host.tlsName(nil) == "a.example" && address.tlsName(nil) == "127.0.0.1" && unix.tlsName(nil).isEmpty)
        #expect(unix.tlsName(UpstreamTLS(trust: .system, serverName: "b.example")) == "b.example")
    }
}

@Suite("ServerState: ejection after failures")
struct EjectionTests {
    private static let second: Int64 = 1_000_000_000
    private let state = ServerState(
        UpstreamServer(endpoint: .address(.ipv4([127, 0, 0, 1], port: 1)), text: "127.0.0.1:1"))
    private let upstream = Upstream(name: "agents", servers: [])

    private func at(_ seconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * Self.second) }

    private func fail(_ count: Int, at seconds: Int64) {
        for _ in 0..<count { state.failed(at(seconds), upstream) }
    }

    @Test("five failures in a row eject for ten seconds, four do not, a success between them counts anew")
    func ejects() {
        fail(4, at: 100)
        #expect(state.isLive(at(100)))
        state.succeeded()
        fail(4, at: 101)
        #expect(state.isLive(at(101)))
        fail(1, at: 102)
        #expect(!state.isLive(at(102)) && !state.isLive(at(111)))
        #expect(state.isLive(at(112)), "it ends by itself")
    }

    @Test("each ejection in a row is twice as long, up to 32 times; a success starts over")
    func grows() {
        var now: Int64 = 100
        for growth in [1, 2, 4, 8, 16, 32, 32, 32] as [Int64] {
            fail(5, at: now)
            #expect(!state.isLive(at(now + 10 * growth - 1)) && state.isLive(at(now + 10 * growth)))
            now += 10 * growth
        }
        state.succeeded()
        fail(5, at: now)
        #expect(state.isLive(at(now + 10)))
    }

    @Test("an answer ends an ejection when it was asked for meanwhile: of a single server, which is asked all the same")
    func trial() {
        state.chosen(at(100))
        fail(5, at: 100)
        state.succeeded()
        #expect(!state.isLive(at(101)), "begun before")
        state.chosen(at(102))
        #expect(!state.isLive(at(102)))
        state.succeeded()
        #expect(state.isLive(at(102)))
        fail(5, at: 103)
        #expect(!state.isLive(at(112)) && state.isLive(at(113)), "the first ejection anew")
    }

    @Test("a hundred requests that fail with one server's death are one ejection")
    func burst() {
        fail(100, at: 100)
        #expect(state.isLive(at(110)))
    }

    @Test("an active check decides at once, both ways, and ends an ejection")
    func reported() {
        state.reported(false)
        #expect(!state.isReported && !state.isLive(at(1)))
        state.reported(true)
        #expect(state.isLive(at(1)))
        fail(5, at: 100)
        state.reported(true)
        #expect(state.isLive(at(100)))
    }

    @Test("the longest ejection that can be configured does not overflow")
    func longest() {
        var slow = upstream
        slow.ejectTime = .seconds(86_400)
        slow.failLimit = 1
        var now: Int64 = 0
        for _ in 0..<100 {
            state.failed(at(now), slow)
            now += 32 * 86_400
        }
        #expect(state.isLive(at(now)))
    }
}
