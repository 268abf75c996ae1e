import Testing

@testable import Configuration

struct IncludeTests {
    @Test("a pattern includes every file that it matches, in order, relative to the including file")
    func pattern() throws {
        let workspace = Workspace([
            "conf.d/20.conf": "route /b/ { accept jwt; upstream agents; }",
            "conf.d/10.conf": "include routes;",
            "conf.d/routes": "route /a/ { accept jwt; include accept; }",
            "conf.d/accept": "upstream agents;",
        ])
        let configuration = try workspace.load("include conf.d/*.conf;" + Row.rest).get()
        #expect(configuration.routes.map(\.pattern.text) == ["/a/", "/b/", "/used/"])
        #expect(configuration.routes.map(\.position.line) == [1, 1, 5])
        #expect(configuration.routes[0].position.file.hasSuffix("/conf.d/routes"))
    }

    static let rows: [(name: String, files: [String: String], config: String, findings: [String], why: String)] = [
        ("a pattern may match nothing", [:], "include conf.d/*.conf;", [], "an empty conf.d is usual"),
        (
            "a name has to be there", [:], "include x.conf;",
            [
                "1:9: error: 'x.conf' cannot be included: No such file or directory; names are relative to the folder of this file"
            ], "gateway-conf.md: a file that is missing"
        ),
        (
            "a folder is no file", ["conf.d/a": ""], "include conf.d;",
            ["1:9: error: 'conf.d' cannot be included: it is a folder"], "read(2) would say less"
        ),
        (
            "an error has the place in its own file", ["a": "\nwrong x;"], "include a;",
            ["a:2:1: error: unknown directive 'wrong' at the top level"], "the place"
        ),
        (
            "a cycle is an error", ["a": "include b;", "b": "include gateway.conf;\ninclude ./a;"], "include a;",
            [
                "b:1:9: error: 'gateway.conf' includes itself; remove this include",
                "b:2:9: error: './a' includes itself; remove this include",
            ], "it would never end"
        ),
        (
            "a second time is no cycle, but what it says counts twice", ["a": "realm x;"], "include a;\ninclude a;",
            ["a:1:1: error: 'realm' twice at the top level; keep one: the first is at a:1:1"], "duplicates"
        ),
        (
            "relative names are relative to the file that says them",
            ["sub/tls": "tls { certificate ../cert.pem file:key.pem; }"], "include sub/tls;",
            [
                "sub/tls:1:31: error: 'sub/key.pem' cannot be read: No such file or directory; names are relative to the folder of this file"
            ], "gateway-conf.md"
        ),
    ]

    @Test("includes", arguments: rows)
    func include(row: (name: String, files: [String: String], config: String, findings: [String], why: String)) {
        let workspace = Workspace(row.files)
        #expect(workspace.findings(row.config + Row.rest) == row.findings, "\(row.name): \(row.why)")
    }

    @Test("includes inside one another are bounded")
    func depth() {
        let workspace = Workspace(
            Dictionary(uniqueKeysWithValues: (0..<40).map { ("f\($0)", "include f\($0 + 1);") }))
        #expect(
            workspace.findings("include f0;" + Row.rest) == [
                "f14:1:9: error: more than 16 includes inside one another; include the file from fewer levels"
            ])
    }
}
