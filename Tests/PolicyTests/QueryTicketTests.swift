import HTTP
import Testing

@testable import Policy

struct QueryTicketTests {
    private static let ticket = String(repeating: "t", count: 43)

    /// The parameter and the ticket of a query, "several", or nil.
    private func find(_ query: String) -> [String]? {
        let bytes = Array("/?\(query)#".utf8)
        func text(_ range: ByteRange) -> String { String(decoding: bytes[range.range], as: UTF8.self) }
        switch QueryTicket(in: ByteRange(from: 2, to: bytes.count - 1), of: bytes.span) {
        case .none: return nil
        case .several: return ["several"]
        case .one(let parameter, let ticket): return [text(parameter)] + (ticket.map { [text($0)] } ?? [])
        }
    }

    @Test(arguments: [
        ("token=\(ticket)", ["token=\(ticket)", ticket], "alone"),
        ("a=1&token=\(ticket)&b=2", ["token=\(ticket)", ticket], "among others"),
        ("%74oke%6E=\(ticket)", ["%74oke%6E=\(ticket)", ticket], "an escaped name is the same name upstream"),
        ("token=short", ["token=short"], "not a ticket's form"),
        ("token=\(ticket)x", ["token=\(ticket)x"], "one byte too long"),
        ("token=", ["token="], "empty"),
        ("token", ["token"], "no value at all"),
        ("token=a=b", ["token=a=b"], "the first = ends the name"),
        ("token=\(ticket)&token=x", ["several"], "two: a guess which one counts"),
        ("token&%74oken", ["several"], "two, one of them escaped"),
    ])
    func finds(query: String, expected: [String], why: String) { #expect(find(query) == expected, "\(why)") }

    @Test(arguments: [
        ("", "empty"), ("a=1", "another name"), ("tokens=\(ticket)", "a longer name"),
        ("toke=\(ticket)", "a shorter one"),
        ("Token=\(ticket)", "case matters"), ("a=token=\(ticket)", "within a value"), ("&&", "empty parameters"),
        ("%7=\(ticket)", "a broken escape"), ("%zzoken=\(ticket)", "no escape"), ("=token", "no name"),
    ])
    func findsNone(query: String, why: String) { #expect(find(query) == nil, "\(why)") }
}
