/// Splits one file into words, `;`, `{` and `}`.
///
/// A word is bare or quoted. `#` starts a comment where a word could start. `{name}` without blanks inside belongs to a
/// word, since patterns have parameters; every other `{` opens a block. Everything wrong is reported and stepped over,
/// so that one mistake does not hide the next.
struct Lexer {
    private let file: SourceFile
    private let diagnostics: DiagnosticCollector
    private var offset = 0

    init(_ file: SourceFile, diagnostics: DiagnosticCollector) {
        self.file = file
        self.diagnostics = diagnostics
        if file.bytes.starts(with: [0xef, 0xbb, 0xbf]) { offset = 3 }
    }

    /// The next token; `.end` again and again once nothing is left.
    mutating func next() -> Token {
        skipBlanks()
        guard let byte = peek() else { return .end(span(from: offset)) }
        switch byte {
        case UInt8(ascii: ";"): return .semicolon(single())
        case UInt8(ascii: "}"): return .close(single())
        case UInt8(ascii: "{") where parameterEnd(at: offset) == nil: return .open(single())
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return quotedWord(byte)
        default: return bareWord()
        }
    }

    private func peek() -> UInt8? { offset < file.bytes.count ? file.bytes[offset] : nil }

    private func span(from start: Int) -> SourceSpan { SourceSpan(file, start..<offset) }

    private mutating func single() -> SourceSpan {
        offset += 1
        return span(from: offset - 1)
    }

    private mutating func skipBlanks() {
        while let byte = peek() {
            if byte == UInt8(ascii: "#") {
                skipLine()
            } else if Self.isBlank(byte) {
                offset += 1
            } else {
                return
            }
        }
    }

    private mutating func skipLine() {
        while let byte = peek(), byte != UInt8(ascii: "\n") { offset += 1 }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0a).contains(byte) || byte == 0x0d }

    private static func endsWord(_ byte: UInt8) -> Bool {
        isBlank(byte) || byte == UInt8(ascii: ";") || byte == UInt8(ascii: "}")
    }

    /// The offset behind `{name}` that starts at `start`; nil when the brace there opens a block.
    private func parameterEnd(at start: Int) -> Int? {
        var place = start + 1
        while place < file.bytes.count {
            switch file.bytes[place] {
            case UInt8(ascii: "}"): return place > start + 1 ? place + 1 : nil
            case UInt8(ascii: "{"), UInt8(ascii: ";"), UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "#"):
                return nil
            case let byte where Self.isBlank(byte): return nil
            default: place += 1
            }
        }
        return nil
    }

    /// The offset behind `{}` in the middle of a path: no block goes on with `/`, so that the pattern can be refused.
    private func emptyParameterEnd() -> Int? {
        file.bytes[offset...].starts(with: Array("{}/".utf8)) ? offset + 2 : nil
    }

    private mutating func bareWord() -> Token {
        let start = offset
        while let byte = peek(), !Self.endsWord(byte) {
            switch byte {
            case UInt8(ascii: "{"):
                guard let end = parameterEnd(at: offset) ?? emptyParameterEnd() else { return word(from: start) }
                offset = end
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                _ = single()
                diagnostics.error(
                    "a quote in the middle of a word", at: span(from: offset - 1),
                    suggestion: "put the whole word in quotes")
            case UInt8(ascii: "\\"):
                _ = single()
                diagnostics.error(
                    "'\\' outside quotes", at: span(from: offset - 1), suggestion: #"in quotes, '\\' is a backslash"#)
            case 0..<0x20, 0x7f:
                _ = single()
                diagnostics.error("a control character", at: span(from: offset - 1), suggestion: "remove it")
            default: offset += 1
            }
        }
        return word(from: start)
    }

    private func word(from start: Int) -> Token {
        .word(Word(text: file.text(start..<offset), span: span(from: start), isQuoted: false))
    }

    private mutating func quotedWord(_ quote: UInt8) -> Token {
        let start = offset
        var content: [UInt8] = []
        offset += 1
        while let byte = peek(), byte != UInt8(ascii: "\n") {
            offset += 1
            if byte == quote {
                checkQuoteEnd()
                return .word(
                    Word(text: String(decoding: content, as: UTF8.self), span: span(from: start), isQuoted: true))
            } else if byte == UInt8(ascii: "\\") {
                if let escaped = escape() { content.append(escaped) }
            } else if byte < 0x20 && byte != 0x09 || byte == 0x7f {
                if byte != 0x0d {
                    diagnostics.error("a control character", at: span(from: offset - 1), suggestion: "remove it")
                }
            } else {
                content.append(byte)
            }
        }
        diagnostics.error(
            "this quote is not closed on its line", at: SourceSpan(file, start..<start + 1),
            suggestion: "close it, or write \(quote == UInt8(ascii: "'") ? #"\'"# : #"\""#) for a quote inside")
        return .word(Word(text: String(decoding: content, as: UTF8.self), span: span(from: start), isQuoted: true))
    }

    private mutating func escape() -> UInt8? {
        let start = offset - 1
        guard let byte = peek(), byte != UInt8(ascii: "\n") else { return nil }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "\\"): return byte
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "n"): return 0x0a
        default:
            while let next = peek(), next & 0xc0 == 0x80 { offset += 1 }  // the rest of a character
            diagnostics.error(
                "unknown escape '\(file.text(start..<offset))'", at: span(from: start),
                suggestion: #"escapes are \" \' \\ \t and \n"#)
            return nil
        }
    }

    private func checkQuoteEnd() {
        guard let byte = peek(), !Self.endsWord(byte), byte != UInt8(ascii: "{") else { return }
        diagnostics.error(
            "no blank after the closing quote", at: SourceSpan(file, offset..<offset + 1),
            suggestion: "put the whole word in quotes")
    }
}
