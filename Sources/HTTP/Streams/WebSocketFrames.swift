/// Follows the frames of one direction of a WebSocket (RFC 6455 §5.2) and knows where one ends: between frames a control
/// frame may be put in, also within a fragmented message (§5.4). The bytes go on as they are.
public struct WebSocketFrames: Sendable {
    /// Bytes of the header that came, and that it has in all as far as is known.
    private var headerCount = 0
    private var headerLength = 2
    private var lengthBytes = 0
    private var payload: UInt64 = 0
    /// The peer has said goodbye by a close frame.
    public private(set) var hasClosed = false

    /// The beginning of a tunnel.
    public init() {}

    /// No frame is under way.
    public var isBetweenFrames: Bool { headerCount == 0 && payload == 0 }

    /// Takes bytes of the direction.
    public mutating func advance(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        var place = range.lowerBound
        while place < range.upperBound { place = step(bytes, place, range.upperBound) }
    }

    /// Takes bytes up to the end of the frame under way; the place behind it, nil when it does not end here.
    public mutating func advanceToBoundary(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
        var place = range.lowerBound
        while place < range.upperBound {
            place = step(bytes, place, range.upperBound)
            if isBetweenFrames { return place }
        }
        return nil
    }

    private mutating func step(_ bytes: Span<UInt8>, _ place: Int, _ end: Int) -> Int {
        if headerCount == 0 && payload > 0 {
            let count = Int(min(payload, UInt64(end - place)))
            payload -= UInt64(count)
            return place + count
        }
        takeHeader(bytes[place])
        return place + 1
    }

    private mutating func takeHeader(_ byte: UInt8) {
        switch headerCount {
        case 0: if byte & 0x0f == 8 { hasClosed = true }
        case 1:
            let length = byte & 0x7f
            payload = length < 126 ? UInt64(length) : 0
            headerLength = 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + (byte & 0x80 != 0 ? 4 : 0)
            lengthBytes = length == 126 ? 2 : length == 127 ? 8 : 0
        default: if headerCount < 2 + lengthBytes { payload = payload << 8 | UInt64(byte) }
        }
        headerCount += 1
        if headerCount == headerLength {
            headerCount = 0
            headerLength = 2
        }
    }

    /// A close frame of a server (§5.5.1): a code, and a reason of at most 123 bytes.
    public static func close(code: UInt16, reason: StaticString) -> [UInt8] {
        let count = min(reason.utf8CodeUnitCount, 123)
        var frame: [UInt8] = [0x88, UInt8(2 + count), UInt8(code >> 8), UInt8(code & 0xff)]
        let text = unsafe Span(_unsafeStart: reason.utf8Start, count: count)
        for index in text.indices { frame.append(text[index]) }
        return frame
    }
}
