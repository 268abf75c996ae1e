import HTTP
import Testing

@testable import Policy

struct PathNormalizerTests {
    @Test(
        arguments: [
            ("/", "/", "the root"),
            ("", "/", "an empty path is the root, RFC 9110 §4.2.3"),
            ("/api/agents/7/query/", "/api/agents/7/query/", "nothing to do"),
            ("/api/agents", "/api/agents", "no slash is invented"),
            ("/public/../api", "/api", "threats: dot segments are removed before anything is decided"),
            ("/public/%2e%2e/api", "/api", "threats: escaped dots are dots"),
            ("/public/%2E%2E/api", "/api", "threats: in upper case too"),
            ("/public/.%2e/api", "/api", "half escaped"),
            ("/a//b", "/a/b", "threats: doubled slashes are one"),
            ("//a", "/a", "at the beginning"),
            ("///", "/", "only slashes"),
            ("/a/./b", "/a/b", "threats: a single dot is nothing"),
            ("/./", "/", "threats: only a dot"),
            ("/%61pi", "/api", "threats: unreserved bytes are decoded"),
            ("/%7euser/%2D%5F%2e7", "/~user/-_.7", "all four marks"),
            ("/a%3Ab", "/a%3Ab", "report 12: reserved bytes keep their escape"),
            ("/a%3ab", "/a%3Ab", "threats: upper-case digits, RFC 3986 §6.2.2.1"),
            ("/api/a%2520b", "/api/a%2520b", "report 12: decoded once"),
            ("/%252e%252e/", "/%252e%252e/", "threats: double encoding stays"),
            ("/api/caf%C3%A9", "/api/caf%C3%A9", "report 12: UTF-8 stays escaped"),
            ("/api/caf%c3%a9", "/api/caf%C3%A9", "with upper-case digits"),
            ("/%E2%82%AC/%F0%9F%98%80", "/%E2%82%AC/%F0%9F%98%80", "three and four bytes"),
            ("/..", "/", "RFC 3986 §5.2.4: nothing is above the root"),
            ("/../../etc/passwd", "/etc/passwd", "however often"),
            ("/a/..", "/", "the last segment"),
            ("/a/b/..", "/a/", "leaves the parent with its slash"),
            ("/a/b/.", "/a/b/", "a last dot leaves the slash"),
            ("/a/b/../../c", "/c", "two at once"),
            ("/a/b/c/../../d/./e/..", "/a/d/", "mixed"),
            ("/a//../b", "/b", "a doubled slash is no segment that .. could remove"),
            ("/a/%2e%2e/%2e%2e/b", "/b", "escaped above the root"),
            ("/.well-known/jwks.json", "/.well-known/jwks.json", "a name with a dot is no dot segment"),
            ("/...", "/...", "three dots are a name"),
            ("/..a/.b./a..", "/..a/.b./a..", "dots in names"),
            ("/api.", "/api.", "threats: a trailing dot is part of the name"),
            ("/a;b=c/d;", "/a;b=c/d;", "parameters of other segments stay"),
            ("/a%20b", "/a%20b", "a blank stays escaped"),
            ("/!$&'()*+,;=:@", "/!$&'()*+,;=:@", "sub-delimiters as they are"),
            ("/a|b\"c[d]", "/a%7Cb%22c%5Bd%5D", "what no URI may have is escaped: one form for both spellings"),
            ("/a%7cb%22c%5bd%5d", "/a%7Cb%22c%5Bd%5D", "the other spelling"),
            ("/API/", "/API/", "threats: case matters"),
        ])
    func normalizes(path: String, expected: String, why: String) throws {
        #expect(try normalized(path).get() == expected, "\(why)")
        #expect(try normalized(expected).get() == expected, "normalising again changes nothing")
    }

    @Test(arguments: [
        ("/a%2fb", PathError.encodedSeparator, "threats: an encoded slash"),
        ("/a%2Fb", .encodedSeparator, "in upper case"),
        ("/%2f%2e%2e", .encodedSeparator, "before dots"),
        ("/a%5cb", .encodedSeparator, "threats: an encoded backslash"),
        ("/a\\b", .backslash, "threats: a backslash"),
        ("/..\\x", .backslash, "behind dots"),
        ("/a%00", .controlByte, "threats: NUL"),
        ("/a%0d%0aX", .controlByte, "threats: a line break"),
        ("/a%1f", .controlByte, "the last control byte"),
        ("/a%7f", .controlByte, "DEL"),
        ("/a\u{7f}", .controlByte, "DEL, raw"),
        ("/a b", .controlByte, "a raw blank"),
        ("/a\tb", .controlByte, "a tab"),
        ("/a%", .invalidEscape, "threats: an escape without digits"),
        ("/a%2", .invalidEscape, "with one digit"),
        ("/a%zz", .invalidEscape, "with letters that are none"),
        ("/a%u002f", .invalidEscape, "IIS's %u"),
        ("/a%2/b", .invalidEscape, "cut off by a slash"),
        ("/a%%32%65", .invalidEscape, "an escaped escape"),
        ("/caf\u{e9}", .rawNonASCII, "raw bytes beyond ASCII"),
        ("/..;/admin", .dotSegmentParameter, "threats: ..;"),
        ("/a/..;x=1/b", .dotSegmentParameter, "with a parameter"),
        ("/.;/a", .dotSegmentParameter, "a single dot"),
        ("/a/.;x", .dotSegmentParameter, "at the end"),
        ("/%2e%2e;/a", .dotSegmentParameter, "with escaped dots"),
        ("/..%3b/a", .dotSegmentParameter, "with an escaped semicolon"),
        ("/..%3B/a", .dotSegmentParameter, "in upper case"),
        ("/a%c0%af", .invalidUTF8, "threats: overlong /"),
        ("/%c0%ae%c0%ae/", .invalidUTF8, "threats: overlong dots"),
        ("/%e0%80%af", .invalidUTF8, "overlong in three bytes"),
        ("/%f0%80%80%af", .invalidUTF8, "overlong in four bytes"),
        ("/%fc%80%80%80%80%af", .invalidUTF8, "six bytes were never UTF-8 of RFC 3629"),
        ("/%ed%a0%80", .invalidUTF8, "a surrogate"),
        ("/%f4%90%80%80", .invalidUTF8, "beyond U+10FFFF"),
        ("/%c3", .invalidUTF8, "cut off by the end"),
        ("/%c3/%a9", .invalidUTF8, "cut off by a slash"),
        ("/%c3a", .invalidUTF8, "cut off by a letter"),
        ("/%c3%61", .invalidUTF8, "cut off by an escaped letter"),
        ("/%a9", .invalidUTF8, "a continuation byte alone"),
        ("/%ff", .invalidUTF8, "never a UTF-8 byte"),
        ("/a#b", .delimiter, "threats: a fragment"),
        ("/a?b", .delimiter, "a query is no part of the path"),
        ("api", .notAbsolute, "no slash"),
        ("*", .notAbsolute, "asterisk-form"),
        ("%2fapi", .notAbsolute, "an escape is no slash"),
    ])
    func refuses(path: String, expected: PathError, why: String) {
        #expect(normalized(path) == .failure(expected), "\(why)")
        #expect(expected.refusal.status == 400)
    }

    @Test func rawOverlongBytesAreRefused() {
        #expect(normalized([0x2f, 0xc0, 0xaf]) == .failure(.rawNonASCII))
    }

    @Test func everyByteRawAndEscapedHasOneForm() throws {
        let unreserved = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
        let delimiters = Set("!$&'()*+,;=:@".utf8)
        for byte in UInt8(0x21)..<0x7f where !Array("/\\#?%".utf8).contains(byte) {
            let digits = String(byte, radix: 16, uppercase: true)
            let raw = try normalized(Array("/x".utf8) + [byte]).get()
            let escaped = try normalized("/x%\(digits)").get()
            let character = String(UnicodeScalar(byte))
            #expect(raw == (unreserved.union(delimiters).contains(byte) ? "/x\(character)" : "/x%\(digits)"))
            #expect(escaped == (unreserved.contains(byte) ? "/x\(character)" : "/x%\(digits)"))
        }
    }

    @Test func theShortWayAgreesWithTheLongOne() {
        // Every path of up to six bytes over what matters, also across the edge of the words that the short way reads.
        let alphabet = Array("/.a;%".utf8)
        var paths: [[UInt8]] = [[0x2f]]
        for _ in 0..<5 {
            paths = paths.flatMap { path in alphabet.map { path + [$0] } }
            for beginning in ["", "/abcd", "/abcdef"] {
                for path in paths { check(Array(beginning.utf8) + path) }
            }
        }
    }

    private func check(_ path: [UInt8]) {
        let text = String(decoding: path, as: UTF8.self)
        if PathNormalizer.isNormal(path.span) {
            let segments = text.split(separator: "/")
            let isDotted = segments.contains { $0 == "." || $0 == ".." || $0.hasPrefix(".;") || $0.hasPrefix("..;") }
            if text.contains("//") || text.contains("%") || isDotted { Issue.record("\(text) is not normal") }
        }
        if case .success(let normal) = normalized(path), normalized(normal) != .success(normal) {
            Issue.record("\(text) has no stable form")
        }
    }
}
