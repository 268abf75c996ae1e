import Configuration
import Foundation
import JOSE
import Synchronization
import Testing
import Transport

@testable import Providers

@Suite("Introspector: opaque tokens are asked about", .timeLimit(.minutes(2)))
struct IntrospectorTests {
    private static let active = TinyProvider.Reply.json(#"{"active":true,"sub":"u1"}"#)
    private static let inactive = TinyProvider.Reply.json(#"{"active":false}"#)
    private static let down = TinyProvider.Reply.json("{}", status: "503 Later")

    /// An introspector over some providers, and what it told.
    private final class Asker: Sendable {
        let introspector: Introspector
        let events = Journal<String>()

        init(_ blocks: [Introspection]) throws {
            let events = events
            introspector = try Introspector(blocks) { event in
                switch event {
                case .failed(let name, _): events.add("\(name) failed")
                case .recovered(let name): events.add("\(name) recovered")
                case .unusable(let name, let reason): events.add("\(name) unusable: \(reason)")
                }
            }
        }

        /// What is found out about a token.
        func look(_ token: String, now: Int64 = WallClock.seconds()) -> String {
            let found = Journal<String>()
            introspector.look(Array(token.utf8), client: 1, now: now) { found.add(Self.text($0)) }
            _ = found.comesTrue { !$0.isEmpty }
            return found.entries.first ?? "nothing"
        }

        static func text(_ finding: Introspector.Finding) -> String {
            switch finding {
            case .active(let claims, _, _): "active \(claims.userID)"
            case .failed(.expired(let time)): "expired \(time)"
            case .failed(.notYetValid(let time)): "not before \(time)"
            case .failed: "failed"
            case .inactive: "inactive"
            case .unavailable(let name): "unavailable \(name)"
            }
        }
    }

    private func block(
        _ provider: TinyProvider, _ name: String = "legacy", _ change: (inout Introspection) -> Void = { _ in }
    ) throws -> Introspection {
        var block = Introspection(
            name: name, endpoint: try provider.url("/i"), clientID: "gate way", clientSecret: Array("s:1".utf8))
        block.trust = try Certificate.localhost.trust()
        change(&block)
        return block
    }

    @Test("a question is a POST with the token and the gateway's own name, RFC 7662 §2.1")
    func request() throws {
        let provider = try TinyProvider { _ in Self.active }
        let asker = try Asker([try block(provider)])
        #expect(asker.look("a+b/c=&d") == "active u1")
        #expect(
            provider.requests.map(\.head) == [
                """
                POST /i HTTP/1.1\r
                Host: localhost:\(provider.port)\r
                User-Agent: gatehouse\r
                Accept: application/json, application/jwk-set+json\r
                Authorization: Basic Z2F0ZSUyMHdheTpzJTNBMQ==\r
                Content-Type: application/x-www-form-urlencoded\r
                Content-Length: 22
                """
            ])
        #expect(provider.requests.map(\.body) == ["token=a%2Bb%2Fc%3D%26d"])
    }

    static let answers: [(TinyProvider.Reply, String, String)] = [
        (active, "active u1", "it is good"), (inactive, "inactive", "it is not"),
        (.json(#"{"active":false,"sub":"u1"}"#), "inactive", "whatever else is said"),
        (.json(#"{"active":true,"username":"ann"}"#), "active ann", "the second claim that may name the user"),
        (.json(#"{"active":true,"sub":"u1","exp":5}"#), "expired 5", "its end is checked here"),
        (.json(#"{"active":true,"sub":"u1","nbf":99999999999}"#), "not before 99999999999", "and its beginning"),
        (.json(#"{"active":true}"#), "failed", "nobody"),
        (.json(#"{"active":true,"sub":"a b"}"#), "failed", "no header"),
        (.json(#"{"active":"true","sub":"u1"}"#), "unavailable legacy", "text is no boolean"),
        (.json(#"{"active":1,"sub":"u1"}"#), "unavailable legacy", "nor is a number"),
        (.json(#"{"sub":"u1"}"#), "unavailable legacy", "nothing is guessed"),
        (.json(#"{"active":true,"active":false}"#), "unavailable legacy", "a name twice is no JSON here"),
        (.json("[]"), "unavailable legacy", "a list"), (.json(""), "unavailable legacy", "nothing"),
        (.json(#"{"active":true,"sub":"u1"}"#, type: "text/html"), "unavailable legacy", "another type"),
        (.json(#"{"active":true,"sub":"u1"}"#, status: "201 Created"), "unavailable legacy", "another status"),
        (.json(#"{"error":"invalid_client"}"#, status: "401 No"), "unavailable legacy", "the gateway's own fault"),
        (down, "unavailable legacy", "no answer"), (.raw(""), "unavailable legacy", "no answer at all"),
        (.redirect("/other"), "unavailable legacy", "a token goes nowhere else"),
    ]

    @Test("what the answer says decides, and nothing is guessed", arguments: answers)
    func answer(reply: TinyProvider.Reply, expected: String, why: String) throws {
        let provider = try TinyProvider { _ in reply }
        #expect(try Asker([try block(provider)]).look("t") == expected, "\(why)")
        #expect(provider.requests.count == 1)
    }

    // MARK: Remembering

    /// What an answer says, where EXP stands for ten seconds from now, and how many seconds later it is asked for again.
    static let lives: [(String, Int64, String)] = [
        (#"{"active":true,"sub":"u1"}"#, 30, "the default of 'cache'"),
        (#"{"active":false}"#, 5, "somebody may log in"),
        (#"{"active":true,"sub":"u1","exp":EXP}"#, 10, "never beyond its exp"),
        (#"{"active":true,"sub":"u1","exp":5}"#, 5, "what is over stays over for a while"),
    ]

    @Test("an answer counts for a while", arguments: lives)
    func life(text: String, seconds: Int64, why: String) throws {
        let now = WallClock.seconds()
        let body = text.split(separator: "EXP", omittingEmptySubsequences: false).joined(separator: "\(now + 10)")
        let provider = try TinyProvider { _ in .json(body) }
        let asker = try Asker([try block(provider)])
        let first = asker.look("t")
        #expect(asker.look("t", now: now + seconds - 1) == first && provider.requests.count == 1, "\(why)")
        #expect(asker.look("T") == first && provider.requests.count == 2, "another token")
        // The clock may have gone on meanwhile.
        _ = asker.look("t", now: now + seconds + 60)
        #expect(provider.requests.count == 3, "\(why)")
    }

    @Test("that nobody could be asked is not remembered, and that it is over is told once")
    func unavailable() throws {
        let provider = try TinyProvider { _ in Self.down }
        let asker = try Asker([try block(provider)])
        #expect(asker.look("t") == "unavailable legacy" && asker.look("t") == "unavailable legacy")
        provider.become { _ in Self.active }
        usleep(1_050_000)
        #expect(asker.look("t") == "active u1" && asker.look("u") == "active u1")
        #expect(asker.events.entries == ["legacy failed", "legacy recovered"])
        let counts = asker.introspector.counts
        #expect(
            counts.count == 1 && counts[0] == ("legacy", 2, 1), "the second was not asked: it was down a moment ago")
    }

    @Test("a user who cannot be told to an upstream is said to the operator")
    func unusable() throws {
        let provider = try TinyProvider { _ in .json(#"{"active":true,"uid":"u1"}"#) }
        let asker = try Asker([try block(provider)])
        #expect(asker.look("t") == "failed" && asker.events.entries == ["legacy unusable: the user id is missing"])
        #expect(try Asker([try block(provider) { $0.userIDClaims = ["uid"] }]).look("t") == "active u1")
    }

    // MARK: Several at once

    @Test("a token that many show at once is asked about once")
    func together() throws {
        let gate = DispatchSemaphore(value: 0)
        let provider = try TinyProvider { _ in
            gate.wait()
            return Self.active
        }
        let asker = try Asker([try block(provider)])
        let found = Journal<String>()
        for _ in 0..<100 { asker.introspector.look(Array("t".utf8), client: 1, now: 0) { found.add(Asker.text($0)) } }
        gate.signal()
        #expect(found.comesTrue { $0.count == 100 })
        #expect(Set(found.entries) == ["active u1"] && provider.requests.count == 1)
    }

    @Test(
        "look-ups at once are bounded, those beyond wait their turn, and kept connections serve them",
        .disabled(if: Sanitizer.watchesThreads, "it does not see that a contended Mutex was handed over by the kernel"))
    func bounded() throws {
        let running = Journal<Int>()
        let count = Mutex(0)
        let provider = try TinyProvider { request in
            running.add(
                count.withLock {
                    $0 += 1
                    return $0
                })
            usleep(5_000)
            count.withLock { $0 -= 1 }
            return .json(#"{"active":true,"sub":"\#(request.body.dropFirst(6))"}"#)
        }
        let asker = try Asker([try block(provider) { $0.lookupsAtMost = 3 }])
        let found = Journal<String>()
        for token in 0..<40 {
            asker.introspector.look(Array("\(token)".utf8), client: UInt64(token), now: 0) { found.add(Asker.text($0)) }
        }
        #expect(found.comesTrue { $0.count == 40 })
        #expect(Set(found.entries) == Set((0..<40).map { "active \($0)" }), "each hears of its own")
        #expect((running.entries.max() ?? 0) <= 3 && provider.connections <= 3)
    }

    @Test("beyond 1,024 that wait, of which 64 of one client, nobody new is asked about")
    func overload() throws {
        let gate = DispatchSemaphore(value: 0)
        let provider = try TinyProvider { _ in
            gate.wait()
            return Self.active
        }
        let asker = try Asker([try block(provider) { $0.lookupsAtMost = 1 }])
        let found = Journal<String>()
        // One is under way and does not wait.
        for token in 0...IntrospectionEndpoint.waitingAtMost {
            let client = UInt64(token / IntrospectionEndpoint.waitingOfOne)
            asker.introspector.look(Array("\(token)".utf8), client: client, now: 0) { found.add(Asker.text($0)) }
        }
        #expect(found.entries.isEmpty)
        #expect(asker.look("one more") == "unavailable legacy")
        gate.signal()
        #expect(found.comesTrue { $0.last == "active u1" }, "what was under way is answered")
        for _ in 0..<IntrospectionEndpoint.waitingAtMost { gate.signal() }
        #expect(found.comesTrue { $0.count == IntrospectionEndpoint.waitingAtMost + 1 })
    }

    @Test("one client waits with 64 tokens at most, and others are served")
    func fair() throws {
        let gate = DispatchSemaphore(value: 0)
        let provider = try TinyProvider { _ in
            gate.wait()
            return Self.active
        }
        let asker = try Asker([try block(provider) { $0.lookupsAtMost = 1 }])
        let (greedy, other) = (Journal<String>(), Journal<String>())
        for token in 0...IntrospectionEndpoint.waitingOfOne + 1 {
            asker.introspector.look(Array("\(token)".utf8), client: 1, now: 0) { greedy.add(Asker.text($0)) }
        }
        #expect(greedy.entries == ["unavailable legacy"])
        asker.introspector.look(Array("mine".utf8), client: 2, now: 0) { other.add(Asker.text($0)) }
        for _ in 0..<IntrospectionEndpoint.waitingOfOne + 2 { gate.signal() }
        #expect(other.comesTrue { $0 == ["active u1"] })
    }

    // MARK: Several blocks

    static let pairs: [(TinyProvider.Reply, TinyProvider.Reply, String, String)] = [
        (active, inactive, "active u1", "the first that knows it"), (inactive, active, "active u1", "or the second"),
        (inactive, inactive, "inactive", "nobody knows it"),
        (down, active, "active u1", "the second knows it: the first is not needed"),
        (down, inactive, "unavailable a", "the first might have known it"),
        (inactive, down, "unavailable b", "likewise the second"), (down, down, "unavailable a", "neither can be asked"),
        (.json(#"{"active":true,"sub":"u1","exp":5}"#), active, "expired 5", "the first that knows it decides"),
    ]

    @Test("blocks are asked one after the other", arguments: pairs)
    func several(first: TinyProvider.Reply, second: TinyProvider.Reply, expected: String, why: String) throws {
        let (one, two) = (try TinyProvider { _ in first }, try TinyProvider { _ in second })
        #expect(try Asker([try block(one, "a"), try block(two, "b")]).look("t") == expected, "\(why)")
    }

    @Test("a block that cannot be asked is told of once, and not as soon as another answers")
    func events() throws {
        let (one, two) = (try TinyProvider { _ in Self.down }, try TinyProvider { _ in Self.active })
        let asker = try Asker([try block(one, "a"), try block(two, "b")])
        for token in 0..<3 { #expect(asker.look("\(token)") == "active u1") }
        #expect(asker.events.entries == ["a failed"])
    }
}
