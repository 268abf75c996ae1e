internal import JOSE

/// The `jwt` blocks.
struct IssuerChecker {
    let context: CheckContext

    /// What the blocks come to.
    struct Found {
        var issuers: [TokenIssuer] = []
        /// What can sign in their names.
        var signing: [SigningMaterial] = []
        var remote: [RemoteKeys] = []
    }

    /// The issuers, what can sign in their names, and whose keys are fetched.
    func check(_ blocks: [Directive]) -> Found {
        var found = Found()
        var names: [String: Word] = [:]
        for block in blocks {
            let name = block.arguments[0]
            if !NameSyntax.isIdentifier(name.text) {
                context.error(
                    "'\(name.text.clipped)' is no name for a 'jwt' block", at: name,
                    suggestion: "write letters, digits, '-', '_' and '.'")
            } else if let first = names[name.text] {
                context.error(
                    "a second jwt block '\(name.text)'", at: name,
                    suggestion: "give it another name: the first is at \(first.span.place.text)")
            }
            names[name.text] = name
            add(block, to: &found)
        }
        return found
    }

    private func add(_ block: Directive, to found: inout Found) {
        let name = block.arguments[0].text
        var issuer: String?
        var audience: [String] = []
        var userIDClaims = ["user_id", "sub"]
        var requirements: [ClaimRequirement] = []
        var leeway: Int64 = 30
        let directives = context.known(block.block ?? [], in: .jwt)
        for directive in directives {
            let words = directive.arguments
            switch directive.name.text {
            case "issuer": issuer = context.nonEmpty(words[0])
            case "audience": audience = words.compactMap(context.nonEmpty)
            case "user_id_claim": userIDClaims = words.compactMap(context.nonEmpty)
            case "require": if let one = context.requirement(words) { requirements.append(one) }
            case "leeway":
                leeway = context.duration(words[0], .zero ... .seconds(3600))?.components.seconds ?? leeway
            default: break
            }
        }
        let algorithms = algorithms(directives, in: block)
        var loaded = KeyLoader.Loaded(areNamed: true)
        if let discover = directives.first(where: { $0.name.text == "discover" }) {
            loaded.remote = discovery(discover, beside: directives)
            issuer = discover.arguments[0].text
            KeyLoader(context: context, issuer: name).suitable(algorithms, symmetric: false)
        } else {
            loaded = KeyLoader(context: context, issuer: name).load(directives, in: block, algorithms: algorithms)
        }
        if let remote = remote(loaded.remote, directives, in: block, index: found.issuers.count) {
            found.remote.append(remote)
        }
        found.issuers.append(
            TokenIssuer(
                name: name, issuer: issuer, audience: audience, algorithms: algorithms.map(\.algorithm),
                keys: loaded.keys, keysAreNamed: loaded.areNamed, keysAreRemote: loaded.remote != nil,
                userIDClaims: userIDClaims, requirements: requirements, leeway: leeway))
        found.signing += loaded.signing
    }

    private func discovery(_ discover: Directive, beside directives: [Directive]) -> RemoteKeys.Location? {
        for other in directives where ["issuer", "keys"].contains(other.name.text) {
            context.error(
                "'\(other.name.text)' beside 'discover', whose metadata names it", at: other.name,
                suggestion: "keep one of the two")
        }
        let word = discover.arguments[0]
        guard let url = context.remoteURL(word, of: "discover") else { return nil }
        let text = word.text
        if let place = text.indices.first(where: { text[$0...].hasPrefix("/.well-known/") }) {
            context.error(
                "'discover' takes the issuer, not the place of its metadata", at: word,
                suggestion: "write '\(text[..<place])'")
            return nil
        }
        guard !word.text.contains("?") else {
            context.error("an issuer has no query", at: word, suggestion: "remove what begins with '?'")
            return nil
        }
        return .issuer(url)
    }

    /// What the block says of keys that are fetched.
    private func remote(
        _ location: RemoteKeys.Location?, _ directives: [Directive], in block: Directive, index: Int
    ) -> RemoteKeys? {
        let fetching = directives.filter { ["refresh", "stale", "ca"].contains($0.name.text) }
        guard let location else {
            let attempts =
                context.attempts("discover", in: block, .jwt) || directives.contains { $0.name.text == "discover" }
                || ((block.block ?? []) + directives).contains {
                    $0.arguments.first?.text.hasPrefix("jwks:https:") ?? false
                }
            for directive in fetching where !attempts {
                context.error(
                    "'\(directive.name.text)' without keys that are fetched", at: directive.name,
                    suggestion: "write 'discover https://…;' or 'keys jwks:https://…;', or remove it")
            }
            return nil
        }
        var result = RemoteKeys(issuerIndex: index, location: location)
        for directive in fetching {
            let word = directive.arguments[0]
            switch directive.name.text {
            case "refresh":
                result.refresh = context.duration(word, .seconds(60) ... .seconds(86_400)) ?? result.refresh
            case "stale":
                result.stale = context.duration(word, .zero ... .seconds(30 * 86_400)) ?? result.stale
            default: if let trust = context.trust(word) { result.trust = trust }
            }
        }
        return result
    }

    private func algorithms(_ directives: [Directive], in block: Directive) -> [NamedAlgorithm] {
        guard let directive = directives.first(where: { $0.name.text == "algorithms" }) else {
            if !context.attempts("algorithms", in: block, .jwt) {
                context.error(
                    "jwt without 'algorithms': nothing would be accepted", at: block.name,
                    suggestion: "add 'algorithms RS256;' with what the issuer signs with")
            }
            return []
        }
        var found: [NamedAlgorithm] = []
        for word in directive.arguments {
            guard let algorithm = SignatureAlgorithm(rawValue: word.text) else {
                let names = SignatureAlgorithm.allCases.map(\.rawValue)
                if word.text.lowercased() == "none" {
                    context.error(
                        "algorithm 'none' would accept tokens that nobody signed", at: word,
                        suggestion: "name what the issuer signs with: \(names.joined(separator: ", "))")
                } else {
                    context.error(
                        "unknown algorithm '\(word.text.clipped)'", at: word,
                        suggestion: Spelling.suggestion(for: word.text, among: names)
                            ?? "there are \(names.joined(separator: ", "))")
                }
                continue
            }
            if found.contains(where: { $0.algorithm == algorithm }) {
                context.error("algorithm '\(word.text)' twice", at: word, suggestion: "remove one")
            } else {
                found.append(NamedAlgorithm(algorithm: algorithm, word: word))
            }
        }
        return found
    }
}

/// An algorithm and where the file names it.
struct NamedAlgorithm {
    let algorithm: SignatureAlgorithm
    let word: Word

    /// HMAC: whoever verifies can sign as well.
    var isSymmetric: Bool { algorithm.rawValue.hasPrefix("HS") }
}

extension CheckContext {
    /// `require CLAIM VALUE…`
    func requirement(_ words: [Word]) -> ClaimRequirement? {
        var isGood = true
        for (index, word) in words.enumerated() {
            if word.text.isEmpty {
                error("an empty value", at: word, suggestion: "write the claim, then the values it may have")
                isGood = false
            } else if words[1..<max(index, 1)].contains(where: { $0.text == word.text }) {
                error("'\(word.text.clipped)' twice", at: word, suggestion: "remove one")
                isGood = false
            } else if !word.text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) {
                error(
                    "'\(word.text.clipped)' has a blank or a control character", at: word,
                    suggestion: "write each value as a word of its own")
                isGood = false
            }
        }
        guard isGood else { return nil }
        return ClaimRequirement(claim: words[0].text, values: words.dropFirst().map(\.text))
    }
}
