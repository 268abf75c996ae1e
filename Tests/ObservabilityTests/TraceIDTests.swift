import Testing

@testable import Observability

@Suite("A traceparent field")
struct TraceIDTests {
    static let trace = "0af7651916cd43dd8448eb211c80319c"
    static let parent = "b7ad6b7169203331"

    @Test(
        "gives its trace id when it is valid, W3C Trace Context §3.2",
        arguments: [
            ("version 00", "00-\(trace)-\(parent)-01", trace, "the form of today"),
            ("other flags", "00-\(trace)-\(parent)-ff", trace, "flags are any two digits"),
            ("a later version", "01-\(trace)-\(parent)-01", trace, "§3.2.4: the known part is read"),
            ("a later version with more", "cc-\(trace)-\(parent)-01-what-the-future-will-be", trace, "§3.2.4"),
            ("a later version with junk", "cc-\(trace)-\(parent)-01.what", nil, "what follows begins with a dash"),
            ("version 00 with more", "00-\(trace)-\(parent)-01-x", nil, "version 00 has 55 bytes"),
            ("version ff", "ff-\(trace)-\(parent)-01", nil, "§3.2.2.1: invalid"),
            ("upper case", "00-\(trace.uppercased())-\(parent)-01", nil, "§3.2.2: lower case"),
            ("a trace id of zeros", "00-\(String(repeating: "0", count: 32))-\(parent)-01", nil, "§3.2.2.3"),
            ("a parent id of zeros", "00-\(trace)-0000000000000000-01", nil, "§3.2.2.4"),
            (
                "a trace id that begins with zeros", "00-0000000000000000000000000000000a-\(parent)-01",
                "0000000000000000000000000000000a", "they are kept"
            ),
            ("a letter", "00-\(trace.dropLast())g-\(parent)-01", nil, "no digit"),
            ("a byte short", "00-\(trace)-\(parent)-0", nil, "55 bytes"),
            ("other separators", "00_\(trace)_\(parent)_01", nil, "dashes"),
            ("nothing", "", nil, "no field"),
        ] as [(String, String, String?, String)])
    func parses(name: String, value: String, id: String?, why: String) {
        let parsed = TraceID(traceparent: value.utf8.span)
        var hex = LineBuffer(capacity: 32)
        parsed?.appendHex(to: &hex)
        #expect(String(decoding: hex.take(), as: UTF8.self) == id ?? "", "\(name): \(why)")
        #expect((parsed == nil) == (id == nil), "\(name): \(why)")
    }
}
