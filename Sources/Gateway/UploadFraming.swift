import Configuration
import HTTP

/// Where a request's body ends, byte by byte.
enum UploadFraming {
    /// There is no body, or it has ended.
    case none
    /// So many bytes are still to come.
    case length(UInt64)
    /// Chunks.
    case chunked(ChunkedDecoder)
    /// The chunks have ended, with these complete trailer lines.
    case ended(trailers: [UInt8])
    /// Its end can no longer be told: the connection cannot be used again.
    case broken

    init(_ framing: BodyFraming, limits: Limits) {
        switch framing {
        case .none, .untilClose: self = .none
        case .length(let count): self = count == 0 ? .none : .length(count)
        case .chunked: self = .chunked(ChunkedDecoder(extensionLimit: limits.chunkExtensions))
        }
    }

    var isComplete: Bool {
        switch self {
        case .none, .ended: true
        case .length, .chunked, .broken: false
        }
    }

    /// Trailer lines that may be passed on.
    var trailers: [UInt8] { if case .ended(let trailers) = self { trailers } else { [] } }

    /// The next piece of `bytes`.
    mutating func next(_ bytes: Span<UInt8>) -> ChunkedDecoder.Step {
        switch self {
        case .none, .ended, .broken: return .end(consumed: 0)
        case .length(let rest):
            let count = Int(min(UInt64(bytes.count), rest))
            let left = rest - UInt64(count)
            self = left == 0 ? .none : .length(left)
            return .data(0..<count, consumed: count)
        case .chunked(var decoder):
            self = .broken
            let step = decoder.next(bytes, from: 0)
            if case .end = step { self = .ended(trailers: decoder.trailers) } else { self = .chunked(decoder) }
            return step
        }
    }
}
