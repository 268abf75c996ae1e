/// A range of one file: what a message underlines.
struct SourceSpan: Sendable {
    let file: SourceFile
    let range: Range<Int>

    init(_ file: SourceFile, _ range: Range<Int>) {
        self.file = file
        self.range = range
    }

    /// The line, from 1.
    var line: Int { file.lineIndex(of: range.lowerBound) + 1 }

    var place: SourcePlace {
        let line = file.lineIndex(of: range.lowerBound)
        let before = file.text(file.lineRange(line).lowerBound..<range.lowerBound)
        return SourcePlace(file: file.name, line: line + 1, column: before.unicodeScalars.count + 1)
    }

    /// The place behind it, one byte wide: where something is missing.
    var end: SourceSpan { SourceSpan(file, range.upperBound..<range.upperBound) }

    /// The diagnostic for this place. With `isSecret` the line shows stars instead of it.
    func diagnostic(
        _ message: String, severity: Diagnostic.Severity = .error, suggestion: String? = nil, isSecret: Bool = false
    ) -> Diagnostic {
        let line = file.lineRange(file.lineIndex(of: range.lowerBound))
        let covered = range.clamped(to: line)
        let length = file.text(covered).unicodeScalars.count
        var text = file.text(line)
        if isSecret {
            text =
                file.text(line.lowerBound..<covered.lowerBound) + String(repeating: "*", count: length)
                + file.text(covered.upperBound..<line.upperBound)
        }
        return Diagnostic(
            place: place, length: max(1, length), severity: severity, message: message, sourceLine: text,
            suggestion: suggestion)
    }
}
