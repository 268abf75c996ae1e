internal import JOSE

/// The `identity` and `api_keys` blocks and `console`: what the gateway serves itself.
struct OwnPathsChecker {
    let context: CheckContext

    /// Enters what the directives of the top level say of it.
    func check(_ directives: [Directive], into result: inout Configuration) {
        let first = { (name: String) in directives.first { $0.name.text == name } }
        if let block = first("identity"), let identity = IdentityChecker(context: context).check(block) {
            result.identity = identity
            result.issuers.append(identity.issuer(of: "access"))
            result.signing.append(SigningMaterial(issuer: IdentitySettings.issuerName, key: identity.signing[0]))
        }
        if let block = first("api_keys") {
            let (endpoints, prefix) = keys(block, upstreams: directives.filter { $0.name.text == "upstream" })
            result.keyEndpoints = endpoints
            if let prefix {
                if let other = first("key_prefix") {
                    context.error(
                        "'prefix' beside 'key_prefix'", at: prefix,
                        suggestion: "keep one: the other is on line \(other.name.span.place.line)")
                }
                if let text = SettingsChecker(context: context).keyPrefix(prefix) { result.keyPrefix = text }
            }
        }
        if let console = first("console") {
            result.console = context.ownPath(console.arguments[0], of: "console")
            for name in ["identity", "api_keys"] where first(name) == nil {
                context.error(
                    "'console' without '\(name)': the page would have nothing to talk to", at: console.name,
                    suggestion: "add '\(BlockGrammar.top.rule(name)?.usage ?? name)', or remove this")
            }
        }
        reportOverlap(["identity", "api_keys", "console"].compactMap(first))
    }

    /// Two of the gateway's own paths must not be one below the other: which answers would be a guess.
    private func reportOverlap(_ directives: [Directive]) {
        for (index, directive) in directives.enumerated() {
            let word = directive.arguments[0]
            for earlier in directives[..<index]
            where word.text.hasPrefix(earlier.arguments[0].text) || earlier.arguments[0].text.hasPrefix(word.text) {
                context.error(
                    "'\(directive.name.text)' and '\(earlier.name.text)' share the path '\(word.text.clipped)'",
                    at: word,
                    suggestion: "give each a path of its own")
            }
        }
    }

    /// The endpoints, and the prefix of keys where the block says one.
    func keys(_ block: Directive, upstreams: [Directive]) -> (endpoints: KeyEndpoints?, prefix: Word?) {
        let directives = context.known(block.block ?? [], in: .apiKeys)
        let prefix = directives.first { $0.name.text == "prefix" }?.arguments[0]
        let pattern = context.agentPath(block.arguments[0], final: true)
        guard let check = directives.first(where: { $0.name.text == "owner_check" }) else {
            if !context.attempts("owner_check", in: block, .apiKeys) {
                context.error(
                    "api_keys without 'owner_check': nobody could tell whose agent it is", at: block.name,
                    suggestion: "add 'owner_check UPSTREAM GET /api/agents/{agent_id}/;'")
            }
            return (nil, prefix)
        }
        let ownerCheck = ownerCheck(check.arguments, upstreams)
        guard let pattern, let ownerCheck else { return (nil, prefix) }
        return (KeyEndpoints(pattern: pattern, ownerCheck: ownerCheck), prefix)
    }

    private func ownerCheck(_ words: [Word], _ upstreams: [Directive]) -> OwnerCheck? {
        let upstream = context.upstream(words[0], among: upstreams)
        let method: String? = context.choice(words[1], ["GET": "GET", "HEAD": "HEAD"])
        let pattern = context.agentPath(words[2], final: false)
        guard let upstream, let method, let pattern else { return nil }
        return OwnerCheck(upstream: upstream, method: method, pattern: pattern)
    }
}
