import Transport

/// The body of a request for which there is no connection yet: it is framed when it is known what the server speaks.
struct EarlyBody {
    private(set) var bytes: ByteBuffer?
    private(set) var trailers: [UInt8]?
    private var isChunked = false

    /// What another link did not send.
    init(_ bytes: ByteBuffer?, trailers: [UInt8]?, isChunked: Bool) {
        self.bytes = bytes
        self.trailers = trailers
        self.isChunked = isChunked
    }

    /// Nothing yet.
    init() {}

    var count: Int { bytes?.readableCount ?? 0 }

    mutating func append(_ piece: Span<UInt8>, _ range: Range<Int>, isChunked: Bool, _ buffers: BufferPool) {
        let buffer = bytes ?? buffers.take()
        bytes = buffer
        self.isChunked = isChunked
        buffer.append(piece, range)
    }

    mutating func end(trailers: [UInt8]) { self.trailers = trailers }

    /// Frames it for HTTP/1.1, and is empty afterwards.
    mutating func frame(into output: ByteBuffer, _ buffers: BufferPool) {
        if let bytes {
            if isChunked {
                ChunkedEncoder.append(bytes.readable, 0..<bytes.readableCount, to: output)
            } else {
                output.append(bytes.readable)
            }
            buffers.give(bytes)
        }
        if let trailers { ChunkedEncoder.appendEnd(trailers: trailers, to: output) }
        self = EarlyBody()
    }
}
