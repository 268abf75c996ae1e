internal import JOSE

/// The `identity` block.
struct IdentityChecker {
    let context: CheckContext

    private static let shortestTTL = Duration.seconds(1)

    /// What it says; nil when there were errors.
    func check(_ block: Directive) -> IdentitySettings? {
        let directives = context.known(block.block ?? [], in: .identity)
        let signing = signing(directives, in: block)
        guard let prefix = context.ownPath(block.arguments[0], of: "identity") else { return nil }
        guard !signing.isEmpty else { return nil }
        var result = IdentitySettings(prefix: prefix, signing: signing)
        for directive in directives {
            let word = directive.arguments[0]
            switch directive.name.text {
            case "issuer": result.issuer = context.nonEmpty(word)
            case "audience": result.audience = context.nonEmpty(word)
            case "access_ttl": set(&result.accessTTL, seconds(word, Self.shortestTTL ... .seconds(86_400)))
            case "refresh_ttl": set(&result.refreshTTL, seconds(word, Self.shortestTTL ... .seconds(365 * 86_400)))
            case "rotate_refresh": set(&result.rotatesRefresh, context.isOn(word))
            case "refresh_overlap": set(&result.refreshOverlap, seconds(word, .zero ... .seconds(300)))
            case "cookies": set(&result.usesCookies, context.isOn(word))
            default: break
            }
        }
        result.clients = clients(directives.filter { $0.name.text == "client" })
        if result.refreshTTL < result.accessTTL {
            let place = directives.first { ["refresh_ttl", "access_ttl"].contains($0.name.text) } ?? block
            context.error(
                "a refresh token would expire before the access token that it renews", at: place.name,
                suggestion: "make refresh_ttl at least as long as access_ttl")
        }
        return result
    }

    private func set<Value>(_ target: inout Value, _ value: Value?) {
        if let value { target = value }
    }

    private func seconds(_ word: Word, _ range: ClosedRange<Duration>) -> Int64? {
        guard let duration = context.duration(word, range) else { return nil }
        guard duration.components.attoseconds == 0 else {
            context.error(
                "'\(word.text.clipped)' is not whole seconds, which tokens count in", at: word,
                suggestion: "write '\(duration.components.seconds + 1)s'")
            return nil
        }
        return duration.components.seconds
    }

    private func clients(_ lines: [Directive]) -> [ServiceClient] {
        var seen: Set<String> = []
        return lines.compactMap { line in
            let name = line.arguments[0]
            guard let secret = context.clientSecret(line.arguments), context.isClientName(name) else { return nil }
            guard seen.insert(name.text).inserted else {
                context.error("client '\(name.text.clipped)' twice in identity", at: name, suggestion: "remove one")
                return nil
            }
            let bytes = KeyLoader.withoutLineEnd(secret)
            guard bytes.count >= Self.shortestSecret else {
                context.error(
                    "\(line.arguments[1].text.clipped): a secret of \(bytes.count) bytes can be guessed",
                    at: line.arguments[1],
                    suggestion: "make one: (umask 077 && openssl rand -base64 32 > client.secret)")
                return nil
            }
            return ServiceClient(name: name.text, secretDigest: SHA256().hash(bytes.span))
        }
    }

    /// Bytes of a client's secret at least.
    private static let shortestSecret = 16

    // MARK: Keys

    private func signing(_ directives: [Directive], in block: Directive) -> [SigningKey] {
        let lines = directives.filter { $0.name.text == "sign" }
        if lines.isEmpty, !context.attempts("sign", in: block, .identity) {
            context.error(
                "identity without 'sign': nothing could be issued", at: block.name,
                suggestion: "add 'sign HS256 file:data/signing.key;'")
        }
        var seen: Set<String> = []
        return lines.compactMap { line in
            let words = line.arguments
            guard seen.insert(words[0].text + " " + words[1].text).inserted else {
                context.error(
                    "the same key twice in identity", at: words[1],
                    suggestion: "remove one; a second 'sign' is a key that is being rotated out")
                return nil
            }
            return key(words[0], words[1])
        }
    }

    private func key(_ name: Word, _ source: Word) -> SigningKey? {
        guard let algorithm = SignatureAlgorithm(rawValue: name.text) else {
            let names = SignatureAlgorithm.allCases.map(\.rawValue)
            context.error(
                "unknown algorithm '\(name.text.clipped)'", at: name,
                suggestion: Spelling.suggestion(for: name.text, among: names)
                    ?? "there are \(names.joined(separator: ", "))")
            return nil
        }
        guard let bytes = context.secret(source) else { return nil }
        do throws(KeyError) {
            if NamedAlgorithm(algorithm: algorithm, word: name).isSymmetric {
                return try SigningKey(secret: KeyLoader.withoutLineEnd(bytes), algorithm: algorithm)
            }
            return try SigningKey(namedByThumbprint: bytes, algorithm: algorithm)
        } catch {
            context.error("\(source.text.clipped): \(error.message)", at: source, suggestion: Self.wayOut(algorithm))
            return nil
        }
    }

    /// The command that makes a good key.
    private static func wayOut(_ algorithm: SignatureAlgorithm) -> String {
        switch algorithm.rawValue.prefix(2) {
        case "HS": "make one: (umask 077 && openssl rand -base64 48 | tr -d '\\n' > signing.key)"
        case "ES": "make one: openssl ecparam -genkey -noout -name prime256v1 -out private.pem (P-256, for ES256)"
        case "Ed": "make one: openssl genpkey -algorithm ed25519 -out private.pem"
        default: "make one: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out private.pem"
        }
    }
}
