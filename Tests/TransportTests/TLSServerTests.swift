import COpenSSL
import Testing

@testable import Transport

@Suite("TLSServerContext: real handshakes over a socket pair")
struct TLSServerTests {
    private let authority: Authority
    private let tickets: TLSTicketKeys

    init() throws {
        authority = try Authority()
        tickets = try TLSTicketKeys()
    }

    private func context(
        _ identities: [TLSIdentity]? = nil, _ minimumVersion: TLSVersion = .v12, clients: TLSClientAuthority? = nil,
        tickets: TLSTicketKeys? = nil
    ) throws -> TLSServerContext {
        try TLSServerContext(
            identities: try identities ?? [authority.identity("a.example")], minimumVersion: minimumVersion,
            clientAuthority: clients, tickets: tickets ?? self.tickets)
    }

    /// Both ends of a connection after its handshake.
    private struct Meeting {
        let pair = Pair()
        let server: TLSSession
        let client: PlainClient
        let outcome: Negotiation.Outcome

        init(_ context: TLSServerContext, _ offer: PlainClient.Offer) throws {
            server = try #require(TLSSession(server: context, descriptor: pair.near))
            let client = try #require(PlainClient(offer, on: pair))
            self.client = client
            outcome = Negotiation.run(server: server) { client.handshake() }
            client.settle()
        }
    }

    private static func offer(_ lowest: Int32, _ highest: Int32, suites: String? = nil) -> PlainClient.Offer {
        PlainClient.Offer(lowest: lowest, highest: highest, suites: suites)
    }

    @Test("TLS 1.2 and 1.3 are spoken, nothing older, and 1.2 only where it is allowed")
    func versions() throws {
        let (both, strict) = (try context(), try context(nil, .v13))
        let newest = try Meeting(both, Self.offer(TLS1_2_VERSION, TLS1_3_VERSION))
        #expect(newest.outcome.isComplete && newest.server.isVersion13 && !newest.server.isResumed)
        let older = try Meeting(both, Self.offer(TLS1_2_VERSION, TLS1_2_VERSION))
        #expect(older.outcome.isComplete && !older.server.isVersion13)
        #expect(try Meeting(both, Self.offer(TLS1_VERSION, TLS1_1_VERSION)).outcome.server.isFailed)
        #expect(try Meeting(strict, Self.offer(TLS1_2_VERSION, TLS1_2_VERSION)).outcome.server.isFailed)
        #expect(try Meeting(strict, Self.offer(TLS1_2_VERSION, TLS1_3_VERSION)).outcome.isComplete)
    }

    @Test(
        "TLS 1.2 takes AEAD suites with forward secrecy only",
        arguments: [
            Row("GCM", "ECDHE-ECDSA-AES128-GCM-SHA256", true), Row("ChaCha20", "ECDHE-ECDSA-CHACHA20-POLY1305", true),
            Row("CBC", "ECDHE-ECDSA-AES128-SHA256", false), Row("CBC with SHA-1", "ECDHE-ECDSA-AES128-SHA", false),
            Row("CCM", "ECDHE-ECDSA-AES128-CCM", false),
        ])
    func suites(_ row: Row<String, Bool>) throws {
        let offer = Self.offer(TLS1_2_VERSION, TLS1_2_VERSION, suites: row.input)
        #expect(try Meeting(context(), offer).outcome.isComplete == row.expectation)
    }

    static let serverNames: [Row<String?, String>] = [
        Row("the first's", "a.example", "a.example"), Row("the second's", "b.example", "b.example"),
        Row("in any case", "B.Example", "b.example"), Row("a wildcard's", "x.c.example", "*.c.example"),
        Row("two labels", "x.y.c.example", "a.example", why: "an unknown name gets the first; 421 follows"),
        Row("unknown", "z.example", "a.example"), Row("none", nil, "a.example"),
    ]

    @Test("the server name chooses the certificate", arguments: serverNames, [TLS1_2_VERSION, TLS1_3_VERSION])
    func serverName(_ row: Row<String?, String>, version: Int32) throws {
        let context = try context([
            authority.identity("a.example"), authority.identity("b.example"), authority.identity("*.c.example"),
        ])
        var offer = Self.offer(version, version)
        offer.serverName = row.input
        let meeting = try Meeting(context, offer)
        #expect(meeting.outcome.isComplete)
        #expect(meeting.client.peerNames == [row.expectation], "\(row.why)")
        #expect(meeting.server.serverName == row.input?.lowercased())
    }

    @Test(
        "ALPN prefers h2 to http/1.1; without an overlap the handshake fails, RFC 7301 §3.2",
        arguments: [
            Row("none offered", [], ""), Row("http/1.1", ["http/1.1"], "http/1.1"),
            Row("among others", ["http/1.0", "http/1.1", "h2"], "h2"), Row("h2 only", ["h2"], "h2"),
            Row("h2c, which is not for TLS", ["h2c"], nil),
            Row("a prefix", ["http/1"], nil), Row("longer", ["http/1.1x"], nil), Row("in capitals", ["HTTP/1.1"], nil),
        ] as [Row<[String], String?>])
    func protocols(_ row: Row<[String], String?>) throws {
        var offer = PlainClient.Offer()
        offer.protocols = row.input
        let meeting = try Meeting(context(), offer)
        #expect(meeting.outcome.isComplete == (row.expectation != nil))
        if let expected = row.expectation {
            #expect(meeting.client.agreedProtocol == expected)
        } else {
            #expect(meeting.outcome.client.reason.contains("no application protocol"))
        }
    }

    @Test(
        "a client comes back with its ticket, to another shard's context and after a reload",
        arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func resumes(version: Int32) throws {
        var offer = Self.offer(version, version)
        offer.serverName = "a.example"
        let first = try Meeting(context(), offer)
        #expect(first.outcome.isComplete && !first.client.isResumed)
        offer.session = first.client.session
        let again = try Meeting(context(), offer)
        #expect(again.outcome.isComplete && again.client.isResumed && again.server.isResumed)
        let stranger = try Meeting(context(tickets: TLSTicketKeys()), offer)
        #expect(stranger.outcome.isComplete && !stranger.server.isResumed, "a ticket of other keys is only not used")
    }

    @Test(
        "a ticket of yesterday's keys is not opened, one of the previous period is",
        arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func rotates(version: Int32) throws {
        let now = WallClock.seconds()
        for (age, opens) in [(13 * Int64(3600), true), (25 * Int64(3600), false)] {
            let aged = try TLSTicketKeys(now: now - age)
            let old = try #require(aged.sealing(now: now - age)).name
            _ = aged.sealing(now: now)
            #expect((aged.opening(name: old, now: now) != nil) == opens)
            var offer = Self.offer(version, version)
            let first = try Meeting(context(tickets: aged), offer)
            offer.session = first.client.session
            #expect(try Meeting(context(tickets: aged), offer).server.isResumed)
        }
    }

    @Test("garbage instead of a handshake fails, silence waits", arguments: ["GET / HTTP/1.1\r\n\r\n", "\0\0\0\0\0\0"])
    func garbage(text: String) throws {
        let pair = Pair()
        let server = try #require(TLSSession(server: context(), descriptor: pair.near))
        #expect(server.handshake().isOpen)
        pair.send(text)
        #expect(server.handshake().isFailed)
        let other = Pair()
        let left = try #require(TLSSession(server: context(), descriptor: other.near))
        other.closeFar()
        #expect(left.handshake().isFailed)
    }
}
