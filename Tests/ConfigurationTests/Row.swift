import Testing

/// A configuration and what must be said about it.
struct Row: CustomTestStringConvertible, Sendable {
    /// The rule.
    let name: String
    let config: String
    /// `line:column: severity: message; suggestion`, in order (see `meets`); empty when all is well.
    let findings: [String]
    let why: String

    init(_ name: String, _ config: String, _ findings: [String], why: String) {
        self.name = name
        self.config = config
        self.findings = findings
        self.why = why
    }

    var testDescription: String { name }

    /// `[…]` in an expectation stands for words that other modules choose.
    static func meets(_ found: [String], _ expected: [String]) -> Bool {
        guard found.count == expected.count else { return false }
        return zip(found, expected).allSatisfy { text, pattern in
            var rest = Substring(text)
            let parts = pattern.split(separator: "[…]", omittingEmptySubsequences: false)
            for (index, part) in parts.enumerated() where !part.isEmpty {
                if index == 0, !rest.hasPrefix(part) { return false }
                guard let range = rest.firstRange(of: part) else { return false }
                rest = rest[range.upperBound...]
            }
            return rest.isEmpty || parts.last?.isEmpty == true
        }
    }

    /// A configuration in which only what stands before it can be wrong; starts on the next line.
    static let rest = """

        listen 127.0.0.1:8081 plain;
        jwt local { algorithms HS256; keys secret file:hs256.key; }
        upstream agents { server 127.0.0.1:9000; }
        route /used/ { accept jwt; upstream agents; }
        """
}
