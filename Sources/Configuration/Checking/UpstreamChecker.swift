internal import HTTP
internal import Transport

/// The `upstream` blocks.
struct UpstreamChecker {
    let context: CheckContext

    /// One for each block, in order, also for those with errors.
    func check(_ blocks: [Directive]) -> [Upstream] {
        var names: [String: Word] = [:]
        return blocks.map { block in
            let name = block.arguments[0]
            if !NameSyntax.isIdentifier(name.text) {
                context.error(
                    "'\(name.text.clipped)' is no name for an upstream", at: name,
                    suggestion: "write letters, digits, '-', '_' and '.'")
            } else if let first = names[name.text] {
                context.error(
                    "a second upstream '\(name.text)'", at: name,
                    suggestion: "give it another name: the first is at \(first.span.place.text)")
            }
            names[name.text] = name
            return upstream(block)
        }
    }

    private func upstream(_ block: Directive) -> Upstream {
        var result = Upstream(name: block.arguments[0].text, servers: [])
        let directives = context.known(block.block ?? [], in: .upstream)
        let shortest = Duration.milliseconds(10)
        let longest = Duration.seconds(86_400)
        for directive in directives {
            let words = directive.arguments
            switch directive.name.text {
            case "server": if let server = server(words) { add(server, at: words[0], to: &result) }
            case "balance": set(&result.balance, balance(words))
            case "health_check": set(&result.healthCheck, healthCheck(words))
            case "connect_timeout": set(&result.connectTimeout, context.duration(words[0], shortest ... .seconds(600)))
            case "response_timeout": set(&result.responseTimeout, context.duration(words[0], shortest...longest))
            case "idle_timeout": set(&result.idleTimeout, context.duration(words[0], shortest...longest))
            case "keepalive": set(&result.keepalive, context.integer(words[0], 0...100_000))
            case "fail_limit": set(&result.failLimit, context.integer(words[0], 1...1_000_000))
            case "eject_time": set(&result.ejectTime, context.duration(words[0], shortest...longest))
            default: break
            }
        }
        result.tls = tls(directives)
        if result.tls != nil { refuseCleartext(directives) }
        if !context.attempts("server", in: block, .upstream) {
            context.error("upstream without 'server'", at: block.name, suggestion: "add 'server 127.0.0.1:9000;'")
        }
        return result
    }

    private func set<Value>(_ target: inout Value, _ value: Value?) {
        if let value { target = value }
    }

    private func add(_ server: UpstreamServer, at word: Word, to upstream: inout Upstream) {
        if upstream.servers.contains(where: { $0.endpoint == server.endpoint }) {
            context.error(
                "server '\(server.text)' twice in upstream", at: word,
                suggestion: "remove one; 'weight=2' doubles its share")
        } else {
            upstream.servers.append(server)
        }
    }

    private func server(_ words: [Word]) -> UpstreamServer? {
        var weight = 1
        var isHTTP2 = false
        var isGood = true
        for word in words.dropFirst() {
            if word.text == "h2c" {
                isHTTP2 = true
            } else if word.text.hasPrefix("weight=") {
                let digits = String(word.text.dropFirst(7))
                guard let value = Int(digits), (1...1000).contains(value) else {
                    context.error(
                        "'\(digits.clipped)' is no weight", at: word, suggestion: "write 'weight=1' up to 'weight=1000'"
                    )
                    isGood = false
                    continue
                }
                weight = value
            } else {
                context.error(
                    "unknown option '\(word.text.clipped)' of server", at: word,
                    suggestion: Spelling.suggestion(
                        for: word.text.prefix { $0 != "=" }.description, among: ["weight", "h2c"])
                        ?? "there are 'weight=N' and 'h2c'")
                isGood = false
            }
        }
        do throws(AddressText.Problem) {
            let endpoint = try AddressText.endpoint(words[0])
            return isGood ? UpstreamServer(endpoint: endpoint, weight: weight, h2c: isHTTP2, text: words[0].text) : nil
        } catch {
            context.error(error.message, at: words[0], suggestion: error.suggestion)
            return nil
        }
    }

    /// Over TLS, HTTP/2 is agreed on in the handshake.
    private func refuseCleartext(_ directives: [Directive]) {
        for directive in directives where directive.name.text == "server" {
            guard let word = directive.arguments.dropFirst().first(where: { $0.text == "h2c" }) else { continue }
            context.error(
                "'h2c' is cleartext, and this upstream has 'tls on;'", at: word,
                suggestion: "remove 'h2c': over TLS the server chooses HTTP/2 by ALPN")
        }
    }

    private func balance(_ words: [Word]) -> Upstream.Balance? {
        if words[0].text == "hash" {
            guard words.count == 2, NameSyntax.isFieldName(words[1].text) else {
                context.error(
                    words.count == 2 ? "'\(words[1].text.clipped)' is no header name" : "'hash' needs a header name",
                    at: words[words.count - 1], suggestion: "write 'balance hash X-User-Id;'")
                return nil
            }
            return .hash(field: words[1].text)
        }
        if words.count == 2 {
            context.error("only 'hash' takes a header name", at: words[1], suggestion: "remove it")
            return nil
        }
        let kinds: KeyValuePairs<String, Upstream.Balance> = [
            "least_request": .leastRequest, "round_robin": .roundRobin, "hash": .roundRobin,
        ]
        return context.choice(words[0], kinds, others: ["least_conn": "least_request", "ip_hash": "hash"])
    }

    private func healthCheck(_ words: [Word]) -> Upstream.HealthCheck? {
        let method: String? = context.choice(words[0], ["GET": "GET", "HEAD": "HEAD"])
        let path = words[1].text
        let isTarget = path.hasPrefix("/") && FieldSyntax.isVisibleASCII(Array(path.utf8).span) && !path.contains("#")
        if !isTarget {
            context.error(
                "'\(path.clipped)' is no path", at: words[1], suggestion: "write it like /healthz, in visible ASCII")
        }
        let every = context.choice(words[2], ["every": true])
        let interval = context.duration(words[3], .milliseconds(100) ... .seconds(3600))
        let host = words.count > 4 ? hostOfCheck(words[4...]) : nil
        guard let method, isTarget, every != nil, let interval, words.count == 4 || host != nil else { return nil }
        return Upstream.HealthCheck(method: method, path: path, interval: interval, host: host)
    }

    /// The name in `host NAME`.
    private func hostOfCheck(_ words: ArraySlice<Word>) -> String? {
        guard let first = words.first, let last = words.last, context.choice(first, ["host": true]) != nil else {
            return nil
        }
        let name = last.text
        if words.count == 2, !name.isEmpty, FieldSyntax.isHost(Array(name.utf8).span) { return name }
        context.error(
            "'host' needs the name that servers are asked by", at: last,
            suggestion: "write it like 'host api.example.com'")
        return nil
    }

    private func tls(_ directives: [Directive]) -> UpstreamTLS? {
        let word = { (name: String) in directives.first { $0.name.text == name }?.arguments[0] }
        guard let flag = word("tls"), let isOn = context.isOn(flag), isOn else {
            for name in ["ca", "tls_name"] where word("tls")?.text != "on" {
                guard let directive = directives.first(where: { $0.name.text == name }) else { continue }
                context.error(
                    "'\(name)' without 'tls on;'", at: directive.name, suggestion: "add 'tls on;', or remove this")
            }
            return nil
        }
        if let name = word("tls_name"), !NameSyntax.isHostName(name.text),
            SocketAddress(host: name.text, port: 1) == nil
        {
            context.error(
                "'\(name.text.clipped)' is no host name", at: name, suggestion: "write what the certificate is for")
        }
        let trust = word("ca").flatMap(context.trust) ?? .system
        return UpstreamTLS(trust: trust, serverName: word("tls_name")?.text.lowercased())
    }
}
