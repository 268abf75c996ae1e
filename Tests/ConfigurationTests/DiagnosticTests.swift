import Testing

@testable import Configuration

struct DiagnosticTests {
    private static func diagnostics(_ text: String) -> [Diagnostic] {
        do throws(ConfigurationErrors) {
            return try ConfigurationLoader.load(
                text: Array(text.utf8), path: "gateway.conf", environment: [:], files: .none
            ).warnings
        } catch {
            return error.diagnostics
        }
    }

    private static let base = "listen 127.0.0.1:8081 plain; upstream agents { server 127.0.0.1:9000; }"

    @Test("a message has the shape that gateway-conf.md promises")
    func shape() {
        let lines = String(repeating: "\n", count: 12) + "route /api/ {\n    acept jwt;\n    upstream agents;\n}\n"
        #expect(
            Self.diagnostics(Self.base + lines).map(\.rendered) == [
                """
                gateway.conf:14:5: error: unknown directive 'acept' in route
                   14 |     acept jwt;
                      |     ^~~~~ did you mean 'accept'?
                """
            ])
    }

    @Test("a message about a whole file has no line to show")
    func wholeFile() {
        let error = #expect(throws: ConfigurationErrors.self) {
            try ConfigurationLoader.load(path: "/nowhere/gateway.conf", environment: [:])
        }
        #expect(
            error?.description == """
                /nowhere/gateway.conf: error: the configuration cannot be read: No such file or directory
                      | write one, or name another with -c FILE
                """)
    }

    @Test("tabs and characters of several bytes keep the caret under its word")
    func columns() {
        let diagnostic = Self.diagnostics(Self.base + "\nrealm \"é\";\t\twrong x;").last
        #expect(diagnostic?.column == 13)
        #expect(
            diagnostic?.rendered == """
                gateway.conf:2:13: error: unknown directive 'wrong' at the top level
                    2 | realm "é";\t\twrong x;
                      |           \t\t^~~~~
                """)
    }

    @Test("a line that no terminal bears is cut around its word")
    func longLine() {
        let diagnostic = Self.diagnostics(
            Self.base + "\n" + String(repeating: " ", count: 500) + "wrong " + String(repeating: "x", count: 500) + ";"
        ).last
        let lines = diagnostic?.rendered.split(separator: "\n") ?? []
        #expect(lines.allSatisfy { $0.count < 200 })
        #expect(lines.last?.hasSuffix(" ^~~~~") == true)
    }

    @Test("an inline secret is shown nowhere")
    func inlineSecret() {
        let text = "jwt local { algorithms HS256; keys secret s3cr3t-value; }"
        let rendered = Self.diagnostics(text).map(\.rendered).joined()
        #expect(rendered.contains("keys secret ************; }"))
        #expect(!rendered.contains("s3cr3t"))
    }

    @Test(
        "a large file takes no more than its size", .timeLimit(.minutes(2)),
        arguments: [
            "a\nca\n", "upstream u { server a:1; }", "route /a { accept none; upstream u; } ", "{ ", "\"\\", "x; ", "é",
            "listen 127.0.0.1:1 plain; ", "include x; ", "route /{a} { acept jwt; } ",
        ])
    func large(part: String) {
        let text = String(repeating: part, count: 100_000 / part.utf8.count)
        for start in ["", "upstream u { server\n"] {
            let diagnostics = Self.diagnostics(start + text)
            #expect(diagnostics.count < 210 && diagnostics.allSatisfy { $0.rendered.utf8.count < 2000 })
        }
    }

    @Test("errors come in the order of the file, and no more than anybody reads")
    func order() {
        let diagnostics = Self.diagnostics(String(repeating: "wrong;\n", count: 5000))
        #expect(diagnostics.count < 210)
        #expect(diagnostics.dropLast().map(\.line) == diagnostics.dropLast().map(\.line).sorted())
        #expect(diagnostics.last?.message == "there is more to say than these 200 messages")
    }
}

struct SpellingTests {
    static let rows: [(word: String, candidates: [String], meant: String?, why: String)] = [
        ("acept", ["accept", "agent"], "accept", "one letter is missing"),
        ("requires", ["require", "route"], "require", "reports.md row 42"),
        ("HS526", ["HS256", "HS512", "RS256"], "HS256", "a swap of neighbours is one edit"),
        ("hs256", ["RS256", "HS256"], "HS256", "only the case differs"),
        ("x", ["on"], nil, "nothing in common is no guess"),
        ("scopes", ["accept", "agent", "require"], nil, "a wild guess is worse than none"),
        (String(repeating: "a", count: 65), [String(repeating: "a", count: 64)], nil, "long words are not compared"),
    ]

    @Test("the word that was meant is found", arguments: rows)
    func nearest(row: (word: String, candidates: [String], meant: String?, why: String)) {
        #expect(Spelling.nearest(to: row.word, among: row.candidates) == row.meant, "\(row.why)")
    }
}
