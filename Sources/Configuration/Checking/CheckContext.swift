internal import JOSE

/// What the checks of one configuration share: where findings go and where files and variables come from.
/// Confined to the call that loads.
final class CheckContext {
    let diagnostics: DiagnosticCollector
    let files: FileAccess
    let environment: [String: String]
    /// Seconds since 1970, for certificates.
    let now: Int64

    init(diagnostics: DiagnosticCollector, files: FileAccess, environment: [String: String], now: Int64) {
        self.diagnostics = diagnostics
        self.files = files
        self.environment = environment
        self.now = now
    }

    func error(_ message: String, at word: Word, suggestion: String? = nil) {
        diagnostics.error(message, at: word.span, suggestion: suggestion)
    }

    /// The directives of a block that `grammar` knows, written as it wants them, each name once unless it is
    /// repeatable. Everything else was reported.
    func known(_ directives: [Directive], in grammar: BlockGrammar) -> [Directive] {
        var first: [String: Directive] = [:]
        return directives.flatMap { separated($0, in: grammar) }.filter { directive in
            let name = directive.name.text
            guard let rule = rule(for: directive, in: grammar) else { return false }
            if let earlier = first[name], !rule.isRepeatable {
                let place = earlier.name.span.place
                let isHere = earlier.name.span.file === directive.name.span.file
                error(
                    "'\(name)' twice\(grammar.location)", at: directive.name,
                    suggestion: "keep one: the first is \(isHere ? "on line \(place.line)" : "at \(place.text)")")
                return false
            }
            first[name] = directive
            return isWellFormed(directive, rule)
        }
    }

    /// Whether a block says `name`, or misspells it: then that it is missing is no news.
    func attempts(_ name: String, in block: Directive, _ grammar: BlockGrammar) -> Bool {
        let names = (block.block ?? []).map(\.name.text)
        if names.contains(name) { return true }
        guard !diagnostics.isFull else { return true }  // nobody would hear of it
        return names.contains { grammar.rule($0) == nil && meant(by: $0, in: grammar) == name }
    }

    private func meant(by name: String, in grammar: BlockGrammar) -> String? {
        grammar.otherNames[name] ?? Spelling.nearest(to: name, among: grammar.rules.map(\.name))
    }

    private func rule(for directive: Directive, in grammar: BlockGrammar) -> DirectiveRule? {
        let name = directive.name.text
        guard let rule = grammar.rule(name) else {
            error(
                "unknown directive '\(name.clipped)'\(grammar.location)", at: directive.name,
                suggestion: suggestion(for: name, in: grammar))
            return nil
        }
        return rule
    }

    private func suggestion(for name: String, in grammar: BlockGrammar) -> String? {
        if grammar.otherNames[name] == nil, let home = BlockGrammar.all.first(where: { $0.rule(name) != nil }) {
            return home.title.isEmpty ? "it belongs at the top level" : "it belongs in a '\(home.title)' block"
        }
        return diagnostics.isFull ? nil : meant(by: name, in: grammar).map { "did you mean '\($0)'?" }
    }

    private func isWellFormed(_ directive: Directive, _ rule: DirectiveRule) -> Bool {
        if rule.opensBlock, directive.block == nil {
            diagnostics.error("'\(rule.name)' has no block", at: directive.end, suggestion: "write '\(rule.usage)'")
            return false
        }
        if !rule.opensBlock, directive.block != nil {
            error("'\(rule.name)' takes no block", at: directive.name, suggestion: "write '\(rule.usage)'")
            return false
        }
        if directive.arguments.count < rule.arguments.lowerBound {
            let what = directive.arguments.isEmpty ? "a value" : "another value"
            error("'\(rule.name)' needs \(what)", at: directive.name, suggestion: "write '\(rule.usage)'")
            return false
        }
        if directive.arguments.count > rule.arguments.upperBound {
            error(
                "'\(rule.name)' takes no more than \(Self.values(rule.arguments.upperBound))",
                at: directive.arguments[rule.arguments.upperBound], suggestion: "write '\(rule.usage)'")
            return false
        }
        return true
    }

    private static func values(_ count: Int) -> String {
        switch count {
        case 0: "its name"
        case 1: "one value"
        default: "\(count) values"
        }
    }

    /// A directive whose `;` was forgotten swallows the next line: reported, and both are given back.
    private func separated(_ directive: Directive, in grammar: BlockGrammar) -> [Directive] {
        var found: [Directive] = []
        var name = directive.name
        var arguments: [Word] = []
        for word in directive.arguments {
            let previous = arguments.last ?? name
            if !word.isQuoted, word.span.file === previous.span.file, grammar.rule(word.text) != nil,
                word.span.line > previous.span.line
            {
                error(
                    "no ';' after '\(previous.text.clipped)'", at: previous,
                    suggestion: "write '\(previous.text.clipped);'")
                found.append(Directive(name: name, arguments: arguments, block: nil))
                name = word
                arguments = []
            } else {
                arguments.append(word)
            }
        }
        return found + [Directive(name: name, arguments: arguments, block: directive.block)]
    }
}
