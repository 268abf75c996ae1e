/// How one directive is written.
struct DirectiveRule: Sendable {
    let name: String
    /// Its arguments, as people write them: `server ADDRESS [weight=N]`.
    let usage: String
    let arguments: ClosedRange<Int>
    let isRepeatable: Bool
    let opensBlock: Bool

    /// `name arguments;`
    static func line(
        _ name: String, _ usage: String, _ arguments: ClosedRange<Int> = 1...1, repeatable: Bool = false
    ) -> DirectiveRule {
        DirectiveRule(
            name: name, usage: "\(name) \(usage);", arguments: arguments, isRepeatable: repeatable, opensBlock: false)
    }

    /// `name arguments { … }`
    static func block(
        _ name: String, _ usage: String = "", _ arguments: ClosedRange<Int> = 1...1, repeatable: Bool = false
    ) -> DirectiveRule {
        DirectiveRule(
            name: name, usage: "\(name)\(usage.isEmpty ? "" : " ")\(usage) { … }", arguments: arguments,
            isRepeatable: repeatable, opensBlock: true)
    }
}
