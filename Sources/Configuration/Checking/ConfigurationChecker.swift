internal import FoundationEssentials

/// The third phase: from what the files say to what may run. Every check is made, whatever the others found.
struct ConfigurationChecker {
    let context: CheckContext

    /// The checked configuration; it means something only while `context.diagnostics` has no errors.
    func check(_ file: ConfigurationFile) -> Configuration {
        let directives = context.known(file.directives, in: .top)
        var result = Configuration(
            path: file.source.name, workers: max(1, ProcessInfo.processInfo.activeProcessorCount))
        let settings = SettingsChecker(context: context)
        for directive in directives where !settings.apply(directive, to: &result) {
            settings.applyLimit(directive, to: &result.limits)
        }
        checkWindows(directives, result.limits)
        let blocks = { (name: String) in directives.filter { $0.name.text == name } }
        result.tls = blocks("tls").first.flatMap { TLSChecker(context: context).check($0) }
        let found = IssuerChecker(context: context).check(blocks("jwt"))
        (result.issuers, result.signing, result.remoteKeys) = (found.issuers, found.signing, found.remote)
        result.introspections = IntrospectionChecker(context: context).check(blocks("introspection"))
        OwnPathsChecker(context: context).check(directives, into: &result)
        result.resource = blocks("resource").first.flatMap { ResourceChecker(context: context).check($0) }
        result.upstreams = UpstreamChecker(context: context).check(blocks("upstream"))

        let mentioned = Set(file.directives.map(\.name.text))
        let listeners = ListenerChecker(
            context: context, hasTLS: mentioned.contains("tls"), trustsProxies: mentioned.contains("trusted_proxies"),
            allowsInsecure: allowsInsecure(directives))
        result.listeners = listeners.check(blocks("listen"))
        result.admin = blocks("admin").first.flatMap { listeners.admin($0, beside: result.listeners) }
        let routes = RouteChecker(
            context: context, verifiesTokens: mentioned.contains("jwt") || mentioned.contains("identity"),
            issuesTokens: mentioned.contains("identity"), introspects: mentioned.contains("introspection"),
            upstreams: blocks("upstream"),
            defaultMaxBody: result.limits.body)
        result.routes = routes.check(directives)
        reportAbsent(mentioned, file, result)
        reportUnused(blocks("upstream"), result)
        if result.store == nil, needsStore(result) {
            result.store = .sqlite(path: file.source.resolve("data/gatehouse.db"))
        }
        checkStaleness(blocks("store_stale").first, &result)
        return result
    }

    /// The store is asked twice within the lag: one look that is late is no silence.
    private func checkStaleness(_ directive: Directive?, _ result: inout Configuration) {
        let shortest = result.revocationLag * 2
        guard result.storeStale < shortest else { return }
        guard let directive else { return result.storeStale = shortest }
        context.error(
            "store_stale is shorter than twice revocation_lag", at: directive.name,
            suggestion: "the store would count as silent between two looks at it")
    }

    /// A connection that bears less than one of its streams would make that window a lie.
    private func checkWindows(_ directives: [Directive], _ limits: Limits) {
        guard limits.http2ConnectionWindow < limits.http2Window,
            let directive = directives.last(where: {
                $0.name.text.hasPrefix("http2_") && $0.name.text.hasSuffix("window")
            })
        else { return }
        context.error(
            "http2_connection_window is smaller than http2_window", at: directive.name,
            suggestion: "give the connection as much as one of its streams at least")
    }

    private func needsStore(_ result: Configuration) -> Bool {
        result.identity != nil || result.keyEndpoints != nil
            || result.routes.contains { $0.accept.contains(.apiKey) || $0.revokesSession || $0.quota != nil }
    }

    private func allowsInsecure(_ directives: [Directive]) -> Bool {
        guard let word = directives.first(where: { $0.name.text == "allow_insecure" })?.arguments.first else {
            return false
        }
        return context.isOn(word) ?? true
    }

    private func reportAbsent(_ mentioned: Set<String>, _ file: ConfigurationFile, _ result: Configuration) {
        guard !context.diagnostics.hasErrors || !mentioned.isEmpty else { return }
        let place = SourcePlace(file: file.source.name, line: 0, column: 0)
        if !mentioned.contains("listen") {
            context.diagnostics.add(
                Diagnostic(
                    place: place, message: "no 'listen': nobody could connect",
                    suggestion: "add 'listen 0.0.0.0:8443 tls;'"))
        }
        if !mentioned.contains("route"), !mentioned.contains("host") {
            context.diagnostics.add(
                Diagnostic(
                    place: place, severity: .warning, message: "no 'route': every request will be 404",
                    suggestion: "add 'route /api/ { accept jwt; upstream NAME; }'"))
        }
    }

    private func reportUnused(_ blocks: [Directive], _ result: Configuration) {
        guard !context.diagnostics.hasErrors else { return }
        let used = Set(result.routes.map(\.upstream))
        for (index, block) in blocks.enumerated() where !used.contains(index) {
            context.diagnostics.warning(
                "no route uses upstream '\(result.upstreams[index].name)'", at: block.arguments[0].span,
                suggestion: "remove it, or name it in a route")
        }
    }
}
