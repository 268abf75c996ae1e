/// The `introspection` blocks.
struct IntrospectionChecker {
    let context: CheckContext

    /// What they say, without those that had errors.
    func check(_ blocks: [Directive]) -> [Introspection] {
        var names: [String: Word] = [:]
        return blocks.compactMap { block in
            let name = block.arguments[0]
            if !NameSyntax.isIdentifier(name.text) {
                context.error(
                    "'\(name.text.clipped)' is no name for an 'introspection' block", at: name,
                    suggestion: "write letters, digits, '-', '_' and '.'")
            } else if let first = names[name.text] {
                context.error(
                    "a second introspection block '\(name.text)'", at: name,
                    suggestion: "give it another name: the first is at \(first.span.place.text)")
            }
            names[name.text] = name
            return introspection(block)
        }
    }

    private func introspection(_ block: Directive) -> Introspection? {
        let directives = context.known(block.block ?? [], in: .introspection)
        let words = { (name: String) in directives.first { $0.name.text == name }?.arguments }
        for name in ["endpoint", "client"]
        where words(name) == nil && !context.attempts(name, in: block, .introspection) {
            context.error(
                "introspection without '\(name)'", at: block.name,
                suggestion: "add '\(BlockGrammar.introspection.rule(name)?.usage ?? name)'")
        }
        let endpoint = words("endpoint").flatMap { context.remoteURL($0[0], of: "endpoint") }
        let secret = words("client").flatMap(context.clientSecret).map(KeyLoader.withoutLineEnd)
        guard let client = words("client")?[0], let endpoint, let secret else { return nil }
        guard context.isClientName(client) else { return nil }
        var result = Introspection(
            name: block.arguments[0].text, endpoint: endpoint, clientID: client.text, clientSecret: secret)
        if let word = words("cache")?[0] {
            result.cache = context.duration(word, .seconds(1) ... .seconds(3_600)) ?? result.cache
        }
        if let word = words("max_lookups")?[0] {
            result.lookupsAtMost = context.integer(word, 1...64) ?? result.lookupsAtMost
        }
        if let claims = words("user_id_claim") { result.userIDClaims = claims.compactMap(context.nonEmpty) }
        if let word = words("ca")?[0], let trust = context.trust(word) { result.trust = trust }
        return result
    }
}
