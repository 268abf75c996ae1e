import Testing

@testable import Transport

@Suite("TLSClientContext: the upstream's chain and name are verified")
struct TLSClientTests {
    private let authority: Authority
    private let tickets: TLSTicketKeys

    init() throws {
        authority = try Authority()
        tickets = try TLSTicketKeys()
    }

    private func outcome(
        _ identity: TLSIdentity, name: String, trust: TLSTrust, _ minimumVersion: TLSVersion = .v12
    ) throws -> Negotiation.Outcome {
        let pair = Pair()
        let context = try TLSServerContext(
            identities: [identity], minimumVersion: minimumVersion, clientAuthority: nil, tickets: tickets)
        let server = try #require(TLSSession(server: context, descriptor: pair.near))
        let client = try #require(
            TLSSession(client: try TLSClientContext(trust: trust), descriptor: pair.far, serverName: name))
        return Negotiation.run(server: server) { client.handshake() }
    }

    static let names: [Row<String, String?>] = [
        Row("the name", "www.example.com", nil), Row("in capitals", "WWW.Example.com", nil),
        Row("a wildcard's label", "a.example.org", nil),
        Row("another name", "example.com", "hostname mismatch"),
        Row("two labels", "a.b.example.org", "hostname mismatch"),
        Row("an address in the certificate", "192.0.2.1", nil), Row("in brackets", "[2001:db8::1]", nil),
        Row("another address", "192.0.2.2", "IP address mismatch"),
        Row("the common name", "leaf", "hostname mismatch", why: "names are in the SAN, RFC 9525 §2"),
    ]

    @Test("the certificate has to be for the name", arguments: names)
    func name(_ row: Row<String, String?>) throws {
        let identity = try authority.identity("www.example.com", "*.example.org", "IP:192.0.2.1", "IP:2001:db8::1")
        let outcome = try outcome(identity, name: row.input, trust: TLSTrust(pem: authority.pem))
        #expect(outcome.isComplete == (row.expectation == nil), "\(row.why)")
        #expect(outcome.client.reason == row.expectation ?? "")
        #expect(outcome.server.isComplete == outcome.client.isComplete, "the server learns of it")
    }

    @Test("a chain that leads to no trusted authority is refused, whatever its name")
    func trust() throws {
        let identity = try authority.identity("a.example")
        for trust in [TLSTrust.system, try TLSTrust(pem: Authority("Other").pem)] {
            let outcome = try outcome(identity, name: "a.example", trust: trust)
            #expect(outcome.client.isFailed && !outcome.client.reason.isEmpty)
        }
        let several = try TLSTrust(pem: Authority("Other").pem + authority.pem)
        #expect(try outcome(identity, name: "a.example", trust: several).isComplete)
    }

    @Test("an expired certificate is refused")
    func expired() throws {
        let identity = try authority.identity("a.example", seconds: 60)
        let outcome = try outcome(identity, name: "a.example", trust: TLSTrust(pem: authority.pem))
        #expect(outcome.client.reason == "certificate has expired")
    }

    @Test("a name that cannot be compared is refused before a byte is sent")
    func noName() throws {
        let pair = Pair()
        let context = try TLSClientContext(trust: TLSTrust(pem: authority.pem))
        #expect(TLSSession(client: context, descriptor: pair.far, serverName: "") == nil, "nothing to compare with")
        #expect(
            TLSSession(client: context, descriptor: pair.far, serverName: String(repeating: "a", count: 300)) == nil)
    }

    @Test("TLS 1.3 and 1.2 are spoken with upstreams", arguments: [TLSVersion.v12, .v13])
    func versions(version: TLSVersion) throws {
        let identity = try authority.identity("a.example")
        #expect(try outcome(identity, name: "a.example", trust: TLSTrust(pem: authority.pem), version).isComplete)
    }

    @Test(
        "an authority that is none is refused with a sentence",
        arguments: ["", "garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
    func badAuthority(text: String) {
        #expect(throws: TLSError.self) { _ = try TLSTrust(pem: Array(text.utf8)) }
        #expect(throws: TLSError.self) { _ = try TLSClientAuthority(pem: Array(text.utf8), mode: .required) }
    }
}
