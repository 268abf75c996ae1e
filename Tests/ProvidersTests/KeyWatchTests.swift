import Configuration
import Foundation
import JOSE
import Testing
import Transport

@testable import Providers

@Suite("KeyWatch: keys are fetched, kept on disk and fetched out of turn", .timeLimit(.minutes(2)))
struct KeyWatchTests {
    private let folder = Folder()

    /// A watch over one issuer, and what it told.
    private final class Watched: Sendable {
        let watch: KeyWatch
        /// Names of the keys that the shards got; nil: none may be used any more.
        let published = Journal<[String]?>()
        let events = Journal<String>()

        init(_ definition: RemoteKeys, folder: String) {
            var configuration = Configuration()
            configuration.issuers = [
                TokenIssuer(name: "login", algorithms: [.es256], keys: [], keysAreNamed: true, keysAreRemote: true)
            ]
            configuration.remoteKeys = [definition]
            let (published, events) = (published, events)
            watch = KeyWatch(
                configuration, folder: folder,
                publish: { _, _, keys, done in
                    // In this order: what is seen in the journal is over.
                    done()
                    published.add(keys?.compactMap(\.keyID))
                }, report: { events.add(Self.text($0)) })
        }

        deinit { watch.stop() }

        private static func text(_ event: KeyWatch.Event) -> String {
            switch event {
            case .failed(let issuer, let reason, let hasKeys, let wait):
                "\(issuer) failed: \(reason), \(hasKeys ? "with" : "without") keys, again after \(wait)"
            case .recovered(let issuer): "\(issuer) recovered"
            case .changed(let issuer, let count): "\(issuer) changed: \(count)"
            case .stale(let issuer): "\(issuer) stale"
            case .doubtful(let issuer, _): "\(issuer) doubtful"
            case .notKept(let issuer, let reason): "\(issuer) not kept: \(reason)"
            }
        }

        /// Demands keys, and waits: nil when nothing is fetched, else whether there are others since.
        func demand() -> Bool? {
            let replies = Journal<Bool>()
            guard watch.demand(issuer: 0, reply: { replies.add($0) }) else { return nil }
            _ = replies.comesTrue { !$0.isEmpty }
            return replies.entries.first
        }

        /// Starts, and waits for the first event.
        func start() {
            watch.start()
            _ = events.comesTrue { !$0.isEmpty }
        }
    }

    private func watched(_ provider: TinyProvider, _ change: (inout RemoteKeys) -> Void = { _ in }) throws -> Watched {
        var keys = try provider.keys(.keySet(provider.url("/k")))
        change(&keys)
        return Watched(keys, folder: folder.path)
    }

    private static func set(_ names: String...) throws -> TinyProvider.Reply {
        let keys = try names.map { try Certificate.localhost.keySet($0).dropFirst(9).dropLast(2) }
        return .json("{\"keys\":[\(keys.joined(separator: ","))]}")
    }

    private func keep(_ names: String, at time: Int64, _ provider: TinyProvider) throws {
        let file = KeyFile(folder: folder.path, name: "login", location: .keySet(try provider.url("/k")))
        try file.write(KeySource.Kept(set: Self.set(names).body, fetchedAt: time))
    }

    // MARK: Fetching

    @Test("the first set comes to the shards, and is there at once after a restart")
    func first() throws {
        let reply = try Self.set("a", "b")
        let provider = try TinyProvider { _ in reply }
        let one = try watched(provider)
        #expect(one.watch.takeKept(of: nil).isEmpty)
        one.start()
        #expect(one.published.comesTrue { $0 == [["a", "b"]] })
        #expect(one.events.entries == ["login changed: 2"])
        #expect(one.watch.counts.map(\.succeeded) == [1] && one.watch.counts.map(\.failed) == [0])
        let next = try watched(provider)
        #expect(next.watch.takeKept(of: nil)[0]?.compactMap(\.keyID) == ["a", "b"])
        #expect(provider.requests.count == 1, "nobody was asked for that")
    }

    @Test("a token with an unknown key has the set fetched, and those who wait hear whether it is another")
    func demand() throws {
        let reply = try Self.set("a")
        let provider = try TinyProvider { _ in reply }
        let one = try watched(provider)
        one.start()
        #expect(one.published.comesTrue { $0 == [["a"]] })
        let rotated = try Self.set("a", "b")
        provider.become { _ in rotated }
        #expect(one.demand() == true)
        #expect(one.published.entries == [["a"], ["a", "b"]])
        #expect(one.demand() == false && one.demand() == false, "a new set has a new allowance, of two")
        #expect(one.demand() == nil, "then tokens that somebody made up cause one fetch in 30 s")
        #expect(provider.requests.count == 4)
        #expect(one.watch.demand(issuer: 7) { _ in } == false, "an issuer whose keys are not fetched")
    }

    @Test("a set that is the same is not published again")
    func unchanged() throws {
        let reply = try Self.set("a")
        let provider = try TinyProvider { _ in reply }
        let one = try watched(provider)
        one.start()
        #expect(one.published.comesTrue { $0 == [["a"]] })
        #expect(one.demand() == false)
        #expect(one.published.entries == [["a"]] && one.events.entries == ["login changed: 1"])
    }

    /// A provider that answers with a set of one key once `gate` lets it.
    static func provider(behind gate: DispatchSemaphore) throws -> TinyProvider {
        let reply = try set("a")
        return try TinyProvider { _ in
            gate.wait()
            return reply
        }
    }

    @Test("all who come during a fetch wait for it, 1,024 at most")
    func waiting() throws {
        let gate = DispatchSemaphore(value: 0)
        let provider = try Self.provider(behind: gate)
        let one = try watched(provider)
        one.watch.start()
        let replies = Journal<Bool>()
        let accepted = (0..<KeySource.waitingAtMost + 5).count { _ in
            one.watch.demand(issuer: 0) { replies.add($0) }
        }
        #expect(accepted == KeySource.waitingAtMost)
        gate.signal()
        #expect(replies.comesTrue { $0.count == accepted })
        #expect(replies.entries.allSatisfy { $0 } && provider.requests.count == 1)
    }

    @Test("what waits when it ends is told when the fetch is over, and nothing is fetched or published any more")
    func stop() throws {
        let gate = DispatchSemaphore(value: 0)
        let provider = try Self.provider(behind: gate)
        let one = try watched(provider)
        one.watch.start()
        let replies = Journal<Bool>()
        #expect(one.watch.demand(issuer: 0) { replies.add($0) })
        one.watch.stop()
        #expect(one.watch.demand(issuer: 0) { replies.add($0) } == false)
        gate.signal()
        #expect(replies.comesTrue { $0 == [false] })
        #expect(one.published.entries.isEmpty)
    }

    // MARK: Failing

    static let unusable: [(TinyProvider.Reply, String, String)] = [
        (.json("{}", status: "503 Later"), "the key set: the answer is 503", "an error"),
        (.json("{\"keys\":[]}"), "the set has no key that can be used", "no keys"),
        (.json("[]"), "it is not a JWK Set", "a list"),
    ]

    @Test("what cannot be used is said, and asked for again", arguments: unusable)
    func failing(reply: TinyProvider.Reply, reason: String, why: String) throws {
        let provider = try TinyProvider { _ in reply }
        let one = try watched(provider)
        one.start()
        let first = one.events.entries.first ?? ""
        #expect(
            first.hasPrefix("login failed: \(reason)") && first.hasSuffix(", without keys, again after 1"), "\(why)")
        let good = try Self.set("a")
        provider.become { _ in good }
        #expect(one.published.comesTrue { $0 == [["a"]] })
        #expect(one.events.entries.suffix(2) == ["login recovered", "login changed: 1"])
        #expect(one.watch.counts.map(\.failed).allSatisfy { $0 > 0 })
    }

    @Test("while fetching fails the last good set stays")
    func keeps() throws {
        let reply = try Self.set("a")
        let provider = try TinyProvider { _ in reply }
        let one = try watched(provider)
        one.start()
        #expect(one.published.comesTrue { $0 == [["a"]] })
        provider.become { _ in .json("{\"keys\":[]}") }
        #expect(one.demand() == false)
        #expect(one.published.entries == [["a"]])
        #expect(
            one.events.entries.last == "login failed: the set has no key that can be used, with keys, again after 1")
        #expect(try watched(provider).watch.takeKept(of: nil)[0]?.compactMap(\.keyID) == ["a"], "on disk as well")
    }

    @Test("a set that was kept serves while it is not too old")
    func kept() throws {
        let provider = try TinyProvider { _ in .json("{}", status: "503 Later") }
        let now = WallClock.seconds()
        for (age, isThere) in [(Int64(0), true), (86_000, true), (86_500, false), (-3_600, false)] {
            try keep("a", at: now - age, provider)
            #expect(try watched(provider).watch.takeKept(of: nil).isEmpty != isThere, "\(age) s")
        }
    }

    @Test("what serves too long without being fetched again is taken away")
    func stale() throws {
        let provider = try TinyProvider { _ in .json("{}", status: "503 Later") }
        try keep("a", at: WallClock.seconds() - 58, provider)
        let one = try watched(provider) { ($0.refresh, $0.stale) = (.seconds(60), .zero) }
        #expect(one.watch.takeKept(of: nil)[0] != nil)
        one.watch.start()
        #expect(one.published.comesTrue { $0 == [nil] })
        #expect(one.events.entries.contains("login stale"))
        let good = try Self.set("a")
        provider.become { _ in good }
        #expect(one.published.comesTrue { $0 == [nil, ["a"]] }, "and comes back")
    }

    @Test("a set that cannot be kept on disk serves all the same, and that is said once")
    func notKept() throws {
        folder.write("file", "")
        let reply = try Self.set("a")
        let provider = try TinyProvider { _ in reply }
        let one = Watched(try provider.keys(.keySet(provider.url("/k"))), folder: folder.file("file"))
        one.start()
        #expect(one.published.comesTrue { $0 == [["a"]] })
        #expect(one.demand() == false)
        let told = one.events.entries.filter { $0.contains("not kept") }
        #expect(told == ["login not kept: \(folder.path)/file/keys-login.json.new cannot be written: Not a directory"])
    }
}

extension TinyProvider.Reply {
    /// What stands behind the head.
    fileprivate var body: [UInt8] {
        let text = String(decoding: bytes, as: UTF8.self)
        return Array((text.firstRange(of: "\r\n\r\n").map { String(text[$0.upperBound...]) } ?? "").utf8)
    }
}
