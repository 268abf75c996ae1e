import Testing

@testable import Transport

@Suite("TLSIdentity: a certificate chain and the key that belongs to it")
struct TLSIdentityTests {
    private let authority: Authority

    init() throws { authority = try Authority() }

    @Test("the names are the DNS names of the leaf, lower case")
    func names() throws {
        let identity = try authority.identity("WWW.Example.com", "*.example.org", "IP:192.0.2.1")
        #expect(identity.serverNames == ["www.example.com", "*.example.org"])
        #expect(try authority.identity().serverNames.isEmpty)
    }

    @Test("the end of the validity is the leaf's")
    func notAfter() throws {
        let identity = try authority.identity("a.example", seconds: 7200)
        #expect(abs(identity.notAfter - WallClock.seconds() - 3600) < 120)
        #expect(try authority.identity("a.example", seconds: 60).notAfter < WallClock.seconds())
    }

    static let coverages: [Row<String, Bool>] = [
        Row("the name", "www.example.com", true), Row("another name", "example.com", false),
        Row("the wildcard's label", "a.example.org", true),
        Row("the bare domain", "example.org", false, why: "a wildcard is exactly one label, RFC 9525 §6.3"),
        Row("two labels", "a.b.example.org", false, why: "the same"),
        Row("an empty label", ".example.org", false, why: "the same"),
        Row("a suffix without a dot", "aexample.org", false),
        Row("the wildcard itself", "*.example.org", true, why: "nobody can resolve it"),
        Row("empty", "", false), Row("an address", "192.0.2.1", false, why: "SNI never holds one"),
        Row("a longer name", "www.example.com.evil", false), Row("a final dot", "www.example.com.", false),
    ]

    @Test("a certificate covers its names and one label in place of a wildcard", arguments: coverages)
    func covers(_ row: Row<String, Bool>) throws {
        let identity = try authority.identity("www.example.com", "*.example.org", "IP:192.0.2.1")
        #expect(identity.covers(row.input) == row.expectation, "\(row.why)")
    }

    /// What the sentence of the error is about.
    private func problem(_ certificate: [UInt8], _ key: [UInt8]) -> String? {
        do throws(TLSError) {
            _ = try TLSIdentity(certificatePEM: certificate, privateKeyPEM: key)
            return nil
        } catch { return error.message }
    }

    @Test("what cannot serve is refused with a sentence")
    func refuses() throws {
        let (certificate, key) = try authority.issue(["DNS:a.example"])
        let (_, otherKey) = try authority.issue(["DNS:a.example"])
        let none = "it holds no certificate (-----BEGIN CERTIFICATE-----)"
        #expect(problem(certificate, key) == nil)
        #expect(problem(certificate, otherKey) == "the private key does not belong to the certificate")
        #expect(problem([], key) == none)
        #expect(problem(key, key) == none)
        #expect(problem(Array("\0garbage".utf8), key) == none)
        #expect(problem(Array(certificate.dropLast(60)), key) != nil, "cut off")
        #expect(problem(certificate + Array(certificate.dropLast(60)), key) != nil, "the second one cut off")
        for bad in [[], certificate, Array(key.dropLast(60)), Array("-----BEGIN PRIVATE KEY-----\n".utf8)] {
            #expect(problem(certificate, bad)?.hasPrefix("the private key cannot be read") == true)
        }
    }

    @Test("a chain is the leaf and what stands behind it; a key in the same file does no harm")
    func chains() throws {
        let (certificate, key) = try authority.issue(["DNS:a.example"])
        let together = certificate + key + authority.pem
        let identity = try TLSIdentity(certificatePEM: together, privateKeyPEM: together)
        #expect(identity.chain.count == 2 && identity.serverNames == ["a.example"])
        #expect(problem(authority.pem + certificate, key) == "the private key does not belong to the certificate")
    }

    @Test("a server context needs a certificate, and finds the one for a name")
    func contextChoice() throws {
        let tickets = try TLSTicketKeys()
        #expect(throws: TLSError("no certificate")) {
            _ = try TLSServerContext(identities: [], minimumVersion: .v12, clientAuthority: nil, tickets: tickets)
        }
        let context = try TLSServerContext(
            identities: [try authority.identity("a.example"), try authority.identity("*.example", "b.example")],
            minimumVersion: .v12, clientAuthority: nil, tickets: tickets)
        #expect(context.identityIndex(for: "a.example") == 0, "the first that covers it")
        #expect(context.identityIndex(for: "b.example") == 1)
        #expect(context.identityIndex(for: "c.org") == nil)
    }
}
