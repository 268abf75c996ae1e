/// How one directive is written.
struct DirectiveRule: Sendable {
    enum Availability: Sendable {
        case now
        /// A later version brings it: known, refused, never ignored.
        case later(instead: String?)
    }

    let name: String
    /// Its arguments, as people write them: `server ADDRESS [weight=N]`.
    let usage: String
    let arguments: ClosedRange<Int>
    let isRepeatable: Bool
    let opensBlock: Bool
    let availability: Availability

    /// `name arguments;`
    static func line(
        _ name: String, _ usage: String, _ arguments: ClosedRange<Int> = 1...1, repeatable: Bool = false
    ) -> DirectiveRule {
        DirectiveRule(
            name: name, usage: "\(name) \(usage);", arguments: arguments, isRepeatable: repeatable, opensBlock: false,
            availability: .now)
    }

    /// `name arguments { … }`
    static func block(
        _ name: String, _ usage: String = "", _ arguments: ClosedRange<Int> = 1...1, repeatable: Bool = false
    ) -> DirectiveRule {
        DirectiveRule(
            name: name, usage: "\(name)\(usage.isEmpty ? "" : " ")\(usage) { … }", arguments: arguments,
            isRepeatable: repeatable, opensBlock: true, availability: .now)
    }

    /// What a later version brings.
    static func later(_ name: String, instead: String? = nil) -> DirectiveRule {
        DirectiveRule(
            name: name, usage: name, arguments: 0...Int.max, isRepeatable: true, opensBlock: false,
            availability: .later(instead: instead))
    }
}
