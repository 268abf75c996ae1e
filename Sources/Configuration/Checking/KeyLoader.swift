internal import JOSE

/// The `keys` directive of a `jwt` block: `jwks:FILE`, `jwks:URL`, `pem:FILE…` or `secret SECRET…`.
struct KeyLoader {
    struct Loaded {
        var keys: [VerificationKey] = []
        /// From a JWKS: a token's `kid` has to be found.
        var areNamed = false
        var signing: [SigningMaterial] = []
        /// They are fetched from there while the gateway runs.
        var remote: RemoteKeys.Location?
    }

    let context: CheckContext
    let issuer: String

    func load(_ directives: [Directive], in block: Directive, algorithms: [NamedAlgorithm]) -> Loaded {
        guard let words = directives.first(where: { $0.name.text == "keys" })?.arguments else {
            if !context.attempts("keys", in: block, .jwt), !context.attempts("discover", in: block, .jwt) {
                context.error(
                    "jwt without 'keys': nothing could be verified", at: block.name,
                    suggestion: "add 'keys jwks:file.json;', 'keys pem:public.pem;' or 'keys secret file:hs256.key;'")
            }
            return Loaded()
        }
        let loaded = keys(words, algorithms)
        let covered = Set(loaded.keys.flatMap(\.algorithms))
        let isKeySet = words[0].text.hasPrefix("jwks:")
        let isSecret = words[0].text == "secret"
        for named in algorithms where !loaded.keys.isEmpty && !covered.contains(named.algorithm) {
            guard isKeySet || named.isSymmetric == isSecret else { continue }  // that was an error
            context.diagnostics.warning(
                "no key of this block can verify \(named.algorithm.rawValue)", at: named.word.span,
                suggestion: "add a key for it, or remove it")
        }
        return loaded
    }

    private func keys(_ words: [Word], _ algorithms: [NamedAlgorithm]) -> Loaded {
        switch words[0].text {
        case "secret": return secrets(Array(words.dropFirst()), after: words[0], algorithms)
        case let text where text.hasPrefix("pem:"): return pems(words, algorithms)
        case let text where text.hasPrefix("jwks:"): return jwks(words, algorithms)
        default:
            refuse(words)
            return Loaded()
        }
    }

    private func refuse(_ words: [Word]) {
        let text = words[0].text
        var suggestion = "write 'jwks:file.json', 'pem:public.pem' or 'secret file:hs256.key'"
        if text.hasPrefix("file:") || text.hasPrefix("env:") {
            suggestion = "write 'secret \(text.clipped)', or 'pem:' or 'jwks:' for public keys"
        } else if text.hasPrefix("https://") {
            suggestion = "write 'jwks:\(text.clipped)'"
        } else if let kind = Spelling.nearest(
            to: text.prefix { $0 != ":" }.description, among: ["secret", "pem", "jwks"])
        {
            suggestion = "did you mean '\(kind)\(kind == "secret" ? "" : ":")'?"
        }
        // It may be a secret that somebody wrote inline: the message does not repeat it.
        context.diagnostics.error(
            "these are no keys", at: words[0].span, suggestion: suggestion,
            isSecret: !text.contains(":") && !NameSyntax.isIdentifier(text))
    }

    /// What a kind of key cannot verify is an error where it is named.
    @discardableResult
    func suitable(_ algorithms: [NamedAlgorithm], symmetric: Bool) -> [SignatureAlgorithm] {
        for named in algorithms where named.isSymmetric != symmetric {
            let name = named.algorithm.rawValue
            context.error(
                symmetric
                    ? "a secret cannot verify \(name)" : "a public key cannot verify \(name), which needs a secret",
                at: named.word,
                suggestion: symmetric
                    ? "use 'keys pem:…' or 'keys jwks:…', or remove it" : "use 'keys secret …', or remove it")
        }
        return algorithms.filter { $0.isSymmetric == symmetric }.map(\.algorithm)
    }

    private func secrets(_ words: [Word], after keyword: Word, _ algorithms: [NamedAlgorithm]) -> Loaded {
        var loaded = Loaded()
        if words.isEmpty {
            context.error("'keys secret' names none", at: keyword, suggestion: "write 'keys secret file:hs256.key;'")
        }
        let suitable = suitable(algorithms, symmetric: true)
        for word in words {
            guard let secret = context.secret(word).map(Self.withoutLineEnd), !suitable.isEmpty else { continue }
            do throws(KeyError) {
                loaded.keys.append(try VerificationKey(secret: secret, algorithms: suitable))
                let key = try SigningKey(secret: secret, algorithm: suitable[0])
                loaded.signing.append(SigningMaterial(issuer: issuer, key: key))
            } catch {
                context.error(
                    "\(word.text): \(error.message)", at: word,
                    suggestion: "run: openssl rand -base64 48, and give the issuer the same")
            }
        }
        return loaded
    }

    /// An editor ends a text file with a line feed: that is not part of the secret. Binary secrets are taken whole.
    static func withoutLineEnd(_ secret: [UInt8]) -> [UInt8] {
        guard secret.last == UInt8(ascii: "\n") else { return secret }
        let body = secret.dropLast(secret.dropLast().last == UInt8(ascii: "\r") ? 2 : 1)
        return body.allSatisfy { (0x20...0x7e).contains($0) } ? Array(body) : secret
    }

    private func pems(_ words: [Word], _ algorithms: [NamedAlgorithm]) -> Loaded {
        var loaded = Loaded()
        let suitable = suitable(algorithms, symmetric: false)
        for word in words {
            guard word.text.hasPrefix("pem:") else {
                context.error(
                    "'\(word.text.clipped)' beside a 'pem:'", at: word,
                    suggestion: "one kind of key to a jwt block: make a second block for this")
                continue
            }
            let name = String(word.text.dropFirst(4))
            guard let contents = context.contents(of: name, word), !suitable.isEmpty else { continue }
            let isPrivateKey = String(decoding: contents.bytes, as: UTF8.self).contains("PRIVATE KEY-----")
            guard !isPrivateKey || context.isPrivate(contents, name, word) else { continue }
            do throws(KeyError) {
                let key = try VerificationKey(pem: contents.bytes, algorithms: suitable)
                loaded.keys.append(key)
                if isPrivateKey, let algorithm = key.algorithms.first {
                    let signing = try SigningKey(pem: contents.bytes, algorithm: algorithm, keyID: nil)
                    loaded.signing.append(SigningMaterial(issuer: issuer, key: signing))
                }
            } catch {
                context.error(
                    "\(word.text): \(error.message)", at: word,
                    suggestion: "name a key for \(suitable.map(\.rawValue).joined(separator: ", "))")
            }
        }
        return loaded
    }

    private func jwks(_ words: [Word], _ algorithms: [NamedAlgorithm]) -> Loaded {
        let word = words[0]
        if words.count > 1 {
            context.error(
                "'\(words[1].text.clipped)' beside a 'jwks:'", at: words[1],
                suggestion: "one kind of key to a jwt block: make a second block for this")
        }
        let name = String(word.text.dropFirst(5))
        if name.lowercased().hasPrefix("https:") {
            suitable(algorithms, symmetric: false)
            let url = context.remoteURL(Word(text: name, span: word.span, isQuoted: word.isQuoted), of: "keys")
            return Loaded(areNamed: true, remote: url.map { .keySet($0) })
        }
        if name.hasPrefix("http:") {
            context.error(
                "keys that come unencrypted can be anybody's", at: word, suggestion: "write 'jwks:https:…'")
            return Loaded()
        }
        guard let contents = context.contents(of: name, word), !algorithms.isEmpty else { return Loaded() }
        do throws(KeyError) {
            let set = try KeySet.jwks(contents.bytes, algorithms: algorithms.map(\.algorithm))
            for warning in set.warnings {
                context.diagnostics.warning("\(word.text): \(warning)", at: word.span, suggestion: nil)
            }
            if set.keys.contains(where: { $0.algorithms.contains { $0.rawValue.hasPrefix("HS") } }) {
                guard context.isPrivate(contents, name, word) else { return Loaded() }
            }
            if set.keys.isEmpty {
                let names = algorithms.map(\.algorithm.rawValue).joined(separator: ", ")
                context.error("\(word.text): no key in it can be used", at: word, suggestion: "add a key for \(names)")
            }
            return Loaded(keys: set.keys, areNamed: true)
        } catch {
            context.error(
                "\(word.text): \(error.message)", at: word,
                suggestion: "the file has to be a JWK Set (RFC 7517 §5) with a key for these algorithms")
            return Loaded()
        }
    }
}
