/// Reads an upstream's HTTP/1.1 response heads (RFC 9112 §4, §5) as strictly as requests are read. Incremental in the
/// same way as `RequestHeadParser`.
public struct ResponseHeadParser: Sendable {
    private let limit: Int
    private let fieldLimit: Int
    private var isInFields = false
    private var position = 0
    private var seen: SeenFields = []
    private var connection = ConnectionOptions()

    /// A parser for one connection. `limit` bounds the bytes of a head, `fields` its lines.
    public init(limit: Int = 65536, fields: Int = 256) {
        self.limit = limit
        self.fieldLimit = fields
    }

    /// Begins a new head.
    public mutating func reset() {
        isInFields = false
        position = 0
        seen = []
        connection = ConnectionOptions()
    }

    /// Reads on. `bytes` begins with the head's first byte; `method` is that of the request which is being answered.
    public mutating func parse(
        _ bytes: Span<UInt8>, answering method: Method, into head: inout ResponseHead
    ) -> HeadProgress {
        let window = bytes.extracting(first: min(bytes.count, limit))
        var progress = advance(window, method, &head)
        if progress == .incomplete {
            if window.count < limit { return .incomplete }
            progress = .failed(.headTooLarge(limit: limit))
        }
        reset()
        return progress
    }

    private mutating func advance(
        _ bytes: Span<UInt8>, _ method: Method, _ head: inout ResponseHead
    ) -> HeadProgress {
        if !isInFields {
            head.reset()
            switch StatusLine.parse(bytes, into: &head) {
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
                guard head.fields.count < fieldLimit else { return .failed(.tooManyFields(limit: fieldLimit)) }
                head.fields.append(line.field)
                position = line.next
                if line.id.isDecisive, !line.isAlias, let reason = note(line.id, line.value, bytes, &head) {
                    return .failed(.malformed(reason))
                }
            case .end:
                head.length = line.next
                if let reason = finish(bytes, method, &head) { return .failed(.malformed(reason)) }
                return .complete
            case .incomplete:
                return .incomplete
            case .malformed:
                return .failed(.malformed(line.reason))
            }
        }
    }

    @inline(__always)
    private mutating func note(_ id: FieldName, _ value: ByteRange, _ bytes: Span<UInt8>, _ head: inout ResponseHead)
        -> StaticString?
    {
        switch id {
        case .contentLength:
            guard seen.insert(.contentLength).inserted else { return "more than one Content-Length" }
            guard let length = contentLength(bytes, value) else { return "invalid Content-Length" }
            head.declaredLength = length
        case .transferEncoding:
            guard seen.insert(.transferEncoding).inserted else { return "more than one Transfer-Encoding" }
            guard ByteScan.equalFolded(bytes, value, "chunked") else {
                return "Transfer-Encoding other than chunked"
            }
        case .connection:
            guard connection.read(bytes, value) else { return "invalid Connection" }
        case .contentType:
            guard head.contentType == nil else { break }
            head.contentType = value
            head.isGRPC = isGRPC(bytes, value)
            head.isEventStream = ByteScan.hasPrefixFolded(bytes, value, "text/event-stream")
        default: break
        }
        return nil
    }

    /// Decides on the body's end (RFC 9112 §6.3) and on the connection (§9.3).
    private func finish(_ bytes: Span<UInt8>, _ method: Method, _ head: inout ResponseHead) -> StaticString? {
        let isChunked = seen.contains(.transferEncoding)
        if isChunked, head.declaredLength != nil { return "Content-Length and Transfer-Encoding together" }
        if isChunked, head.minorVersion == 0 { return "Transfer-Encoding in HTTP/1.0" }
        head.keepAlive = !connection.closes && (head.minorVersion == 1 || connection.keepsAlive)
        let announcesBody = isChunked || (head.declaredLength ?? 0) > 0
        switch head.status {
        case 101:
            // RFC 9112 §6.1 and §6.3: no framing here. The bytes behind are the new protocol's.
            if announcesBody { return "body announced by a 101" }
            head.isUpgrade = true
            head.keepAlive = false
        case 100..<200:
            // A body behind an interim head would be taken for the final head.
            if announcesBody { return "body announced by a 1xx" }
        case 204:
            // RFC 9112 §6.1: it has none. If the upstream announces one, nobody knows what it sends.
            if announcesBody { head.keepAlive = false }
        case 304: break
        default:
            if method == .head { break }
            if isChunked {
                head.framing = .chunked
            } else if let length = head.declaredLength {
                head.framing = .length(length)
            } else {
                head.framing = .untilClose
                head.keepAlive = false
            }
        }
        connection.nominate(&head.fields, bytes)
        return nil
    }
}
