import Testing

@testable import Configuration

struct PathPatternTests {
    static let good: [(text: String, segments: [PathPattern.Segment], isPrefix: Bool, shape: String)] = [
        ("/", [], true, "/"),
        ("/a", [.literal("a")], false, "/a"),
        ("/a/", [.literal("a")], true, "/a/"),
        ("/a/{id}/b", [.literal("a"), .parameter("id"), .literal("b")], false, "/a/{}/b"),
        ("/{a}/{b_2}/", [.parameter("a"), .parameter("b_2")], true, "/{}/{}/"),
        (
            "/caf%C3%A9/a;b=c,d@e:f!$&'()*+~", [.literal("caf%C3%A9"), .literal("a;b=c,d@e:f!$&'()*+~")], false,
            "/caf%C3%A9/a;b=c,d@e:f!$&'()*+~"
        ),
        ("/a.b/..c/...", [.literal("a.b"), .literal("..c"), .literal("...")], false, "/a.b/..c/..."),
    ]

    @Test("a pattern in normal form is taken as it is", arguments: good)
    func parse(row: (text: String, segments: [PathPattern.Segment], isPrefix: Bool, shape: String)) throws {
        let pattern = try PathPattern(row.text)
        #expect(pattern.segments == row.segments)
        #expect(pattern.isPrefix == row.isPrefix)
        #expect(pattern.shape == row.shape)
        #expect(pattern.text == row.text)
    }

    static let bad: [(text: String, message: String, suggestion: String?, why: String)] = [
        ("api/", "path pattern 'api/' does not start with '/'", "write '/api/'", "a path is absolute"),
        ("", "path pattern '' does not start with '/'", "write '/'", "a path is not empty"),
        (
            "/a//b", "path pattern '/a//b' is not in the form that requests are matched in", "write '/a/b'",
            "slashes merge"
        ),
        (
            "/a/../b/.", "path pattern '/a/../b/.' is not in the form that requests are matched in", "write '/b/'",
            "dot segments"
        ),
        (
            "/%61%7e", "path pattern '/%61%7e' is not in the form that requests are matched in", "write '/a~'",
            "RFC 3986 §6.2.2.2"
        ),
        (
            "/caf%c3%a9", "path pattern '/caf%c3%a9' is not in the form that requests are matched in",
            "write '/caf%C3%A9'", "RFC 3986 §6.2.2.1"
        ),
        (
            "/café", "path pattern '/café' is not in the form that requests are matched in", "write '/caf%C3%A9'",
            "bytes in a request line are ASCII"
        ),
        ("/a%2Fb", "'%2F' in a path pattern: such a request is refused", nil, "gateway-conf.md"),
        ("/a%5cb", "'%5C' in a path pattern: such a request is refused", nil, "gateway-conf.md"),
        ("/a%00", "'%00' in a path pattern: such a request is refused", nil, "gateway-conf.md"),
        ("/a%zz", "'%' in a path pattern without two hex digits", nil, "gateway-conf.md"),
        ("/a%2", "'%' in a path pattern without two hex digits", nil, "gateway-conf.md"),
        ("/a\\b", "'\\' in a path pattern: such a request is refused", nil, "gateway-conf.md"),
        ("/a b", "a blank or control character in a path pattern: such a request is refused", nil, "RFC 9112 §3.2"),
        ("/..;/a", "';' inside a dot segment is refused", nil, "gateway-conf.md"),
        ("/a?b", "'?' in a path pattern: the query takes no part in matching", nil, "a path"),
        ("/a#b", "'#' in a path pattern: a request has no fragment", nil, "a path"),
        (
            "/a/{b", "'{b' is no segment: a parameter is a whole one",
            "write '{name}' with letters, digits and '_' between two slashes", "grammar"
        ),
        (
            "/a/x{b}", "'x{b}' is no segment: a parameter is a whole one",
            "write '{name}' with letters, digits and '_' between two slashes", "grammar"
        ),
        (
            "/a/{}", "'{}' is no segment: a parameter is a whole one",
            "write '{name}' with letters, digits and '_' between two slashes", "grammar"
        ),
        (
            "/a/{b-c}", "'{b-c}' is no segment: a parameter is a whole one",
            "write '{name}' with letters, digits and '_' between two slashes", "grammar"
        ),
        ("/{a}/{a}", "parameter '{a}' twice in a pattern", "give each its own name", "which one would count?"),
    ]

    @Test("what no normalised path can match is refused", arguments: bad)
    func refuse(row: (text: String, message: String, suggestion: String?, why: String)) {
        #expect(throws: PathPattern.Problem(message: row.message, suggestion: row.suggestion), "\(row.why)") {
            try PathPattern(row.text)
        }
    }

    @Test("the normal form is its own normal form", arguments: good.map(\.text) + bad.map(\.text))
    func idempotent(text: String) {
        guard let normal = PathText.normalForm(of: text) else { return }
        #expect(PathText.normalForm(of: normal) == normal)
    }
}
