import Foundation
import JOSE
import Testing

@testable import Configuration

@Suite("deploy/reference.conf: what operators read")
struct ReferenceTests {
    private static let text: String = {
        let repository = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        let path = repository.joined(separator: "/") + "/deploy/reference.conf"
        return (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    }()

    private func load(_ text: String) -> Result<Configuration, ConfigurationErrors> {
        let workspace = Workspace(["clients.pem": Fixtures.certificate, "ca.pem": Fixtures.certificate])
        for name in ["signing.key", "client.secret"] { workspace.write(name, Fixtures.secret) }
        return workspace.load(text.replacing("user gatehouse;", with: "user root;"))
    }

    @Test("it loads, and names every directive there is")
    func complete() throws {
        let configuration = try load(Self.text).get()
        #expect(configuration.warnings.map(\.message) == [])
        // One that only stands where another does not is commented out.
        let lines = Self.text.replacing("\n# key_prefix", with: "\nkey_prefix").split(separator: "\n")
        let words = lines.flatMap { line in
            line.split(separator: "#", omittingEmptySubsequences: false)[0].split { " {;".contains($0) }.map(
                String.init)
        }
        for grammar in BlockGrammar.all {
            for rule in grammar.rules {
                #expect(words.contains(rule.name), "\(rule.name)\(grammar.location)")
            }
        }
    }

    @Test("where it says a default, that is what the gateway does")
    func defaults() throws {
        let stated = try load(Self.text).get()
        let plain = Configuration()
        var limits = stated.limits
        #expect(limits.connections == 10_000, "an example")
        limits.connections = nil
        #expect(limits == plain.limits)
        #expect(stated.drainTimeout == plain.drainTimeout && stated.revocationLag == plain.revocationLag)
        #expect(stated.storeStale == plain.storeStale && stated.realm == plain.realm)
        #expect(stated.keyPrefix == plain.keyPrefix && stated.accessLog == plain.accessLog)
        let (one, usual) = (stated.upstreams[0], Upstream(name: "", servers: []))
        #expect(one.balance == usual.balance && one.keepalive == usual.keepalive && one.failLimit == usual.failLimit)
        #expect(one.connectTimeout == usual.connectTimeout && one.responseTimeout == usual.responseTimeout)
        #expect(one.idleTimeout == usual.idleTimeout && one.ejectTime == usual.ejectTime)
        let identity = try #require(stated.identity)
        let fresh = IdentitySettings(prefix: identity.prefix, signing: identity.signing)
        #expect(identity.accessTTL == fresh.accessTTL && identity.refreshTTL == fresh.refreshTTL)
        #expect(identity.rotatesRefresh == fresh.rotatesRefresh && identity.refreshOverlap == fresh.refreshOverlap)
        #expect(identity.usesCookies == fresh.usesCookies)
        let remote = try #require(stated.remoteKeys.first)
        #expect(remote.refresh == .seconds(600) && remote.stale == .seconds(86_400))
        #expect(stated.introspections[0].cache == .seconds(30) && stated.introspections[0].lookupsAtMost == 32)
        #expect(stated.issuers[0].leeway == 30 && stated.issuers[0].userIDClaims == ["user_id", "sub"])
        let chat = try #require(stated.routes.first { $0.host != nil })
        #expect(chat.webSocket && chat.streamGrace == .zero)
    }
}
