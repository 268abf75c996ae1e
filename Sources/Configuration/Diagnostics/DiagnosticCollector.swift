/// Collects what is wrong while one configuration is read. Confined to the call that reads.
final class DiagnosticCollector {
    private struct Entry {
        let fileIndex: Int
        let offset: Int
        let diagnostic: Diagnostic
    }

    private var entries: [Entry] = []
    private(set) var hasErrors = false
    /// Nobody reads more, and each costs a walk along its line.
    private static let most = 1000

    /// What is wrong at `span`.
    private func add(_ diagnostic: Diagnostic, at span: SourceSpan) {
        entries.append(
            Entry(fileIndex: span.file.index, offset: span.range.lowerBound, diagnostic: diagnostic))
    }

    /// What is wrong with the whole configuration, before everything else.
    func add(_ diagnostic: Diagnostic) {
        if diagnostic.severity == .error { hasErrors = true }
        entries.append(Entry(fileIndex: -1, offset: 0, diagnostic: diagnostic))
    }

    func error(_ message: String, at span: SourceSpan, suggestion: String? = nil, isSecret: Bool = false) {
        hasErrors = true
        guard entries.count < Self.most else { return }
        add(span.diagnostic(message, suggestion: suggestion, isSecret: isSecret), at: span)
    }

    func warning(_ message: String, at span: SourceSpan, suggestion: String? = nil) {
        guard entries.count < Self.most else { return }
        add(span.diagnostic(message, severity: .warning, suggestion: suggestion), at: span)
    }

    /// In the order of the files, what is at one place in the order in which it was found.
    var sorted: [Diagnostic] {
        entries.enumerated().sorted { left, right in
            (left.element.fileIndex, left.element.offset, left.offset)
                < (right.element.fileIndex, right.element.offset, right.offset)
        }
        .map(\.element.diagnostic)
    }
}
