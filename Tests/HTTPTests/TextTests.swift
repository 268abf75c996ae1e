import HTTP
import Testing
import Transport

@Suite struct TextTests {
    @Test(arguments: [
        ("plain", "abc", "abc"), ("quote and backslash", "a\"b\\c", #"a\"b\\c"#), ("line ends", "\r\n\t", #"\r\n\t"#),
        ("other control bytes", "\0\u{1f}", #"\u0000\u001f"#), ("DEL stands", "\u{7f}", "\u{7f}"),
        ("UTF-8 stands", "é€😀", "é€😀"), ("slash stands", "/", "/"), ("empty", "", ""),
    ])
    func jsonEscapes(_ name: String, _ input: String, _ expected: String) {
        var output: [UInt8] = []
        JSONText.appendEscaped(input, to: &output)
        #expect(String(decoding: output, as: UTF8.self) == expected)
        let buffer = ByteBuffer(capacity: 16)
        JSONText.appendEscaped(input, to: buffer)
        #expect(buffer.readableCount == output.count)
    }

    @Test(
        arguments: [
            ("stray continuation", [0x61, 0x80, 0x62], #"a\ufffdb"#), ("cut off", [0xe2, 0x82], #"\ufffd\ufffd"#),
            ("overlong", [0xc0, 0xaf], #"\ufffd\ufffd"#), ("surrogate", [0xed, 0xa0, 0x80], #"\ufffd\ufffd\ufffd"#),
            ("above U+10FFFF", [0xf4, 0x90, 0x80, 0x80], #"\ufffd\ufffd\ufffd\ufffd"#),
        ] as [(String, [UInt8], String)])
    func jsonIsValidWhateverTheBytes(_ name: String, _ input: [UInt8], _ expected: String) {
        var output: [UInt8] = []
        JSONText.appendEscaped(input.span, to: &output)
        #expect(String(decoding: output, as: UTF8.self) == expected)
    }

    @Test(
        arguments: [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00Z"),
            (1_705_314_600, "Mon, 15 Jan 2024 10:30:00 GMT", "2024-01-15T10:30:00Z"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT", "2000-02-28T23:59:59Z"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT", "2000-02-29T00:00:00Z"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT", "2100-03-01T00:00:00Z"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT", "1969-12-31T23:59:59Z"),
            (.max, "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59Z"),
            (.min, "Mon, 01 Jan 0001 00:00:00 GMT", "0001-01-01T00:00:00Z"),
        ] as [(Int64, String, String)])
    func dates(_ seconds: Int64, _ http: String, _ iso: String) {
        var output: [UInt8] = [1, 2, 3]
        HTTPDate.format(unixSeconds: seconds, into: &output)
        #expect(String(decoding: output, as: UTF8.self) == http)
        #expect(HTTPDate.iso8601(seconds) == iso)
    }

    @Test(arguments: FieldName.allCases.filter { $0 != .other }) func everyNameIsFound(_ id: FieldName) {
        let lower = "\(id.text)"
        for name in [lower, lower.uppercased()] {
            let bytes = [UInt8](name.utf8)
            #expect(FieldName(bytes.span) == id)
        }
        for near in [String(lower.dropLast()), lower + "x", "x" + lower, lower.replacing("-", with: "_") + "_"] {
            let bytes = [UInt8](near.utf8)
            #expect(FieldName(bytes.span) != id)
        }
    }

    @Test(arguments: [
        ("a", true), ("A-1!~|`^", true), ("", false), ("a b", false), ("a:", false), ("é", false), ("a\0", false),
        ("{", false),
    ])
    func tokens(_ text: String, _ expected: Bool) {
        let bytes = [UInt8](text.utf8)
        #expect(FieldSyntax.isToken(bytes.span) == expected)
    }

    @Test(arguments: [
        ("", true), ("a b\tc", true), ("é", true), (" a", false), ("a\t", false), ("a\r\nb", false), ("\0", false),
        ("\u{7f}", false),
    ])
    func values(_ text: String, _ expected: Bool) {
        let bytes = [UInt8](text.utf8)
        #expect(FieldSyntax.isFieldValue(bytes.span) == expected)
    }

    @Test(arguments: [("a", true), ("!~", true), ("", false), ("a b", false), ("é", false), ("\u{7f}", false)])
    func visible(_ text: String, _ expected: Bool) {
        let bytes = [UInt8](text.utf8)
        #expect(FieldSyntax.isVisibleASCII(bytes.span) == expected)
    }

    @Test(arguments: [
        ("a1-b_c.D", true), (String(repeating: "a", count: 64), true), (String(repeating: "a", count: 65), false),
        ("a:b", false), ("a/b", false), ("a=b", false),
        ("", false), ("a b", false), ("a,b", false), ("\"a\"", false), ("é", false),
    ])
    func requestIDs(_ text: String, _ expected: Bool) {
        let bytes = [UInt8](text.utf8)
        #expect(FieldSyntax.isRequestID(bytes.span) == expected)
    }

    @Test(arguments: HTTP.Method.allCases.filter { $0 != .other }) func everyMethodIsFound(_ method: HTTP.Method) {
        let name = "\(method.name)"
        let exact = [UInt8](name.utf8)
        #expect(HTTP.Method(exact.span) == method)
        for near in [name.lowercased(), name + "S", String(name.dropLast())] {
            let bytes = [UInt8](near.utf8)
            #expect(HTTP.Method(bytes.span) == .other)
        }
    }
}
