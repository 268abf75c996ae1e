import JOSE
import Testing

@Suite struct JSONReaderTests {
    private func parse(_ bytes: [UInt8]) throws(JSONError) -> JSONValue { try JSONReader.parse(bytes.span) }

    @Test(arguments: [
        ("null", JSONValue.null, ""), (" true ", .bool(true), "white space around"), ("false", .bool(false), ""),
        ("0", .integer(0), ""), ("-1", .integer(-1), ""),
        ("9007199254740993", .integer(9_007_199_254_740_993), "beyond a double's 2^53, exact"),
        ("9223372036854775807", .integer(.max), "the largest"), ("-9223372036854775808", .integer(.min), "the least"),
        ("1.0", .number(1), "not an integer: it has a point"), ("1e3", .number(1000), "not an integer"),
        ("-0", .number(-0.0), "not an integer: the digits would be lost"), ("1.5E-1", .number(0.15), ""),
        (#""""#, .string(""), ""), (#""a\"\\\/\b\f\n\r\t""#, .string("a\"\\/\u{8}\u{C}\n\r\t"), "all short escapes"),
        (#""\u00e9\uD83D\uDE00""#, .string("é😀"), "a surrogate pair"), ("\"é😀\"", .string("é😀"), "raw UTF-8"),
        ("[]", .array([]), ""), ("[1, [2]]", .array([.integer(1), .array([.integer(2)])]), ""),
        ("{}", .object([:]), ""),
        ("{\"a\" : {\"a\":1}, \"b\":[ ] }", .object(["a": .object(["a": .integer(1)]), "b": .array([])]), "nesting"),
    ])
    func `what is JSON is read`(text: String, value: JSONValue, why: String) throws {
        #expect(try parse([UInt8](text.utf8)) == value, "\(why)")
    }

    @Test(arguments: [
        ("", JSONError.Reason.syntax, "nothing"), (" ", .syntax, "only white space"),
        ("{} x", .syntax, "something behind"),
        ("{}{}", .syntax, "two values"), ("nul", .syntax, "cut short"), ("True", .syntax, "case"),
        ("NaN", .syntax, ""), ("Infinity", .syntax, ""), ("+1", .syntax, ""), ("01", .syntax, "leading zero"),
        ("-", .syntax, ""), ("-01", .syntax, ""), ("1.", .syntax, ""), (".5", .syntax, ""), ("1e", .syntax, ""),
        ("1e+", .syntax, ""), ("0x10", .syntax, ""), ("1_000", .syntax, ""), ("[1,]", .syntax, "trailing comma"),
        ("[,1]", .syntax, ""), ("[1 2]", .syntax, ""), ("{\"a\":1,}", .syntax, "trailing comma"),
        ("{a:1}", .syntax, "name without quotes"), ("{'a':1}", .syntax, "single quotes"), ("{\"a\" 1}", .syntax, ""),
        ("{\"a\":}", .syntax, ""), ("{1:1}", .syntax, "name that is no string"), ("[", .syntax, ""), ("{", .syntax, ""),
        ("\"a", .syntax, "no end"), ("\"\\", .syntax, "no end"), (#""\x41""#, .syntax, "unknown escape"),
        (#""\u12""#, .syntax, "short escape"), (#""\u12G4""#, .syntax, "not hex"), ("\"\n\"", .syntax, "raw control"),
        ("\"\u{0}\"", .syntax, "raw NUL"), (#""\u0000""#, .text, "escaped NUL"), (#""\ud800""#, .text, "lone high"),
        (#""\udc00""#, .text, "lone low"), (#""\ud800\u0041""#, .text, "high without low"),
        (#""\ud800x""#, .text, "high without escape"), (#""\ud83d\ud83d""#, .text, "two highs"),
        ("/**/1", .syntax, "comment"), ("\u{FEFF}1", .syntax, "byte order mark"),
        ("\u{A0}1", .syntax, "not white space"),
        (#"{"a":1,"a":2}"#, .duplicateMember, "twice"), (#"{"a":1,"\u0061":2}"#, .duplicateMember, "once escaped"),
        (#"{"b":{"a":1,"a":1}}"#, .duplicateMember, "inside"), ("9223372036854775808", .numberRange, "2^63"),
        ("-9223372036854775809", .numberRange, ""), ("1" + String(repeating: "0", count: 40), .numberRange, "10^40"),
        ("1e400", .numberRange, ""), ("-1e400", .numberRange, ""),
    ])
    func `what is not, or is ambiguous, is refused`(text: String, reason: JSONError.Reason, why: String) {
        #expect("\(why)") { _ = try parse([UInt8](text.utf8)) } throws: { ($0 as? JSONError)?.reason == reason }
    }

    @Test(
        arguments: [
            ([0x80], "a lone continuation"), ([0xC3], "cut short"), ([0xC0, 0x80], "overlong NUL"),
            ([0xC1, 0xA1], "overlong"),
            ([0xE0, 0x80, 0xAF], "overlong"), ([0xED, 0xA0, 0x80], "a surrogate"),
            ([0xF4, 0x90, 0x80, 0x80], "beyond U+10FFFF"),
            ([0xFF], "never a byte of UTF-8"),
        ] as [([UInt8], String)])
    func `text that is not UTF-8 is refused`(bytes: [UInt8], why: String) {
        for text in [[0x22] + bytes + [0x22], [0x22, 0x5C, 0x6E] + bytes + [0x22]] {
            #expect("\(why)") { _ = try parse(text) } throws: { ($0 as? JSONError)?.reason == .text }
        }
    }

    @Test func `nesting is bounded at sixteen`() throws {
        let deep = { (depth: Int) in
            [UInt8]((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
        }
        _ = try parse(deep(16))
        #expect { _ = try parse(deep(17)) } throws: { ($0 as? JSONError)?.reason == .tooDeep }
        #expect { _ = try parse([UInt8](repeating: UInt8(ascii: "["), count: 100_000)) } throws: {
            ($0 as? JSONError)?.reason == .tooDeep
        }
    }

    @Test func `size is bounded`() {
        let text = [UInt8]("[1, 2, 3]".utf8)
        #expect { _ = try JSONReader.parse(text.span, maximumSize: 8) } throws: {
            ($0 as? JSONError)?.reason == .tooLarge
        }
    }

    @Test(arguments: [10, 100, 3000])
    func `duplicates are found in small and large objects`(count: Int) throws {
        let members = (0..<count).map { "\"name\($0)\":\($0)" }
        let object = try parse([UInt8]("{\(members.joined(separator: ","))}".utf8)).object
        #expect(object?.members.count == count)
        let twice = [UInt8]("{\(members.joined(separator: ",")),\"name\(count / 2)\":0}".utf8)
        #expect { _ = try parse(twice) } throws: { ($0 as? JSONError)?.reason == .duplicateMember }
    }

    @Test func `names are told apart by bytes, not by canonical equivalence`() throws {
        // U+212A KELVIN SIGN is canonically equivalent to K, and to Swift's ==.
        let object = try #require(try parse([UInt8](#"{"\#u{212A}id":1,"Kid":2}"#.utf8)).object)
        #expect(object["Kid"] == .integer(2))
        #expect(object["\u{212A}id"] == .integer(1))
        #expect(try parse([UInt8](#"{"\#u{212A}id":1}"#.utf8)).object?["Kid"] == nil)
    }

    @Test func `what is written is read back`() throws {
        let object: JSONObject = [
            "text": .string("a\"\\\n\u{1}é😀"), "list": .array([.null, .bool(true), .integer(.min), .number(1.5)]),
            "inner": .object(["a": .string("")]),
        ]
        #expect(try parse(JSONWriter.encode(object)) == .object(object))
        #expect(String(decoding: JSONWriter.encode(["a": .string("\n")]), as: UTF8.self) == #"{"a":"\u000a"}"#)
    }
}
