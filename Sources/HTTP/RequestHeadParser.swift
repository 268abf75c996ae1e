/// Reads HTTP/1.1 request heads (RFC 9112 §3, §5) without the leniencies that the RFC permits: what two servers could
/// read in two ways is refused.
///
/// Incremental: call it again with the same bytes and more behind them; it goes on at the last line that was not whole.
/// The outcome depends on the bytes alone, not on how they were cut. (A line that trickles in is scanned again for each
/// piece: at most 32 KiB, 2 µs, less than it costs to receive the piece.) After `.complete` or `.failed` it stands at the
/// beginning of a new head.
public struct RequestHeadParser: Sendable {
    /// The bounds it holds.
    public let limits: HeadLimits
    var isInFields = false
    /// Where the line begins that is not whole yet.
    var position = 0
    var seen: SeenFields = []
    var connection = ConnectionOptions()

    /// A parser for one connection.
    public init(limits: HeadLimits) {
        self.limits = limits
    }

    /// Begins a new head.
    public mutating func reset() {
        isInFields = false
        position = 0
        seen = []
        connection = ConnectionOptions()
    }

    /// Reads on. `bytes` begins with the head's first byte; what follows the head is left alone.
    public mutating func parse(_ bytes: Span<UInt8>, into head: inout RequestHead) -> HeadProgress {
        // Nothing behind the limit is looked at, so a longer head is refused whether or not it is whole.
        let window = bytes.extracting(first: min(bytes.count, limits.head))
        var progress = advance(window, &head)
        if progress == .incomplete {
            if window.count < limits.head { return .incomplete }
            progress = .failed(.headTooLarge(limit: limits.head))
        }
        reset()
        return progress
    }

    private mutating func advance(_ bytes: Span<UInt8>, _ head: inout RequestHead) -> HeadProgress {
        if !isInFields {
            head.reset()
            switch RequestLine.parse(bytes, from: RequestLine.start(bytes), limits: limits, into: &head) {
            case .incomplete: return .incomplete
            case .failed(let error): return .failed(error)
            case .line(let next): position = next
            }
            isInFields = true
        }
        var line = FieldLine()
        while true {
            switch line.parse(bytes, from: position, .shared) {
            case .field:
                guard head.fields.count < limits.fields else { return .failed(.tooManyFields(limit: limits.fields)) }
                head.fields.append(line.field)
                position = line.next
                if line.id.isDecisive, !line.isAlias, let error = note(line.id, line.value, bytes, &head) {
                    return .failed(error)
                }
            case .end:
                head.length = line.next
                if let error = finish(bytes, &head) { return .failed(error) }
                return .complete
            case .incomplete:
                return isBeyondFieldLimit(bytes, head) ? .failed(.tooManyFields(limit: limits.fields)) : .incomplete
            case .malformed:
                if isBeyondFieldLimit(bytes, head) { return .failed(.tooManyFields(limit: limits.fields)) }
                return .failed(.malformed(line.reason))
            }
        }
    }

    /// One more line has begun than the limit allows.
    private func isBeyondFieldLimit(_ bytes: Span<UInt8>, _ head: RequestHead) -> Bool {
        head.fields.count >= limits.fields && position < bytes.count && bytes[position] != 0x0d
    }
}
