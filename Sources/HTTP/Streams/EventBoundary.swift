/// Follows an event stream and knows whether an event is under way: between events something may be written into it
/// (WHATWG HTML §9.2.6: lines end with CRLF, LF or CR; an empty line ends an event).
public struct EventBoundary: Sendable {
    /// Nothing of an event was written since the last empty line.
    public private(set) var isBetweenEvents = true
    private var isLineEmpty = true
    /// The last byte was a CR that ended a line: an LF behind it belongs to it.
    private var hasReturned = false

    /// The beginning of a stream.
    public init() {}

    /// Takes bytes of the stream.
    public mutating func advance(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        for index in range { take(bytes[index]) }
    }

    /// Takes bytes up to the end of the event under way; the place behind it, nil when it does not end here.
    public mutating func advanceToBoundary(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
        for index in range {
            take(bytes[index])
            guard isBetweenEvents else { continue }
            // The line feed of a CRLF goes along.
            if hasReturned, index + 1 < range.upperBound, bytes[index + 1] == 0x0a {
                take(0x0a)
                return index + 2
            }
            return index + 1
        }
        return nil
    }

    private mutating func take(_ byte: UInt8) {
        if byte == 0x0a && hasReturned {
            hasReturned = false
        } else if byte == 0x0a || byte == 0x0d {
            hasReturned = byte == 0x0d
            isBetweenEvents = isBetweenEvents || isLineEmpty
            isLineEmpty = true
        } else {
            hasReturned = false
            isLineEmpty = false
            isBetweenEvents = false
        }
    }
}
