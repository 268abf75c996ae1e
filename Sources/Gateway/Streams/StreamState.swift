import HTTP
import Transport

/// A long-lived answer: what it is, where something of the gateway's own may be put into it, and how it ends.
///
/// Confined to its shard's queue; belongs to one exchange.
final class StreamState {
    enum Kind {
        /// An event stream whose events can be told apart.
        case events(EventBoundary)
        /// A WebSocket, from the 101 on.
        case tunnel(WebSocketFrames)
        /// A gRPC call: what is said last is said in trailers.
        case call
        /// Nothing can be put into it: compressed, or of a length that was announced.
        case opaque
    }

    /// Why it is being ended, and how long the event or frame under way is waited for.
    struct Ending {
        let refusal: Refusal
        let deadline: MonotonicTime
    }

    var kind: Kind
    /// The client has its 200 and the upstream's head is still to come.
    var isEarly = false
    /// When something was last written to the client.
    var written: MonotonicTime
    var ending: Ending?
    /// The last word is due: nothing of the upstream goes on any more.
    var isMuted = false

    init(_ kind: Kind, now: MonotonicTime) {
        self.kind = kind
        written = now
    }

    /// Something may be written here and now.
    var isAtBoundary: Bool {
        switch kind {
        case .events(let boundary): boundary.isBetweenEvents
        case .tunnel(let frames): frames.isBetweenFrames
        case .call, .opaque: true
        }
    }

    /// Takes note of bytes on their way to the client.
    func advance(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        switch kind {
        case .events(var boundary):
            boundary.advance(bytes, range)
            kind = .events(boundary)
        case .tunnel(var frames):
            frames.advance(bytes, range)
            kind = .tunnel(frames)
        case .call, .opaque: break
        }
    }

    /// Where the event or frame under way ends among these bytes; nil when it goes on.
    func advanceToBoundary(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
        switch kind {
        case .events(var boundary):
            defer { kind = .events(boundary) }
            return boundary.advanceToBoundary(bytes, range)
        case .tunnel(var frames):
            defer { kind = .tunnel(frames) }
            return frames.advanceToBoundary(bytes, range)
        case .call, .opaque: return range.lowerBound
        }
    }
}
