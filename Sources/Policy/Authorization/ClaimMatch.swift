import JOSE

extension ClaimRequirement {
    /// Whether the claim holds one of the values, byte for byte. Allocates nothing, since it is asked on every request.
    ///
    /// A string is one value, but `scope` and `scp` are words between spaces (RFC 8693 §4.2); an array holds each of its
    /// members; an integer or a boolean is its JSON text. An absent claim, an object and a fraction hold nothing.
    func isMet(by claims: JSONObject) -> Bool {
        switch claims[claim] {
        case .string(let text) where isScope: values.contains { hasWord(text, $0) }
        case .array(let members): members.contains { isMet(by: $0) }
        case .some(let value): isMet(by: value)
        case nil: false
        }
    }

    /// The claim is an OAuth scope, so what is required can stand in `WWW-Authenticate` (RFC 6750 §3).
    var isScope: Bool { claim == "scope" || claim == "scp" }

    /// For people: `scope query`, `role admin owner`.
    var text: String { ([claim] + values).joined(separator: " ") }

    private func isMet(by value: JSONValue) -> Bool {
        switch value {
        case .string(let text): values.contains { text.hasSameBytes(as: $0) }
        case .integer(let number): values.contains { $0 == String(number) }
        case .bool(let flag): values.contains { $0 == (flag ? "true" : "false") }
        case .null, .number, .array, .object: false
        }
    }

    private func hasWord(_ text: String, _ word: String) -> Bool {
        let space = UInt8(ascii: " ")
        var rest = text.utf8[...]
        while !rest.isEmpty {
            let end = rest.firstIndex(of: space) ?? rest.endIndex
            if rest[..<end].elementsEqual(word.utf8) { return !word.isEmpty }
            rest = rest[end...].dropFirst()
        }
        return false
    }
}
