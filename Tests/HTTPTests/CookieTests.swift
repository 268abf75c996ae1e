import Testing

@testable import HTTP

@Suite("Cookies of a request, by name")
struct CookieTests {
    @Test(arguments: [
        ("Cookie: a=1", "1", "the plain case"), ("Cookie: b=2; a=1; c=3", "1", "among others"),
        ("Cookie: a=1;b=2", "1", "without the blank"), ("Cookie: \t a=1 \t;;; b=2", "1", "blanks and empty pairs"),
        ("Cookie: b=2\r\nCookie: a=1", "1", "lines count together"), ("Cookie: a=", "", "an empty value"),
        ("Cookie: a=x=y", "x=y", "only the first = ends the name"), ("Cookie: a=\"1\"", "\"1\"", "as sent"),
        ("Cookie: a=1; a=1", "several", "twice, even with one value"),
        ("Cookie: a=1\r\nCookie: a=2", "several", "twice in two lines"),
        ("Cookie: A=1", "none", "names have a case"), ("Cookie: aa=1; xa=1; a", "none", "whole names, with a value"),
        ("Cookie: a =1", "none", "a blank belongs to the name"), ("Cookie:", "none", "nothing"),
        ("X-Cookie: a=1", "none", "another field"),
    ])
    func find(lines: String, expected: String, why: String) {
        let bytes = Array("GET / HTTP/1.1\r\nHost: h\r\n\(lines)\r\n\r\n".utf8)
        var (parser, head) = (RequestHeadParser(limits: HeadLimits()), RequestHead())
        guard case .complete = parser.parse(bytes.span, into: &head) else {
            Issue.record("no head")
            return
        }
        let found =
            switch head.cookie([UInt8(ascii: "a")], in: bytes.span) {
            case .none: "none"
            case .several: "several"
            case .one(let range): String(decoding: bytes[range], as: UTF8.self)
            }
        #expect(found == expected, "\(why)")
    }
}
