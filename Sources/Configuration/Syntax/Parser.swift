/// Reads files into directives; `include` is replaced by what it names.
///
/// What bounds it: 16 open blocks, 16 includes inside one another, 256 files, `FileAccess.largest` bytes each.
final class Parser {
    private static let deepestBlock = 16
    private static let deepestInclude = 16
    private static let mostFiles = 256

    private let files: FileAccess
    private let diagnostics: DiagnosticCollector
    private var fileCount = 0
    /// The files that are being read, outermost first: meeting one of them again is a cycle.
    private var open: [String] = []
    /// The rest of a file was given up: that its blocks are not closed says nothing.
    private var hasGivenUp = false

    init(files: FileAccess, diagnostics: DiagnosticCollector) {
        self.files = files
        self.diagnostics = diagnostics
    }

    /// The file at `path`.
    func file(path: String) -> ConfigurationFile {
        do throws(FileAccess.Failure) {
            return file(name: path, bytes: try files.read(path, allowsPipe: true).bytes)
        } catch {
            diagnostics.add(
                Diagnostic(
                    place: SourcePlace(file: path, line: 0, column: 0),
                    message: "the configuration cannot be read: \(error.message)",
                    suggestion: error.isMissing ? "write one, or name another with -c FILE" : nil))
            return ConfigurationFile(source: SourceFile(name: path, index: 0, bytes: []), directives: [])
        }
    }

    /// `bytes`, as if they were the file called `name`.
    func file(name: String, bytes: [UInt8]) -> ConfigurationFile {
        let source = SourceFile(name: name, index: fileCount, bytes: bytes)
        fileCount += 1
        open.append(files.identity(name))
        defer { open.removeLast() }
        guard isText(source) else { return ConfigurationFile(source: source, directives: []) }
        var lexer = Lexer(source, diagnostics: diagnostics)
        return ConfigurationFile(source: source, directives: directives(&lexer, inside: nil, depth: 0))
    }

    private func isText(_ source: SourceFile) -> Bool {
        var decoder = UTF8()
        var iterator = source.bytes.makeIterator()
        var offset = 0
        while true {
            switch decoder.decode(&iterator) {
            case .scalarValue(let scalar): offset += UTF8.width(scalar)
            case .emptyInput: return true
            case .error:
                diagnostics.error(
                    "not UTF-8 text", at: SourceSpan(source, offset..<min(offset + 1, source.bytes.count)),
                    suggestion: "save the file as UTF-8")
                return false
            }
        }
    }

    /// Directives up to the `}` that closes the block of `inside`, or to the end of the file.
    private func directives(_ lexer: inout Lexer, inside: (name: Word, brace: SourceSpan)?, depth: Int) -> [Directive] {
        var found: [Directive] = []
        while true {
            switch lexer.next() {
            case .word(let name):
                guard statement(name, &lexer, into: &found, inside: inside, depth: depth) else { return found }
            case .semicolon(let span):
                diagnostics.error("';' without a directive before it", at: span, suggestion: "remove it")
            case .open(let span):
                diagnostics.error("'{' without a directive before it", at: span, suggestion: "write 'name … {'")
                if depth >= Self.deepestBlock { return skipped(&lexer, found) }
                _ = directives(&lexer, inside: (Word(text: "", span: span, isQuoted: true), span), depth: depth + 1)
            case .close(let span):
                if inside != nil { return found }
                diagnostics.error("'}' closes nothing", at: span, suggestion: "remove it")
            case .end:
                reportUnclosed(inside)
                return found
            }
        }
    }

    /// One directive that starts with `name`. False when it also met the end of the block around it.
    private func statement(
        _ name: Word, _ lexer: inout Lexer, into found: inout [Directive], inside: (name: Word, brace: SourceSpan)?,
        depth: Int
    ) -> Bool {
        var arguments: [Word] = []
        while true {
            switch lexer.next() {
            case .word(let word): arguments.append(word)
            case .semicolon:
                add(Directive(name: name, arguments: arguments, block: nil), to: &found)
                return true
            case .open(let brace):
                guard depth < Self.deepestBlock else {
                    diagnostics.error(
                        "more than \(Self.deepestBlock) blocks inside one another", at: brace,
                        suggestion: "nothing needs that")
                    found = skipped(&lexer, found)
                    return false
                }
                let block = directives(&lexer, inside: (name, brace), depth: depth + 1)
                add(Directive(name: name, arguments: arguments, block: block), to: &found)
                return true
            case .close(let span):
                let directive = Directive(name: name, arguments: arguments, block: nil)
                reportUnended(directive)
                add(directive, to: &found)
                if inside != nil { return false }
                diagnostics.error("'}' closes nothing", at: span, suggestion: "remove it")
                return true
            case .end:
                let directive = Directive(name: name, arguments: arguments, block: nil)
                reportUnended(directive)
                add(directive, to: &found)
                reportUnclosed(inside)
                return false
            }
        }
    }

    private func skipped(_ lexer: inout Lexer, _ found: [Directive]) -> [Directive] {
        hasGivenUp = true
        while true { if case .end = lexer.next() { return found } }
    }

    private func reportUnended(_ directive: Directive) {
        let last = directive.arguments.last ?? directive.name
        diagnostics.error(
            "no ';' after '\(last.text.clipped)'", at: last.span, suggestion: "write '\(last.text.clipped);'")
    }

    private func reportUnclosed(_ block: (name: Word, brace: SourceSpan)?) {
        guard let block, !hasGivenUp else { return }
        diagnostics.error(
            "the block of '\(block.name.text.clipped)' is not closed", at: block.brace, suggestion: "a '}' is missing")
    }

    private func add(_ directive: Directive, to found: inout [Directive]) {
        guard directive.name.text == "include", !directive.name.isQuoted else { return found.append(directive) }
        guard directive.block == nil, let name = directive.arguments.first, directive.arguments.count == 1 else {
            diagnostics.error(
                "'include' takes one file name or pattern", at: directive.name.span,
                suggestion: "write 'include conf.d/*.conf;'")
            return
        }
        found += included(name)
    }

    /// What the files that `name` means say. A pattern may match none; a name has to be there.
    private func included(_ name: Word) -> [Directive] {
        guard open.count < Self.deepestInclude else {
            diagnostics.error(
                "more than \(Self.deepestInclude) includes inside one another", at: name.span,
                suggestion: "include the file from fewer levels")
            return []
        }
        let path = name.span.file.resolve(name.text)
        let isPattern = name.text.utf8.contains { "*?[".utf8.contains($0) }
        return (isPattern ? files.matches(path) : [path]).flatMap { include(path: $0, named: name) }
    }

    private func include(path: String, named name: Word) -> [Directive] {
        guard fileCount < Self.mostFiles else {
            diagnostics.error(
                "more than \(Self.mostFiles) files are included", at: name.span, suggestion: "join some of them")
            return []
        }
        guard !open.contains(files.identity(path)) else {
            diagnostics.error("'\(path)' includes itself", at: name.span, suggestion: "remove this include")
            return []
        }
        do throws(FileAccess.Failure) {
            return file(name: path, bytes: try files.read(path).bytes).directives
        } catch {
            diagnostics.error(
                "'\(path)' cannot be included: \(error.message)", at: name.span,
                suggestion: error.isMissing ? "names are relative to the folder of this file" : nil)
            return []
        }
    }
}

extension String {
    /// The text, cut where a message would become unreadable.
    var clipped: String { utf8.count <= 80 ? self : String(prefix(64)) + "…" }
}
