/// The second phase: what the files say, includes in place, with positions and without any meaning yet.
struct ConfigurationFile: Sendable {
    /// The file that was asked for.
    let source: SourceFile
    let directives: [Directive]
}
