import Configuration

/// Any bytes are read as a configuration that names no files: an answer comes, and every message can be shown.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzConfiguration(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let text = unsafe Array(UnsafeBufferPointer(start: data, count: count))
    do throws(ConfigurationErrors) {
        let configuration = try ConfigurationLoader.load(
            text: text, path: "gateway.conf", environment: ["SECRET": String(repeating: "s", count: 64)], files: .none)
        check(configuration.warnings)
        precondition(!configuration.listeners.isEmpty && configuration.workers > 0)
        for route in configuration.routes {
            precondition(configuration.upstreams.indices.contains(route.upstream) && route.pattern.text.hasPrefix("/"))
            precondition(route.agentParameter.map(route.pattern.parameters.contains) ?? true)
        }
        for upstream in configuration.upstreams { precondition(!upstream.servers.isEmpty) }
    } catch {
        precondition(error.diagnostics.contains { $0.severity == .error })
        check(error.diagnostics)
    }
    return 0
}

private func check(_ diagnostics: [Diagnostic]) {
    for diagnostic in diagnostics {
        precondition(!diagnostic.message.isEmpty && diagnostic.length > 0)
        precondition(diagnostic.rendered.hasPrefix(diagnostic.place.text))
        guard let line = diagnostic.sourceLine else { continue }
        precondition(diagnostic.line > 0 && (1...line.unicodeScalars.count + 1).contains(diagnostic.column))
    }
}
