internal import HTTP

/// What a route says of limits, other origins and claims as headers.
struct RoutePolicyChecker {
    let context: CheckContext
    let route: Directive
    /// The directives of the route that are well-formed.
    let content: [Directive]
    /// What it accepts.
    let accept: CredentialKinds
    /// The path's part that names the agent.
    let agentParameter: String?

    /// It is said that the route is for everybody; one whose `accept` is wrong is not.
    private var isPublic: Bool {
        content.first { $0.name.text == "accept" }?.arguments.contains { $0.text == "none" } ?? false
    }

    /// Reads it.
    func check() -> RoutePolicies {
        var policies = RoutePolicies()
        let first = { (name: String) in content.first { $0.name.text == name } }
        if let directive = first("rate_limit") {
            policies.rateLimit = limit(directive, withBurst: true) { (rate, burst) throws(LimitProblem) in
                try RateLimit(rate: rate, burst: burst)
            } subject: {
                $0.subject = $1
            }
        }
        if let directive = first("quota") {
            policies.quota = limit(directive, withBurst: false) { (text, _) throws(LimitProblem) in
                try Quota(text: text)
            } subject: {
                $0.subject = $1
            }
        }
        if let directive = first("cors") {
            policies.cors = CrossOrigin(
                origins: origins(directive.arguments), headers: headers(first("cors_headers")?.arguments ?? []))
        } else if let directive = first("cors_headers"), !context.attempts("cors", in: route, .route) {
            context.error("'cors_headers' without 'cors'", at: directive.name, suggestion: "add 'cors https://…;'")
        }
        policies.injections = injections(content.filter { $0.name.text == "inject" })
        return policies
    }

    // MARK: Limits

    /// `rate_limit RATE [burst=N] [by=SUBJECT]`, `quota COUNT/PERIOD [by=SUBJECT]`
    private func limit<Limit>(
        _ directive: Directive, withBurst: Bool,
        read: (String, String?) throws(LimitProblem) -> Limit, subject: (inout Limit, LimitSubject) -> Void
    ) -> Limit? {
        let words = directive.arguments
        var burst: Word?
        var by: Word?
        for word in words.dropFirst() {
            if word.text.hasPrefix("by="), by == nil {
                by = word
            } else if withBurst, word.text.hasPrefix("burst="), burst == nil {
                burst = word
            } else {
                context.error(
                    "'\(word.text.clipped)' in \(directive.name.text)", at: word,
                    suggestion: "write '\(BlockGrammar.route.rule(directive.name.text)?.usage ?? "")'")
                return nil
            }
        }
        do throws(LimitProblem) {
            var limit = try read(words[0].text, burst?.text)
            subject(&limit, self.subject(by, of: directive))
            return limit
        } catch {
            context.error(
                error.message, at: error.isAboutBurst ? burst ?? words[0] : words[0], suggestion: error.suggestion)
            return nil
        }
    }

    private func subject(_ word: Word?, of directive: Directive) -> LimitSubject {
        guard let word else { return isPublic ? .address : .credential }
        let name = String(word.text.dropFirst(3))
        guard let subject = LimitSubject(rawValue: name) else {
            let names = LimitSubject.allCases.map(\.rawValue)
            context.error(
                "requests cannot be counted by '\(name.clipped)'", at: word,
                suggestion: Spelling.suggestion(for: name, among: names)
                    ?? "there are \(names.map { "by=\($0)" }.joined(separator: ", "))")
            return .credential
        }
        if isPublic, subject != .address {
            context.error(
                "'by=\(name)' on a public route: nobody is known there", at: word, suggestion: "write 'by=address'")
        } else if subject == .agent, agentParameter == nil, !accept.isSubset(of: .apiKey) {
            context.error(
                "'by=agent' on a route where a token has no agent", at: word,
                suggestion: "add 'agent {agent_id};', accept keys only, or count by=user")
        }
        return subject
    }

    // MARK: Other origins

    private func origins(_ words: [Word]) -> [CrossOrigin.Origin] {
        if let all = words.first(where: { $0.text == "*" }), words.count > 1 {
            context.error("'*' beside other origins", at: all, suggestion: "keep it alone, or remove it")
        }
        return words.compactMap(origin)
    }

    private func origin(_ word: Word) -> CrossOrigin.Origin? {
        if word.text == "*" { return .any }
        let text = word.text.lowercased()
        guard let scheme = ["https://", "http://"].first(where: { text.hasPrefix($0) }) else {
            context.error(
                "'\(word.text.clipped)' is no origin", at: word,
                suggestion: "write it with its scheme: 'https://\(word.text.clipped)'")
            return nil
        }
        var host = text.dropFirst(scheme.count)
        if let slash = host.firstIndex(where: { "/?#".contains($0) }) {
            context.error(
                "an origin has no path", at: word, suggestion: "write '\(scheme)\(host[..<slash])'")
            return nil
        }
        let isWildcard = host.hasPrefix("*.")
        if isWildcard { host = host.dropFirst() }
        let name = host.prefix { $0 != ":" }.drop { isWildcard && $0 == "." }
        let port = host.drop { $0 != ":" }.dropFirst()
        let isDefault = port == (scheme == "https://" ? "443" : "80")
        let isPort = port.isEmpty ? !host.hasSuffix(":") : NameSyntax.isPort(port)
        guard NameSyntax.isHostName(String(name)), isPort, !isDefault else {
            context.error(
                "'\(word.text.clipped)' is no origin", at: word,
                suggestion: isDefault
                    ? "leave out ':\(port)': browsers do"
                    : "write one like https://app.example.com or https://*.example.com")
            return nil
        }
        return CrossOrigin.Origin(scheme: scheme, host: String(host), isWildcard: isWildcard)
    }

    private func headers(_ words: [Word]) -> [String] {
        words.compactMap { word in
            if NameSyntax.isFieldName(word.text) { return word.text.lowercased() }
            context.error("'\(word.text.clipped)' is no header name", at: word, suggestion: "write one like X-Page-Id")
            return nil
        }
    }

    // MARK: Claims

    private func injections(_ directives: [Directive]) -> [ClaimInjection] {
        var found: [ClaimInjection] = []
        for directive in directives {
            let words = directive.arguments
            if isPublic {
                context.error(
                    "'inject' on a public route: nobody is known there", at: directive.name,
                    suggestion: "remove it, or accept a credential")
            }
            guard words[1].text == "claim" else {
                context.error(
                    "unknown source '\(words[1].text.clipped)'", at: words[1],
                    suggestion: "write 'inject \(words[0].text.clipped) claim \(words[2].text.clipped);'")
                continue
            }
            guard let name = injectable(words[0]) else { continue }
            if found.contains(where: { HeaderAlias.isAlias(Array($0.name.utf8).span, of: Array(name.utf8)) }) {
                context.error("'\(name)' twice in inject", at: words[0], suggestion: "remove one")
            } else if words[2].text.isEmpty {
                context.error("an empty claim", at: words[2], suggestion: "name a claim of the token")
            } else {
                found.append(ClaimInjection(name: name, claim: words[2].text))
            }
        }
        return found
    }

    private func injectable(_ word: Word) -> String? {
        let bytes = Array(word.text.utf8)
        guard NameSyntax.isFieldName(word.text), bytes.count <= 64 else {
            context.error(
                "'\(word.text.clipped)' is no header name", at: word, suggestion: "write one like X-Tenant")
            return nil
        }
        let dashed = bytes.map { FieldSyntax.isAlphanumeric($0) ? $0 : UInt8(ascii: "-") }
        let id = FieldName(dashed.span)
        guard id.isForbiddenInjection else { return word.text }
        context.error(
            "'\(word.text.clipped)' cannot be injected: it has a meaning of its own, for the request or for the gateway",
            at: word, suggestion: "choose another name, like X-Tenant")
        return nil
    }
}
