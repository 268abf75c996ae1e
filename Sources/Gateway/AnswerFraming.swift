import HTTP
import Transport

/// How the answer's body is framed for the client.
enum AnswerFraming {
    /// No body follows.
    case none
    /// The announced length; the bytes as they are.
    case identity
    /// Chunks of our own.
    case chunked
    /// All until the connection closes (for HTTP/1.0 clients).
    case untilClose

    /// The client can tell where the body ends.
    var isDelimited: Bool { if case .untilClose = self { false } else { true } }

    @inline(__always)
    func append(_ bytes: Span<UInt8>, _ range: Range<Int>, to output: ByteBuffer) {
        switch self {
        case .none: return
        case .identity, .untilClose: output.append(bytes, range)
        case .chunked: ChunkedEncoder.append(bytes, range, to: output)
        }
    }

    @inline(__always)
    func appendEnd(trailers: [UInt8], to output: ByteBuffer) {
        if case .chunked = self { ChunkedEncoder.appendEnd(trailers: trailers, to: output) }
    }
}

/// Writes chunks (RFC 9112 §7.1): one for each piece, never with extensions.
enum ChunkedEncoder {
    /// A chunk; nothing for an empty piece, since that would be the end.
    @inline(__always)
    static func append(_ bytes: Span<UInt8>, _ range: Range<Int>, to output: ByteBuffer) {
        guard !range.isEmpty else { return }
        output.append(hex: UInt64(range.count))
        output.append("\r\n")
        output.append(bytes, range)
        output.append("\r\n")
    }

    /// The last chunk and the trailer section, of complete lines.
    static func appendEnd(trailers: [UInt8], to output: ByteBuffer) {
        output.append("0\r\n")
        output.append(trailers)
        output.append("\r\n")
    }
}
