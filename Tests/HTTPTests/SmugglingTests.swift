import HTTP
import Testing

/// Rows of threats.md "Identity headers and smuggling" that a head decides, and the refusals of the contract.
@Suite struct SmugglingTests {
    private static func line(_ requestLine: String) -> String { "\(requestLine)\r\nHost: x\r\n\r\n" }
    private static func field(_ lines: String, method: String = "POST") -> String {
        "\(method) / HTTP/1.1\r\nHost: x\r\n\(lines)\r\n\r\n"
    }
    private static func fails(_ name: String, _ input: String, _ reason: StaticString) -> Row<HeadError> {
        Row(name, input, .malformed(reason))
    }

    static let framing: [Row<HeadError>] = [
        fails(
            "CL.TE, RFC 9112 §6.3", field("Content-Length: 4\r\nTransfer-Encoding: chunked"),
            "Content-Length and Transfer-Encoding together"),
        fails(
            "TE.CL, RFC 9112 §6.3", field("Transfer-Encoding: chunked\r\nContent-Length: 4"),
            "Content-Length and Transfer-Encoding together"),
        fails(
            "TE.TE: repeated", field("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
            "more than one Transfer-Encoding"),
        fails(
            "TE.TE: repeated, other case", field("Transfer-Encoding: chunked\r\ntransfer-encoding: x"),
            "more than one Transfer-Encoding"),
        fails(
            "TE chunked, identity", field("Transfer-Encoding: chunked, identity"),
            "Transfer-Encoding other than chunked"),
        fails("TE identity", field("Transfer-Encoding: identity"), "Transfer-Encoding other than chunked"),
        fails("TE gzip, chunked", field("Transfer-Encoding: gzip, chunked"), "Transfer-Encoding other than chunked"),
        fails("TE xchunked", field("Transfer-Encoding: xchunked"), "Transfer-Encoding other than chunked"),
        fails(
            "TE chunked with a parameter", field("Transfer-Encoding: chunked;a=b"),
            "Transfer-Encoding other than chunked"),
        fails("TE with a comma", field("Transfer-Encoding: ,chunked"), "Transfer-Encoding other than chunked"),
        fails("TE quoted", field("Transfer-Encoding: \"chunked\""), "Transfer-Encoding other than chunked"),
        fails("TE empty", field("Transfer-Encoding:"), "Transfer-Encoding other than chunked"),
        fails("TE with a vertical tab", field("Transfer-Encoding: \u{b}chunked"), "control byte in a field value"),
        fails("TE with a tab before the colon", field("Transfer-Encoding\t: chunked"), "blank in a field name"),
        fails(
            "TE with a space before the colon, RFC 9112 §5.1", field("Transfer-Encoding : chunked"),
            "blank in a field name"),
        fails(
            "TE on HTTP/1.0, RFC 9112 §6.1", "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
            "Transfer-Encoding in HTTP/1.0"),
        fails("repeated CL, equal", field("Content-Length: 4\r\nContent-Length: 4"), "more than one Content-Length"),
        fails(
            "repeated CL, differing, RFC 9112 §6.3", field("Content-Length: 4\r\nContent-Length: 5"),
            "more than one Content-Length"),
        fails("CL list", field("Content-Length: 4, 4"), "invalid Content-Length"),
        fails("CL with plus", field("Content-Length: +4"), "invalid Content-Length"),
        fails("CL with minus", field("Content-Length: -4"), "invalid Content-Length"),
        fails("CL with a space", field("Content-Length: 4 2"), "invalid Content-Length"),
        fails("CL in hex", field("Content-Length: 0x4"), "invalid Content-Length"),
        fails("CL with a fraction", field("Content-Length: 4.0"), "invalid Content-Length"),
        fails("CL empty", field("Content-Length:"), "invalid Content-Length"),
        fails("CL of 20 digits", field("Content-Length: 00000000000000000004"), "invalid Content-Length"),
        fails("CL of 2^63", field("Content-Length: 9223372036854775808"), "invalid Content-Length"),
        fails("CL in other digits", field("Content-Length: ٤"), "invalid Content-Length"),
        fails("TRACE with a length, RFC 9110 §9.3.8", field("Content-Length: 1", method: "TRACE"), "TRACE with a body"),
        fails(
            "TRACE with chunks, RFC 9110 §9.3.8", field("Transfer-Encoding: chunked", method: "TRACE"),
            "TRACE with a body"),
    ]

    @Test(arguments: framing) func refusesFraming(_ row: Row<HeadError>) {
        #expect(requestOutcome(row.input) == .failed(row.expectation))
        #expect(row.expectation.refusal.status == 400)
    }

    static let lines: [Row<HeadError>] = [
        fails("bare LF after a field, RFC 9112 §2.2", "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", "bare line feed"),
        fails("bare LF ends the head", "GET / HTTP/1.1\r\nHost: x\r\n\nA: b\r\n\r\n", "bare line feed"),
        fails("bare LF in a name", field("A\nB: c"), "bare line feed"),
        fails("bare LF after the request line", "GET / HTTP/1.1\nHost: x\r\n\r\n", "no CRLF after the version"),
        fails("bare CR in a value, RFC 9112 §2.2", field("A: b\rX-User-Id: 1"), "bare carriage return"),
        fails("bare CR at the start of a line", field("\rA: b"), "bare carriage return"),
        fails("CR CR LF", field("A: b\r"), "bare carriage return"),
        fails("bare CR after the version", "GET / HTTP/1.1\rHost: x\r\n\r\n", "bare carriage return"),
        fails("NUL in a value", field("A: b\0c"), "control byte in a field value"),
        fails("NUL in a name", field("A\0: b"), "invalid byte in a field name"),
        fails("DEL in a value", field("A: b\u{7f}"), "control byte in a field value"),
        fails("escape in a value", field("A: \u{1b}[0m"), "control byte in a field value"),
        fails("obs-fold with a space, RFC 9112 §5.2", field("A: b\r\n c"), "folded or indented field line"),
        fails(
            "obs-fold with a tab of an identity field", field("X-User-Id: 1\r\n\t2"), "folded or indented field line"),
        fails(
            "space before the first field, RFC 9112 §2.2", "GET / HTTP/1.1\r\n Host: x\r\n\r\n",
            "folded or indented field line"),
        fails("space before the colon, RFC 9112 §5.1", field("A : b"), "blank in a field name"),
        fails("space in a name", field("A B: c"), "blank in a field name"),
        fails("empty name", field(": b"), "empty field name"),
        fails("no colon", field("Content-Length"), "field line without a colon"),
        fails("parenthesis in a name, RFC 9110 §5.6.2", field("A(): b"), "invalid byte in a field name"),
        fails("quote in a name", field("\"A\": b"), "invalid byte in a field name"),
        fails("non-ASCII in a name", field("Ünsafe: b"), "invalid byte in a field name"),
        fails("at sign in a name", field("X@User-Id: b"), "invalid byte in a field name"),
        fails("bracket in a long name", field("Access-Control-Request-Header[: b"), "invalid byte in a field name"),
        fails(
            "refused before the line ends, however it is cut (found by fuzzing)", "GET / HTTP/1.1\r\nAb c",
            "blank in a field name"),
        fails("a value likewise", "GET / HTTP/1.1\r\nA: b\0cd", "control byte in a field value"),
        fails("a control byte that folds to a hyphen is none", field("X\u{d}User\u{d}Id: 1"), "bare carriage return"),
        fails("Connection that is no list of tokens", field("Connection: close;x"), "invalid Connection"),
        fails(
            "Connection of 65 options", field("Connection: " + Array(repeating: "a", count: 65).joined(separator: ",")),
            "invalid Connection"),
    ]

    @Test(arguments: lines) func refusesLines(_ row: Row<HeadError>) {
        #expect(requestOutcome(row.input) == .failed(row.expectation))
    }

    static let requestLines: [Row<HeadError>] = [
        fails("two spaces before the target, RFC 9112 §3", line("GET  / HTTP/1.1"), "empty request target or path"),
        fails("two spaces before the version", line("GET /  HTTP/1.1"), "no version behind the one space"),
        fails("space in the target", line("GET /a b HTTP/1.1"), "no version behind the one space"),
        fails("space behind the version", line("GET / HTTP/1.1 "), "no CRLF after the version"),
        fails("tab for a space", line("GET\t/ HTTP/1.1"), "invalid method"),
        fails("tab before the version", line("GET /\tHTTP/1.1"), "invalid byte in the request target"),
        fails("leading space", line(" GET / HTTP/1.1"), "invalid method"),
        fails("two CRLF before the request line, RFC 9112 §2.2", "\r\n" + line("\r\nGET / HTTP/1.1"), "invalid method"),
        fails("bare LF before the request line", "\n" + line("GET / HTTP/1.1"), "invalid method"),
        fails("a TLS hello", "\u{16}\u{3}\u{1}\u{2}", "invalid method"),
        fails(
            "method of 33 bytes", line("\(String(repeating: "A", count: 33)) / HTTP/1.1"), "method longer than 32 bytes"
        ),
        fails("method that is no token", line("GE(T / HTTP/1.1"), "invalid method"),
        fails("no version, HTTP/0.9", "GET /\r\n", "request line without a version"),
        fails("no version but a space", line("GET / "), "no version behind the one space"),
        fails("lower-case version, RFC 9112 §2.3", line("GET / http/1.1"), "no version behind the one space"),
        fails("version of two digits", line("GET / HTTP/1.10"), "no CRLF after the version"),
        fails("version without a point", line("GET / HTTP/11"), "invalid version"),
        Row("HTTP/1.2", line("GET / HTTP/1.2"), .unsupportedVersion),
        Row("HTTP/2.0 with prior knowledge", "PRI /* HTTP/2.0\r\n\r\nSM\r\n\r\n", .unsupportedVersion),
        Row("HTTP/0.9 spelled out", line("GET / HTTP/0.9"), .unsupportedVersion),
        fails("fragment", line("GET /a#b HTTP/1.1"), "fragment in the request target"),
        fails("fragment in the query", line("GET /a?b#c HTTP/1.1"), "fragment in the request target"),
        fails(
            "raw non-ASCII in the target, RFC 3986 §2", line("GET /é HTTP/1.1"), "invalid byte in the request target"),
        fails("NUL in the target", line("GET /\0 HTTP/1.1"), "invalid byte in the request target"),
        fails("DEL in the query", line("GET /?\u{7f} HTTP/1.1"), "invalid byte in the request target"),
        fails("CONNECT", "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", "CONNECT is not served"),
        fails("* for GET, RFC 9112 §3.2.4", line("GET * HTTP/1.1"), "the target * is for OPTIONS only"),
        fails(
            "more than *", line("OPTIONS *a HTTP/1.1"), "the request target is neither a path nor an http or https URL"),
        fails(
            "* with a query", line("OPTIONS *?a HTTP/1.1"),
            "the request target is neither a path nor an http or https URL"),
        fails(
            "relative target", line("GET a HTTP/1.1"), "the request target is neither a path nor an http or https URL"),
        fails("only a query", line("GET ?a HTTP/1.1"), "empty request target or path"),
        fails(
            "other scheme", line("GET ftp://x/ HTTP/1.1"),
            "the request target is neither a path nor an http or https URL"),
        fails(
            "absolute-form without a host", line("GET http:///a HTTP/1.1"), "invalid authority in the request target"),
        fails(
            "absolute-form with user info, RFC 9110 §4.2.4", line("GET http://x@y/ HTTP/1.1"),
            "invalid authority in the request target"),
        fails(
            "absolute-form against Host", line("GET http://y/ HTTP/1.1"),
            "the request target's authority differs from Host"),
        fails(
            "absolute-form, other port", line("GET http://x:80/ HTTP/1.1"),
            "the request target's authority differs from Host"),
    ]

    @Test(arguments: requestLines) func refusesRequestLines(_ row: Row<HeadError>) {
        #expect(requestOutcome(row.input) == .failed(row.expectation))
    }

    static let hosts: [Row<HeadError>] = [
        fails("none, RFC 9112 §3.2", "GET / HTTP/1.1\r\n\r\n", "no Host"),
        fails("two", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "more than one Host"),
        fails("two equal", "GET / HTTP/1.1\r\nHost: x\r\nhost: x\r\n\r\n", "more than one Host"),
        fails("empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "invalid Host"),
        fails("list", "GET / HTTP/1.1\r\nHost: x, y\r\n\r\n", "invalid Host"),
        fails("path", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", "invalid Host"),
        fails("user info", "GET / HTTP/1.1\r\nHost: a@x\r\n\r\n", "invalid Host"),
        fails("blank", "GET / HTTP/1.1\r\nHost: x y\r\n\r\n", "invalid Host"),
        fails("percent escape", "GET / HTTP/1.1\r\nHost: %78\r\n\r\n", "invalid Host"),
        fails("port that is no number", "GET / HTTP/1.1\r\nHost: x:y\r\n\r\n", "invalid Host"),
        fails("port above 65535", "GET / HTTP/1.1\r\nHost: x:65536\r\n\r\n", "invalid Host"),
        fails("two ports", "GET / HTTP/1.1\r\nHost: x:1:2\r\n\r\n", "invalid Host"),
        fails("only a port", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", "invalid Host"),
        fails("open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "invalid Host"),
        fails("something behind the bracket", "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", "invalid Host"),
        fails("not an address", "GET / HTTP/1.1\r\nHost: [x]\r\n\r\n", "invalid Host"),
        fails("non-ASCII", "GET / HTTP/1.1\r\nHost: é\r\n\r\n", "invalid Host"),
        fails("no Host in absolute-form, RFC 9112 §3.2.2", "GET http://x/ HTTP/1.1\r\n\r\n", "no Host"),
        fails("invalid in HTTP/1.0 too", "GET / HTTP/1.0\r\nHost: a b\r\n\r\n", "invalid Host"),
    ]

    @Test(arguments: hosts) func refusesHosts(_ row: Row<HeadError>) {
        #expect(requestOutcome(row.input) == .failed(row.expectation))
    }

    static let others: [Row<HeadError>] = [
        Row(
            "two credentials, contract \"Fine print\"", field("Authorization: Bearer a\r\nAuthorization: Bearer a"),
            .repeatedAuthorization),
        Row("another expectation, RFC 9110 §10.1.1", field("Expect: 200-ok"), .expectationFailed),
        Row("another expectation beside 100-continue", field("Expect: 100-continue\r\nExpect: x"), .expectationFailed),
        Row("an expectation list", field("Expect: 100-continue, x"), .expectationFailed),
    ]

    @Test(arguments: others) func refusesOthers(_ row: Row<HeadError>) {
        #expect(requestOutcome(row.input) == .failed(row.expectation))
    }
}
