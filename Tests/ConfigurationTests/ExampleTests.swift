import Testing
import Transport

@testable import Configuration

struct ExampleTests {
    /// The repository, from this file's place in it.
    private static let repository = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        .joined(separator: "/")

    @Test("the repository's gateway.conf is right beside what deploy/run makes")
    func example() throws {
        let bytes = try FileAccess.disk.read(Self.repository + "/gateway.conf").bytes
        let workspace = Workspace(["data/cert.pem": Fixtures.certificate])
        workspace.write("data/key.pem", Fixtures.key)
        workspace.write("data/signing.key", Fixtures.secret)
        let configuration = try workspace.load(String(decoding: bytes, as: UTF8.self)).get()
        #expect(configuration.warnings == [])
        #expect(configuration.listeners.allSatisfy { $0.address.isLocal })
        #expect(configuration.signing.map(\.issuer) == ["identity"])
        #expect(
            configuration.routes.map(\.name) == [
                "POST /api/agents/{agent_id}/query/", "/api/agents/{agent_id}/", "/api/chat/", "/api/", "GET /widget/",
            ])
    }
}
