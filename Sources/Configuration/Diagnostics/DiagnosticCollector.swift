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
    private static let most = 200
    /// What comes from here on is only counted.
    var isFull: Bool { entries.count >= Self.most }
    private var hasMore = false

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
        guard makesRoom() else { return }
        add(span.diagnostic(message, suggestion: suggestion, isSecret: isSecret), at: span)
    }

    func warning(_ message: String, at span: SourceSpan, suggestion: String? = nil) {
        guard makesRoom() else { return }
        add(span.diagnostic(message, severity: .warning, suggestion: suggestion), at: span)
    }

    private func makesRoom() -> Bool {
        if isFull { hasMore = true }
        return !isFull
    }

    /// In the order of the files, what is at one place in the order in which it was found.
    var sorted: [Diagnostic] {
        let found = entries.enumerated().sorted { left, right in
            (left.element.fileIndex, left.element.offset, left.offset)
                < (right.element.fileIndex, right.element.offset, right.offset)
        }
        .map(\.element.diagnostic)
        guard hasMore, let last = found.last else { return found }
        return found + [
            Diagnostic(
                place: SourcePlace(file: last.file, line: 0, column: 0), severity: hasErrors ? .error : .warning,
                message: "there is more to say than these \(Self.most) messages", suggestion: "mend them first")
        ]
    }
}
