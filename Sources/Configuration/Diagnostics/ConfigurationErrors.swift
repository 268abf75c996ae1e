/// Everything that is wrong with a configuration, not only the first.
public struct ConfigurationErrors: Error, Sendable, CustomStringConvertible {
    /// At least one error, and the warnings, in the order of the files.
    public let diagnostics: [Diagnostic]

    /// The diagnostics, of which at least one is an error.
    public init(diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }

    /// All of them as they are printed.
    public var description: String { diagnostics.map(\.rendered).joined(separator: "\n") }
}
