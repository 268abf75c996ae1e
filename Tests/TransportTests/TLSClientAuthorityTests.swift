import COpenSSL
import Testing

@testable import Transport

@Suite("TLSClientAuthority: clients show certificates, also those who come back with a ticket")
struct TLSClientAuthorityTests {
    private let authority: Authority
    private let stranger: Authority
    private let tickets: TLSTicketKeys

    init() throws {
        authority = try Authority()
        stranger = try Authority("Stranger")
        tickets = try TLSTicketKeys()
    }

    private func context(_ mode: TLSClientAuthority.Mode?, by authority: Authority? = nil) throws -> TLSServerContext {
        let trusted = authority ?? self.authority
        return try TLSServerContext(
            identities: [self.authority.identity("a.example")], minimumVersion: .v12,
            clientAuthority: try mode.map { try TLSClientAuthority(pem: trusted.pem, mode: $0) }, tickets: tickets)
    }

    private func meet(_ context: TLSServerContext, _ offer: PlainClient.Offer) throws -> (
        isAccepted: Bool, isResumed: Bool, session: PlainClient.Session?
    ) {
        let pair = Pair()
        let server = try #require(TLSSession(server: context, descriptor: pair.near))
        let client = try #require(PlainClient(offer, on: pair))
        let outcome = Negotiation.run(server: server) { client.handshake() }
        client.settle()
        return (outcome.server.isComplete, server.isResumed, client.session)
    }

    enum Shown: Sendable { case nothing, trusted, foreign, expired }

    static let rules: [Row<(TLSClientAuthority.Mode?, Shown), Bool>] = [
        Row("not asked, nothing", (nil, .nothing), true), Row("not asked, foreign", (nil, .foreign), true),
        Row("optional, nothing", (.optional, .nothing), true), Row("optional, trusted", (.optional, .trusted), true),
        Row("optional, foreign", (.optional, .foreign), false, why: "what is shown is verified"),
        Row("required, nothing", (.required, .nothing), false), Row("required, trusted", (.required, .trusted), true),
        Row("required, foreign", (.required, .foreign), false), Row("required, expired", (.required, .expired), false),
    ]

    private func offer(_ shown: Shown, _ version: Int32) throws -> PlainClient.Offer {
        var offer = PlainClient.Offer(lowest: version, highest: version)
        switch shown {
        case .nothing: break
        case .trusted: offer.identity = try authority.identity("client.example")
        case .foreign: offer.identity = try stranger.identity("client.example")
        case .expired: offer.identity = try authority.identity("client.example", seconds: 60)
        }
        return offer
    }

    @Test("who passes", arguments: rules, [TLS1_2_VERSION, TLS1_3_VERSION])
    func passes(_ row: Row<(TLSClientAuthority.Mode?, Shown), Bool>, version: Int32) throws {
        let result = try meet(context(row.input.0), offer(row.input.1, version))
        #expect(result.isAccepted == row.expectation, "\(row.why)")
    }

    @Test("a client that was verified comes back with its ticket", arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func resumes(version: Int32) throws {
        var offer = try offer(.trusted, version)
        offer.session = try meet(context(.required), offer).session
        let again = try meet(context(.required), offer)
        #expect(again.isAccepted && again.isResumed)
    }

    @Test(
        "a ticket from before a reload does not stand in for the certificate that is demanded since",
        arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func reloadDemands(version: Int32) throws {
        var offer = try offer(.nothing, version)
        for mode in [TLSClientAuthority.Mode?.none, .optional] {
            offer.session = try meet(context(mode), offer).session
            #expect(try !meet(context(.required), offer).isAccepted)
        }
        var foreign = try self.offer(.foreign, version)
        foreign.session = try meet(context(.required, by: stranger), foreign).session
        #expect(try !meet(context(.required), foreign).isAccepted, "another authority since")
    }
}
