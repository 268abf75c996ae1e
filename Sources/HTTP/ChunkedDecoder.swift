/// Takes the chunked transfer coding (RFC 9112 §7.1) off a body, as it comes.
///
/// Strict: sizes are 1 to 16 hexadecimal digits below 2^63, lines end with CRLF and nothing else, no blank before an
/// extension. Extensions are dropped; `extensionLimit` bounds them over the whole body (RFC 9112 §7.1.1), so that a body
/// cannot consist of them. Trailers are checked like fields of a head and bounded; those that could frame, route,
/// authenticate or identify are dropped (RFC 9110 §6.5.1).
///
/// It keeps no reference to the bytes: whatever it has read is consumed.
public struct ChunkedDecoder: Sendable {
    /// What comes next in the body.
    public enum Step: Equatable, Sendable {
        /// A piece of the body is at this range of the bytes; go on from `consumed`.
        case data(Range<Int>, consumed: Int)
        /// All bytes are used up.
        case needsMore(consumed: Int)
        /// The body has ended; what follows `consumed` is the next message.
        case end(consumed: Int)
        /// The body is faulty: neither side may take it for complete.
        case failed(HeadError)
    }

    private enum State: Sendable {
        case size, extensions, sizeLineFeed, data, dataReturn, dataLineFeed, trailers, ended
    }

    private let extensionLimit: Int
    private let trailerLimit: Int
    private var state = State.size
    private var digits = 0
    private var remaining: UInt64 = 0
    private var extensionBytes = 0
    private var trailerBytes = 0
    private var line: [UInt8] = []

    /// Complete trailer lines that may be passed on; empty unless there are any. Only gRPC has a use for them.
    public private(set) var trailers: [UInt8] = []

    /// The body has ended well.
    public var hasEnded: Bool { state == .ended }

    /// A decoder for one body.
    public init(extensionLimit: Int = 256, trailerLimit: Int = 8192) {
        self.extensionLimit = extensionLimit
        self.trailerLimit = trailerLimit
    }

    /// The next piece of `bytes`, read from `offset` on. The `consumed` of the answer is the next call's `offset`.
    public mutating func next(_ bytes: Span<UInt8>, from offset: Int) -> Step {
        var place = offset
        while place < bytes.count {
            if state == .data {
                let count = Int(min(remaining, UInt64(bytes.count &- place)))
                remaining &-= UInt64(count)
                if remaining == 0 { state = .dataReturn }
                return .data(place..<(place &+ count), consumed: place &+ count)
            }
            if state == .ended { return .end(consumed: place) }
            if let reason = take(bytes[place]) { return .failed(reason) }
            place &+= 1
        }
        return state == .ended ? .end(consumed: place) : .needsMore(consumed: place)
    }

    /// Takes one byte of framing.
    @inline(__always)
    private mutating func take(_ byte: UInt8) -> HeadError? {
        switch state {
        case .size: return takeSize(byte)
        case .extensions:
            if byte == 0x0d {
                state = .sizeLineFeed
                return nil
            }
            if byte < 0x20 && byte != 0x09 || byte == 0x7f {
                return .malformed("control byte in a chunk extension")
            }
            extensionBytes &+= 1
            if extensionBytes > extensionLimit { return .malformed("chunk extensions are too long") }
        case .sizeLineFeed:
            guard byte == 0x0a else { return .malformed("bare carriage return in a chunk size line") }
            state = remaining == 0 ? .trailers : .data
            digits = 0
        case .dataReturn:
            guard byte == 0x0d else { return .malformed("no CRLF after a chunk") }
            state = .dataLineFeed
        case .dataLineFeed:
            guard byte == 0x0a else { return .malformed("no CRLF after a chunk") }
            state = .size
        case .trailers: return takeTrailer(byte)
        case .data, .ended: break
        }
        return nil
    }

    @inline(__always)
    private mutating func takeSize(_ byte: UInt8) -> HeadError? {
        let digit: UInt8
        switch byte {
        case 0x30...0x39: digit = byte &- 0x30
        case 0x41...0x46, 0x61...0x66: digit = (byte | 0x20) &- 0x61 &+ 10
        case 0x0d where digits > 0:
            state = .sizeLineFeed
            return nil
        case UInt8(ascii: ";") where digits > 0:
            state = .extensions
            extensionBytes &+= 1
            return extensionBytes > extensionLimit ? .malformed("chunk extensions are too long") : nil
        default: return .malformed("invalid chunk size")
        }
        digits &+= 1
        guard digits <= 16, remaining < 1 << 59 else { return .malformed("chunk size is too large") }
        remaining = remaining << 4 | UInt64(digit)
        return nil
    }

    private mutating func takeTrailer(_ byte: UInt8) -> HeadError? {
        trailerBytes += 1
        guard trailerBytes <= trailerLimit else { return .headTooLarge(limit: trailerLimit) }
        line.append(byte)
        guard byte == 0x0a else { return nil }
        var parsed = FieldLine()
        switch parsed.parse(line.span, from: 0, .shared) {
        case .field:
            // A bare LF ends the line in `FieldLine` too, so the line that it read is this one.
            guard parsed.next == line.count else { return .malformed("invalid trailer") }
            if parsed.id == .other { trailers += line }
            line.removeAll(keepingCapacity: true)
        case .end:
            line = []
            state = .ended
        case .incomplete: return .malformed("invalid trailer")
        case .malformed: return .malformed(parsed.reason)
        }
        return nil
    }
}
