/// Which of the fields that may come only once have come, and what they said that counts only at the end.
struct SeenFields: OptionSet, Sendable {
    let rawValue: UInt16
    static let host = SeenFields(rawValue: 1)
    static let contentLength = SeenFields(rawValue: 2)
    static let transferEncoding = SeenFields(rawValue: 4)
    static let requestID = SeenFields(rawValue: 8)
    static let otherExpectation = SeenFields(rawValue: 16)
    static let upgrade = SeenFields(rawValue: 32)
    static let webSocket = SeenFields(rawValue: 64)
    static let otherUpgrade = SeenFields(rawValue: 128)
}

/// A field's value as a body's length (RFC 9112 §6.3): digits only, at most 19, within `Int64`. A list of equal values is
/// not merged, as §6.3 rule 5 would permit.
@inline(__always)
func contentLength(_ bytes: Span<UInt8>, _ value: ByteRange) -> UInt64? {
    guard value.count >= 1, value.count <= 19 else { return nil }
    var length: UInt64 = 0
    for place in value.range {
        let digit = bytes[place] &- 0x30
        guard digit < 10 else { return nil }
        length = length &* 10 &+ UInt64(digit)
    }
    return length <= UInt64(Int64.max) ? length : nil
}

/// `application/grpc`, alone or with a suffix (`+proto`) or parameters.
func isGRPC(_ bytes: Span<UInt8>, _ contentType: ByteRange) -> Bool {
    let name: StaticString = "application/grpc"
    // "application/json" and the like are told apart by one byte.
    guard contentType.count >= 16, bytes[Int(contentType.start) + 12] | 0x20 == UInt8(ascii: "g") else { return false }
    guard ByteScan.hasPrefixFolded(bytes, contentType, name) else { return false }
    guard Int(contentType.count) > name.utf8CodeUnitCount else { return true }
    let next = bytes[Int(contentType.start) + name.utf8CodeUnitCount]
    return next == UInt8(ascii: "+") || next == UInt8(ascii: ";") || FieldSyntax.isBlank(next)
}

extension RequestHeadParser {
    /// Takes note of a field that decides something. The error is the first one in the order of the lines.
    @inline(__always)
    mutating func note(_ id: FieldName, _ value: ByteRange, _ bytes: Span<UInt8>, _ head: inout RequestHead)
        -> HeadError?
    {
        switch id {
        case .host:
            guard seen.insert(.host).inserted else { return .malformed("more than one Host") }
            guard FieldSyntax.isHost(bytes, value) else { return .malformed("invalid Host") }
            head.host = value
        case .contentLength:
            guard seen.insert(.contentLength).inserted else { return .malformed("more than one Content-Length") }
            guard let length = contentLength(bytes, value) else { return .malformed("invalid Content-Length") }
            head.framing = .length(length)
        case .transferEncoding:
            guard seen.insert(.transferEncoding).inserted else { return .malformed("more than one Transfer-Encoding") }
            guard ByteScan.equalFolded(bytes, value, "chunked") else {
                return .malformed("Transfer-Encoding other than chunked")
            }
        case .connection:
            guard connection.read(bytes, value) else { return .malformed("invalid Connection") }
        case .authorization:
            guard head.authorization == nil else { return .repeatedAuthorization }
            head.authorization = value
        case .expect:
            if ByteScan.equalFolded(bytes, value, "100-continue") {
                head.expectsContinue = true
            } else {
                seen.insert(.otherExpectation)
            }
        case .upgrade: noteUpgrade(value, bytes)
        case .xRequestID:
            head.requestID = seen.insert(.requestID).inserted ? value : nil
        case .contentType:
            guard head.contentType == nil else { break }
            head.contentType = value
            head.isGRPC = isGRPC(bytes, value)
        default: break
        }
        return nil
    }

    private mutating func noteUpgrade(_ value: ByteRange, _ bytes: Span<UInt8>) {
        seen.insert(.upgrade)
        var list = ListElements(value)
        while let protocolName = list.next(bytes) {
            seen.insert(ByteScan.equalFolded(bytes, protocolName, "websocket") ? .webSocket : .otherUpgrade)
        }
    }

    /// What can only be judged when all lines are known.
    @inline(__always)
    mutating func finish(_ bytes: Span<UInt8>, _ head: inout RequestHead) -> HeadError? {
        if seen.contains(.transferEncoding) {
            // Both together are the root of request smuggling; RFC 9112 §6.3 rule 3 lets a server refuse them.
            if seen.contains(.contentLength) { return .malformed("Content-Length and Transfer-Encoding together") }
            // RFC 9112 §6.1: such framing is to be treated as faulty.
            if head.minorVersion == 0 { return .malformed("Transfer-Encoding in HTTP/1.0") }
            head.framing = .chunked
        }
        if let host = head.host {
            if let authority = head.authority, !ByteScan.equalFolded(bytes, host, authority) {
                return .malformed("the request target's authority differs from Host")
            }
        } else if head.minorVersion == 1 {
            return .malformed("no Host")
        }
        if head.method == .trace, head.framing != .none, head.framing != .length(0) {
            return .malformed("TRACE with a body")
        }
        if seen.contains(.otherExpectation) { return .expectationFailed }
        settleConnection(bytes, &head)
        return nil
    }

    @inline(__always)
    private func settleConnection(_ bytes: Span<UInt8>, _ head: inout RequestHead) {
        head.keepAlive = !connection.closes && (head.minorVersion == 1 || connection.keepsAlive)
        if head.minorVersion == 0 {
            // RFC 9110 §10.1.1 and §7.8: an HTTP/1.0 client can want neither.
            head.expectsContinue = false
        } else if connection.upgrades, seen.contains(.upgrade) {
            head.isUpgrade = true
            // Who offers several is not answered by any of them.
            head.upgradesToWebSocket =
                head.method == .get && seen.contains(.webSocket) && !seen.contains(.otherUpgrade)
        }
        connection.nominate(&head.fields, bytes)
    }
}
