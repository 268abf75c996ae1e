/// The `accept` directive of a route, and what has to agree with it.
struct AcceptChecker {
    let context: CheckContext
    let verifiesTokens: Bool
    let introspects: Bool

    /// What passes; empty for a public route (and when there were errors).
    func check(_ words: [Word]?, of route: Directive, pattern: PathPattern?, content: [Directive]) -> CredentialKinds {
        guard let words else {
            if !context.attempts("accept", in: route, .route) {
                context.error(
                    "route without 'accept'", at: route.name,
                    suggestion: "add 'accept jwt;' or 'accept api_key;', or 'accept none;' to make it public")
            }
            return []
        }
        var seen: Set<String> = []
        var kinds: CredentialKinds = []
        for word in words {
            guard seen.insert(word.text).inserted else {
                context.error("'\(word.text.clipped)' twice in accept", at: word, suggestion: "remove one")
                continue
            }
            kinds.formUnion(kind(word))
        }
        if let none = words.first(where: { $0.text == "none" }) { checkPublic(none, words, content) }
        if let word = words.first(where: { $0.text == "api_key" }) { checkAgent(word, of: route, pattern) }
        return kinds
    }

    private func kind(_ word: Word) -> CredentialKinds {
        switch word.text {
        case "none": return []
        case "api_key": return .apiKey
        case "jwt":
            if !verifiesTokens {
                context.error(
                    "'accept jwt', but nothing here verifies tokens", at: word,
                    suggestion: "add 'identity /api/auth/ { sign …; }' or 'jwt NAME { algorithms …; keys …; }'")
            }
            return .jwt
        case "opaque":
            if !introspects {
                context.error(
                    "'accept opaque', but nothing here asks about such tokens", at: word,
                    suggestion: "add 'introspection NAME { endpoint https://…; client NAME file:secret; }'")
            }
            return .opaque
        default:
            let others = ["key": "api_key", "apikey": "api_key", "token": "jwt", "bearer": "jwt", "public": "none"]
            context.error(
                "unknown credential '\(word.text.clipped)'", at: word,
                suggestion: others[word.text.lowercased()].map { "did you mean '\($0)'?" }
                    ?? Spelling.suggestion(for: word.text, among: ["jwt", "api_key", "none", "opaque"])
                    ?? "there are 'jwt', 'api_key', 'opaque' and 'none'")
            return []
        }
    }

    private func checkPublic(_ none: Word, _ words: [Word], _ content: [Directive]) {
        if words.contains(where: { $0.text != "none" }) {
            context.error(
                "'accept none' beside other credentials", at: none,
                suggestion: "write 'accept none;' alone for a public route, or remove 'none'")
            return
        }
        for directive in content where ["require", "agent"].contains(directive.name.text) {
            context.error(
                "'\(directive.name.text)' on a public route: nobody is known there", at: directive.name,
                suggestion: "remove it, or accept a credential")
        }
    }

    /// Without it a key would open every agent's path.
    private func checkAgent(_ word: Word, of route: Directive, _ pattern: PathPattern?) {
        guard let pattern, pattern.parameters.contains("agent_id"),
            !context.attempts("agent", in: route, .route)
        else { return }
        context.error(
            "'accept api_key' with {agent_id} in the path but no 'agent': a key would open every agent's", at: word,
            suggestion: "add 'agent {agent_id};'")
    }
}
