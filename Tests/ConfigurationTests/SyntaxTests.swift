import Testing

@testable import Configuration

struct SyntaxTests {
    /// What `text` says: `name argument{ inner;};`, and what is wrong with it.
    private static func read(_ text: String) -> (tree: String, findings: [String]) {
        let diagnostics = DiagnosticCollector()
        let file = Parser(files: .none, diagnostics: diagnostics).file(name: "x", bytes: Array(text.utf8))
        let findings = diagnostics.sorted.map { "\($0.line):\($0.column): \($0.message)" }
        return (file.directives.map(write).joined(), findings)
    }

    private static func write(_ directive: Directive) -> String {
        let words = [directive.name.text] + directive.arguments.map { $0.isQuoted ? "<\($0.text)>" : $0.text }
        return words.joined(separator: " ") + (directive.block.map { "{" + $0.map(write).joined() + "}" } ?? ";")
    }

    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let text: String
        let tree: String
        var findings: [String] = []
        let why: String
        var testDescription: String { name }
    }

    static let words: [Case] = [
        Case(name: "a directive", text: "a b c;", tree: "a b c;", why: "nginx"),
        Case(name: "a block on one line", text: "a{b c;d;}e;", tree: "a{b c;d;}e;", why: "blanks are not needed"),
        Case(
            name: "comments", text: "#x;\na b;#c {\n# d\ne#f g;#", tree: "a b;e#f g;", why: "# counts at a word's start"
        ),
        Case(
            name: "double and single quotes", text: #"a "b ; { # '" 'c"';"#, tree: #"a <b ; { # '> <c">;"#, why: "nginx"
        ),
        Case(name: "escapes", text: #"a "\"\\\t\n";"#, tree: "a <\"\\\t\n>;", why: "the five"),
        Case(name: "a quoted empty word", text: #"a "";"#, tree: "a <>;", why: "it is a word"),
        Case(
            name: "CRLF and a byte order mark", text: "\u{feff}a b;\r\nc;\r\n", tree: "a b;c;", why: "Windows editors"),
        Case(name: "parameters in a path", text: "r /a/{b}/c{ d {b}; }", tree: "r /a/{b}/c{d {b};}", why: "patterns"),
        Case(
            name: "an empty parameter in a path", text: "r /a/{}/b {}", tree: "r /a/{}/b{}",
            why: "the pattern is to blame"),
        Case(name: "an empty block", text: "a{}b {}", tree: "a{}b{}", why: "{} is no parameter"),
        Case(name: "a brace before a word opens a block", text: "r /x/ {d e;}", tree: "r /x/{d e;}", why: "nginx"),
        Case(name: "nothing", text: " \n#", tree: "", why: "an empty file is text"),
    ]

    static let mistakes: [Case] = [
        Case(
            name: "no ';' before '}'", text: "a {\n  b c\n}\nd;", tree: "a{b c;}d;",
            findings: ["2:5: no ';' after 'c'"],
            why: "the rest is still read"),
        Case(
            name: "no ';' at the end", text: "a b", tree: "a b;", findings: ["1:3: no ';' after 'b'"], why: "likewise"),
        Case(
            name: "an open block", text: "a {\n b;", tree: "a{b;}", findings: ["1:3: the block of 'a' is not closed"],
            why: "the place is the brace's"),
        Case(
            name: "'}' too many", text: "a;\n}\nb;", tree: "a;b;", findings: ["2:1: '}' closes nothing"], why: "stray"),
        Case(
            name: "';' after a block", text: "a {};", tree: "a{}", findings: ["1:5: ';' without a directive before it"],
            why: "nginx refuses it too"),
        Case(
            name: "'{' without a name", text: "{ a; } b;", tree: "b;",
            findings: ["1:1: '{' without a directive before it"], why: "its content has no meaning"),
        Case(
            name: "an open quote", text: "a \"b;\nc;", tree: "a <b;> c;",
            findings: ["1:3: this quote is not closed on its line"], why: "a quote ends on its line"),
        Case(
            name: "a quote in a word", text: "a b\"c;", tree: "a b\"c;",
            findings: ["1:4: a quote in the middle of a word"], why: "shells and nginx differ about it"),
        Case(
            name: "a word after a quote", text: "a \"b\"c;", tree: "a <b> c;",
            findings: ["1:6: no blank after the closing quote"], why: "likewise"),
        Case(
            name: "unknown escapes", text: #"a "\x\é";"#, tree: "a <>;",
            findings: [#"1:4: unknown escape '\x'"#, #"1:6: unknown escape '\é'"#], why: "no guessing"),
        Case(
            name: "a bare backslash", text: #"a b\ c;"#, tree: #"a b\ c;"#, findings: [#"1:4: '\' outside quotes"#],
            why: "it escapes nothing there"),
        Case(
            name: "control characters", text: "a b\u{0}\u{7};", tree: "a b\u{0}\u{7};",
            findings: ["1:4: a control character", "1:5: a control character"], why: "nobody can see them"),
        Case(
            name: "includes need one name", text: "include;\ninclude a b;\ninclude a {}", tree: "",
            findings: (1...3).map { "\($0):1: 'include' takes one file name or pattern" }, why: "grammar"),
    ]

    @Test("text is read as nginx reads it", arguments: words + mistakes)
    func read(row: Case) {
        let result = Self.read(row.text)
        #expect(result.tree == row.tree, "\(row.why)")
        #expect(result.findings == row.findings, "\(row.why)")
    }

    @Test("what is no UTF-8 is named with its place")
    func invalidUTF8() {
        let diagnostics = DiagnosticCollector()
        _ = Parser(files: .none, diagnostics: diagnostics).file(name: "x", bytes: [0x61, 0x0a, 0x61, 0xff, 0x3b])
        #expect(diagnostics.sorted.map { "\($0.line):\($0.column): \($0.message)" } == ["2:2: not UTF-8 text"])
    }

    @Test("blocks inside one another are bounded, and say so once")
    func depth() {
        let result = Self.read(String(repeating: "a {", count: 10_000))
        #expect(result.findings == ["1:51: more than 16 blocks inside one another"])
    }
}
