/// A name or an argument, with its place.
struct Word: Sendable {
    /// Without quotes, escapes resolved.
    let text: String
    let span: SourceSpan
    let isQuoted: Bool
}
