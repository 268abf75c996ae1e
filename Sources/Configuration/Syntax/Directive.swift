/// `name argument …;` or `name argument … { … }`
struct Directive: Sendable {
    let name: Word
    let arguments: [Word]
    /// The directives between braces; nil when it ends in `;`.
    let block: [Directive]?

    /// Behind its last word.
    var end: SourceSpan { (arguments.last ?? name).span.end }
}
