internal import Transport

/// The directives of the top level that stand alone.
struct SettingsChecker {
    let context: CheckContext

    /// False when the directive is none of these.
    func apply(_ directive: Directive, to result: inout Configuration) -> Bool {
        guard let word = directive.arguments.first else { return false }
        switch directive.name.text {
        case "workers": set(&result.workers, word.text == "auto" ? result.workers : context.integer(word, 1...1024))
        case "drain_timeout": set(&result.drainTimeout, context.duration(word, .zero ... .seconds(86_400)))
        case "revocation_lag": set(&result.revocationLag, context.duration(word, .milliseconds(10) ... .seconds(3600)))
        case "store_stale": set(&result.storeStale, context.duration(word, .seconds(1) ... .seconds(86_400)))
        case "access_log": set(&result.accessLog, accessLog(directive.arguments))
        case "trusted_proxies": result.trustedProxies = directive.arguments.compactMap(block)
        case "store": result.store = store(word)
        case "user": result.user = user(word)
        case "realm": set(&result.realm, realm(word))
        case "key_prefix": set(&result.keyPrefix, keyPrefix(word))
        default: return false
        }
        return true
    }

    /// The bounds.
    func applyLimit(_ directive: Directive, to limits: inout Limits) {
        guard let word = directive.arguments.first else { return }
        let shortest = Duration.milliseconds(100)
        switch directive.name.text {
        case "max_head": set(&limits.head, context.size(word, 1024...1 << 20))
        case "max_fields": set(&limits.fields, context.integer(word, 1...10_000))
        case "max_target": set(&limits.target, context.size(word, 64...1 << 20))
        case "max_token": set(&limits.token, context.size(word, 256...1 << 20))
        case "max_body": set(&limits.body, context.size(word, 0...1 << 50))
        case "max_chunk_extensions": set(&limits.chunkExtensions, context.size(word, 0...1 << 16))
        case "max_connections": set(&limits.connections, context.integer(word, 1...10_000_000))
        case "head_timeout": set(&limits.headTimeout, context.duration(word, shortest ... .seconds(3600)))
        case "handshake_timeout": set(&limits.handshakeTimeout, context.duration(word, shortest ... .seconds(600)))
        case "keepalive_timeout": set(&limits.keepaliveTimeout, context.duration(word, shortest ... .seconds(86_400)))
        case "write_timeout": set(&limits.writeTimeout, context.duration(word, shortest ... .seconds(3600)))
        case "http2_max_streams": set(&limits.http2Streams, context.integer(word, 1...1000))
        case "http2_window": set(&limits.http2Window, context.size(word, 64 << 10...16 << 20))
        case "http2_connection_window": set(&limits.http2ConnectionWindow, context.size(word, 64 << 10...64 << 20))
        case "http2_resets": set(&limits.http2Resets, context.integer(word, 1...1_000_000))
        case "http2_control_frames": set(&limits.http2ControlFrames, context.integer(word, 10...1_000_000))
        case "body_min_rate":
            set(&limits.bodyRate, context.size(word, 1...1 << 30))
            set(&limits.bodyRateWindow, context.duration(directive.arguments[1], .seconds(1) ... .seconds(3600)))
        default: break
        }
    }

    private func set<Value>(_ target: inout Value, _ value: Value?) {
        if let value { target = value }
    }

    private func accessLog(_ words: [Word]) -> AccessLogTarget? {
        if words.count > 1, context.choice(words[1], ["json": true]) == nil { return nil }
        let text = words[0].text
        if text == "off" {
            guard words.count == 1 else {
                context.error("'off' takes no format", at: words[1], suggestion: "write 'access_log off;'")
                return nil
            }
            return .off
        }
        if text == "stdout" { return .standardOutput }
        if !text.contains("/"), !text.contains(".") {
            let guess = Spelling.suggestion(for: text, among: ["stdout", "off"])
            context.error(
                "unknown access log '\(text.clipped)'", at: words[0],
                suggestion: guess ?? "write 'stdout', 'off' or the path of a file")
            return nil
        }
        let path = words[0].span.file.resolve(text)
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        if !context.files.isFolder(folder) {
            context.diagnostics.warning(
                "there is no folder '\(folder.clipped)': lines will be dropped", at: words[0].span,
                suggestion: "run: mkdir -p \(folder)")
        }
        return .file(path)
    }

    private func block(_ word: Word) -> AddressBlock? {
        guard let block = AddressBlock(word.text) else {
            context.error(
                "'\(word.text.clipped)' is no network", at: word,
                suggestion: "write one without bits behind its prefix like 10.0.0.0/8, or one address")
            return nil
        }
        if word.text.hasSuffix("/0") {
            context.diagnostics.warning(
                "every client is believed about where it comes from", at: word.span,
                suggestion: "name the networks of your proxies")
        }
        return block
    }

    private func store(_ word: Word) -> StoreLocation? {
        if word.text.hasPrefix("postgres:") {
            return PostgresChecker(context: context).check(word).map(StoreLocation.postgres)
        }
        let name = String(word.text.dropFirst("sqlite:".count))
        guard word.text.hasPrefix("sqlite:"), !name.isEmpty, !name.utf8.contains(0) else {
            context.error(
                "'\(word.text.clipped)' is no store", at: word,
                suggestion: "write 'sqlite:data/gatehouse.db' or 'postgres:env:DATABASE_URL'")
            return nil
        }
        return .sqlite(path: word.span.file.resolve(name))
    }

    private func user(_ word: Word) -> String? {
        guard NameSyntax.isIdentifier(word.text), context.files.hasUser(word.text) else {
            context.error(
                "this machine has no user '\(word.text.clipped)'", at: word,
                suggestion: "name one that it has, or run: useradd --system NAME")
            return nil
        }
        return word.text
    }

    private func realm(_ word: Word) -> String? {
        let isPlain = word.text.utf8.allSatisfy {
            (0x20...0x7e).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
        }
        guard isPlain, (1...128).contains(word.text.utf8.count) else {
            context.error(
                "'\(word.text.clipped)' cannot stand in a header", at: word,
                suggestion: "write 1 to 128 ASCII characters without '\"' and '\\'")
            return nil
        }
        return word.text
    }

    func keyPrefix(_ word: Word) -> String? {
        guard (1...16).contains(word.text.utf8.count), word.text.utf8.allSatisfy(NameSyntax.isNameByte) else {
            context.error(
                "'\(word.text.clipped)' cannot start an API key", at: word,
                suggestion: "write 1 to 16 letters, digits, '_' or '-'")
            return nil
        }
        return word.text
    }
}
