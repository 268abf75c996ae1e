/// Where a body ends, byte by byte: a client's upload or an upstream's answer.
public enum BodyReader: Sendable {
    /// There is no body, or it has ended.
    case none
    /// So many bytes are still to come.
    case length(UInt64)
    /// Chunks.
    case chunked(ChunkedDecoder)
    /// The chunks have ended, with these complete trailer lines.
    case ended(trailers: [UInt8])
    /// All until the connection ends (answers only).
    case untilClose
    /// Its end can no longer be told: the connection cannot be used again.
    case broken

    /// Bytes still to come from which on larger reads are worth it.
    private static let longBody: UInt64 = 16 * 1024

    /// `extensionLimit` bounds the bytes of chunk extensions over the whole body.
    public init(_ framing: BodyFraming, extensionLimit: Int = 256) {
        switch framing {
        case .none: self = .none
        case .length(let count): self = count == 0 ? .none : .length(count)
        case .chunked: self = .chunked(ChunkedDecoder(extensionLimit: extensionLimit))
        case .untilClose: self = .untilClose
        }
    }

    /// The body has ended where it should, and left the connection in step.
    public var isComplete: Bool {
        switch self {
        case .none, .ended: true
        case .length, .chunked, .untilClose, .broken: false
        }
    }

    /// Trailer lines that may be passed on.
    public var trailers: [UInt8] { if case .ended(let trailers) = self { trailers } else { [] } }

    /// Much is still to come.
    public var isLong: Bool { if case .length(let rest) = self { rest > Self.longBody } else { false } }

    /// The next piece of `bytes`.
    public mutating func next(_ bytes: Span<UInt8>) -> ChunkedDecoder.Step {
        switch self {
        case .none, .ended, .broken: return .end(consumed: 0)
        case .untilClose: return .data(0..<bytes.count, consumed: bytes.count)
        case .length(let rest):
            let count = Int(min(UInt64(bytes.count), rest))
            let left = rest - UInt64(count)
            self = left == 0 ? .none : .length(left)
            return .data(0..<count, consumed: count)
        case .chunked(var decoder):
            // The decoder is moved out and back, so that its arrays are not copied.
            self = .broken
            let step = decoder.next(bytes, from: 0)
            if case .end = step { self = .ended(trailers: decoder.trailers) } else { self = .chunked(decoder) }
            return step
        }
    }
}
