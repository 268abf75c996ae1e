/// The first phase: what stands in a file.
enum Token {
    case word(Word)
    case semicolon(SourceSpan)
    case open(SourceSpan)
    case close(SourceSpan)
    case end(SourceSpan)
}
