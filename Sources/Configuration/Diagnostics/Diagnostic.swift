/// What is wrong in a configuration file: the place, what happened, and the way out.
public struct Diagnostic: Error, Sendable, Equatable {
    /// How bad it is.
    public enum Severity: String, Sendable {
        /// The configuration is refused.
        case error
        /// It works, but hardly as meant.
        case warning
    }

    /// Where it starts.
    public let place: SourcePlace
    /// How many Unicode scalars it covers, at least 1.
    public let length: Int
    /// How bad it is.
    public let severity: Severity
    /// What happened, to what.
    public let message: String
    /// The line at that place; nil when the file as a whole is meant.
    public let sourceLine: String?
    /// The way out: `did you mean 'accept'?`
    public let suggestion: String?

    /// A diagnostic.
    public init(
        place: SourcePlace, length: Int = 1, severity: Severity = .error, message: String, sourceLine: String? = nil,
        suggestion: String? = nil
    ) {
        self.place = place
        self.length = length
        self.severity = severity
        self.message = message
        self.sourceLine = sourceLine
        self.suggestion = suggestion
    }

    /// The file, as it was named.
    public var file: String { place.file }
    /// The line, from 1.
    public var line: Int { place.line }
    /// The column, from 1.
    public var column: Int { place.column }

    /// The place and message, then the line with a caret under it and the suggestion; without a final line end.
    public var rendered: String {
        let first = "\(place.text): \(severity.rawValue): \(message)"
        guard let sourceLine else { return first + (suggestion.map { "\n      | \($0)" } ?? "") }
        let window = SourceWindow(line: sourceLine, column: column, length: length)
        let number = String(line)
        let margin = String(repeating: " ", count: max(0, 5 - number.count)) + number
        let underline = "^" + String(repeating: "~", count: max(0, window.length - 1))
        let blank = String(repeating: " ", count: margin.count)
        return """
            \(first)
            \(margin) | \(window.text)
            \(blank) | \(window.padding)\(underline)\(suggestion.map { " \($0)" } ?? "")
            """
    }
}
