internal import HTTP
internal import JOSE

/// The `route` blocks, also those in `host` blocks.
struct RouteChecker {
    let context: CheckContext
    /// Whether a `jwt` or an `identity` block stands in the file.
    let verifiesTokens: Bool
    /// Whether an `identity` block stands in the file.
    let issuesTokens: Bool
    /// Whether an `introspection` block stands in the file.
    let introspects: Bool
    let upstreams: [Directive]
    let defaultMaxBody: Int

    /// The routes of the top level and of `host` blocks, in the order of the file.
    func check(_ directives: [Directive]) -> [Route] {
        var routes = Found()
        for directive in directives {
            switch directive.name.text {
            case "route": add(directive, host: nil, to: &routes)
            case "host":
                let host = host(directive.arguments[0])
                for inner in context.known(directive.block ?? [], in: .host) { add(inner, host: host, to: &routes) }
            default: break
            }
        }
        return routes.all
    }

    /// The routes so far, and those that could tie: of one host and one shape.
    private struct Found {
        struct Key: Hashable {
            let host: String?
            let shape: String
        }

        var all: [Route] = []
        var rivals: [Key: [(route: Route, pattern: Word)]] = [:]
    }

    private func add(_ directive: Directive, host: String?, to routes: inout Found) {
        let word = directive.arguments[directive.arguments.count - 1]
        guard let route = route(directive, index: routes.all.count, host: host) else { return }
        let key = Found.Key(host: host, shape: route.pattern.shape)
        if let rival = routes.rivals[key]?.first(where: { $0.route.sharesMethods(with: route) }) {
            let shared = route.sharedMethods(with: rival.route)
            context.error(
                "route '\(route.pattern.text.clipped)' ties with the one at \(rival.pattern.span.place.text)"
                    + (shared.isEmpty ? "" : " for \(shared.joined(separator: ", "))"),
                at: word, suggestion: "give them different methods or paths, or join them")
        }
        routes.all.append(route)
        routes.rivals[key, default: []].append((route, word))
    }

    private func host(_ word: Word) -> String {
        if !NameSyntax.isHostName(word.text) {
            let bare = word.text.prefix { $0 != ":" }.description
            context.error(
                "'\(word.text.clipped)' is no host name", at: word,
                suggestion: NameSyntax.isHostName(bare)
                    ? "write '\(bare)': the port does not matter" : "write one like api.example.com, without wildcards")
        }
        return word.text.lowercased()
    }

    private func route(_ directive: Directive, index: Int, host: String?) -> Route? {
        let pattern = pattern(directive.arguments)
        let methods = methods(directive.arguments.dropLast())
        let content = context.known(directive.block ?? [], in: .route)
        let arguments = { (name: String) in content.first { $0.name.text == name }?.arguments }
        let accept = AcceptChecker(context: context, verifiesTokens: verifiesTokens, introspects: introspects)
            .check(arguments("accept"), of: directive, pattern: pattern, content: content)
        let requirements = content.filter { $0.name.text == "require" }.compactMap { context.requirement($0.arguments) }
        let maxBody = arguments("max_body").flatMap { context.size($0[0], 0...1 << 50) } ?? defaultMaxBody
        let forwardCredential = arguments("forward_credential").flatMap { context.isOn($0[0]) }
        let webSocket = arguments("websocket").flatMap { context.isOn($0[0]) } ?? true
        let upstream = upstream(arguments("upstream")?[0], of: directive)
        guard let pattern else { return nil }
        let agent = agent(arguments("agent")?[0], in: pattern)
        return Route(
            index: index, host: host, methods: methods, pattern: pattern, accept: accept, agentParameter: agent,
            requirements: requirements, maxBody: maxBody, forwardCredential: forwardCredential, upstream: upstream,
            webSocket: webSocket, revokesSession: revokesSession(arguments("revokes")?[0], accept),
            acceptsTicket: acceptsTicket(arguments("accept_query")?[0], accept),
            streamKeepalive: arguments("stream_keepalive").flatMap {
                context.duration($0[0], .seconds(1) ... .seconds(3600))
            },
            streamGrace: arguments("stream_grace").flatMap { context.duration($0[0], .zero ... .seconds(86_400)) }
                ?? .zero,
            policies: RoutePolicyChecker(
                context: context, route: directive, content: content, accept: accept, agentParameter: agent
            ).check(),
            position: directive.name.span.place)
    }

    private func pattern(_ words: [Word]) -> PathPattern? {
        let word = words[words.count - 1]
        if Self.methods.contains(word.text.uppercased()) {
            context.error("route without a path", at: word, suggestion: "write 'route \(word.text) /path/ { … }'")
            return nil
        }
        do throws(PathPattern.Problem) {
            return try PathPattern(word.text)
        } catch {
            context.error(error.message, at: word, suggestion: error.suggestion)
            return nil
        }
    }

    private static let methods = Set(
        """
        ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY DELETE GET HEAD LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL \
        MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PROPFIND PROPPATCH PUT QUERY REBIND REPORT SEARCH \
        TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL
        """.split(separator: " ").map(String.init))

    /// The registered methods (RFC 9110 §16.1.1) but CONNECT, which is never forwarded.
    private func methods(_ words: some Sequence<Word>) -> [String] {
        var found: [String] = []
        for word in words {
            if word.text.hasPrefix("/") {
                context.error(
                    "a second path in a route", at: word,
                    suggestion: "write a route for each, or 'include' what they share")
            } else if !Self.methods.contains(word.text) {
                let upper = word.text.uppercased()
                context.error(
                    "unknown method '\(word.text.clipped)'", at: word,
                    suggestion: Self.methods.contains(upper)
                        ? "methods are in upper case: write '\(upper)'"
                        : Spelling.suggestion(for: upper, among: Self.methods.sorted())
                            ?? "name none to cover every method")
            } else if found.contains(word.text) {
                context.error("method '\(word.text)' twice in route", at: word, suggestion: "remove one")
            } else {
                found.append(word.text)
            }
        }
        return found
    }

    private func agent(_ word: Word?, in pattern: PathPattern) -> String? {
        guard let word else { return nil }
        let parameters = pattern.parameters
        let isBraced = word.text.hasPrefix("{") && word.text.hasSuffix("}")
        let name = isBraced ? String(word.text.dropFirst().dropLast()) : word.text
        guard isBraced, parameters.contains(name) else {
            let meant = parameters.contains(name) ? name : Spelling.nearest(to: name, among: parameters)
            context.error(
                isBraced ? "the path has no parameter '\(word.text.clipped)'" : "'agent' takes a parameter of the path",
                at: word,
                suggestion: (meant ?? (parameters.count == 1 ? parameters[0] : nil)).map { "did you mean '{\($0)}'?" }
                    ?? "write a path like /api/agents/{agent_id}/")
            return nil
        }
        return name
    }

    private func upstream(_ word: Word?, of route: Directive) -> Int {
        guard let word else {
            if !context.attempts("upstream", in: route, .route) {
                context.error("route without 'upstream'", at: route.name, suggestion: "add 'upstream NAME;'")
            }
            return 0
        }
        return context.upstream(word, among: upstreams) ?? 0
    }

    private func acceptsTicket(_ word: Word?, _ accept: CredentialKinds) -> Bool {
        guard let word, context.choice(word, ["token": true]) == true else { return false }
        if !issuesTokens {
            context.error(
                "'accept_query token' without an 'identity' block, which gives the tickets", at: word,
                suggestion: "add 'identity /api/auth/ { sign HS256 file:data/signing.key; }', or remove this")
        } else if !accept.contains(.jwt) {
            context.error(
                "'accept_query token' on a route that takes no token", at: word, suggestion: "add 'accept jwt;'")
        }
        return true
    }

    private func revokesSession(_ word: Word?, _ accept: CredentialKinds) -> Bool {
        guard let word, context.choice(word, ["session": true]) == true else { return false }
        if !accept.contains(.jwt) {
            context.error(
                "'revokes session' on a route that takes no token", at: word, suggestion: "add 'accept jwt;'")
        }
        return true
    }
}

extension CheckContext {
    /// The place of the `upstream` block that `word` names, or nil and an error.
    func upstream(_ word: Word, among upstreams: [Directive]) -> Int? {
        if let index = upstreams.firstIndex(where: { $0.arguments[0].text == word.text }) { return index }
        guard !diagnostics.isFull else { return nil }
        let names = upstreams.map(\.arguments[0].text)
        error(
            "no upstream is called '\(word.text.clipped)'", at: word,
            suggestion: Spelling.suggestion(for: word.text, among: names)
                ?? (names.isEmpty
                    ? "add 'upstream \(word.text.clipped) { server 127.0.0.1:9000; }'"
                    : "there \(names.count == 1 ? "is" : "are") \(names.joined(separator: ", ").clipped)"))
        return nil
    }
}

extension Route {
    /// Whether there is a method that both are for.
    fileprivate func sharesMethods(with other: Route) -> Bool {
        methods.isEmpty || other.methods.isEmpty || methods.contains(where: other.methods.contains)
    }

    fileprivate func sharedMethods(with other: Route) -> [String] {
        if methods.isEmpty { return other.methods }
        if other.methods.isEmpty { return methods }
        return methods.filter(other.methods.contains)
    }
}
