/// The status line (RFC 9112 §4): version, space, three digits, space, perhaps a reason, CRLF. The space before a missing
/// reason may be missing too, as many servers have it.
enum StatusLine {
    static func parse(_ bytes: Span<UInt8>, into head: inout ResponseHead) -> RequestLine.Outcome {
        let prefix: StaticString = "HTTP/1."
        let expected = unsafe Span(_unsafeStart: prefix.utf8Start, count: prefix.utf8CodeUnitCount)
        var status = 0
        for index in 0..<12 {
            guard index < bytes.count else { return .incomplete }
            let byte = bytes[index]
            switch index {
            case 0..<7:
                if byte != expected[index] { return .failed(.malformed("no HTTP/1 status line")) }
            case 7:
                if byte &- 0x30 > 1 { return .failed(.malformed("version other than 1.0 and 1.1")) }
                head.minorVersion = byte &- 0x30
            case 8:
                if byte != 0x20 { return .failed(.malformed("no space before the status")) }
            default:
                if byte &- 0x30 >= 10 { return .failed(.malformed("status is not three digits")) }
                status = status * 10 + Int(byte &- 0x30)
            }
        }
        guard status >= 100, status <= 599 else { return .failed(.malformed("status outside 100 to 599")) }
        head.status = status
        return reason(bytes, into: &head)
    }

    private static func reason(_ bytes: Span<UInt8>, into head: inout ResponseHead) -> RequestLine.Outcome {
        guard bytes.count > 12 else { return .incomplete }
        guard bytes[12] == 0x20 || bytes[12] == 0x0d else {
            return .failed(.malformed("status is not three digits"))
        }
        let start = bytes[12] == 0x20 ? 13 : 12
        var stop = ByteScan.firstControl(bytes, from: start)
        while stop < bytes.count, bytes[stop] == 0x09 { stop = ByteScan.firstControl(bytes, from: stop &+ 1) }
        guard stop < bytes.count else { return .incomplete }
        guard bytes[stop] == 0x0d else { return .failed(.malformed("control byte in the status line")) }
        guard stop &+ 1 < bytes.count else { return .incomplete }
        guard bytes[stop &+ 1] == 0x0a else { return .failed(.malformed("bare carriage return")) }
        head.reason = ByteRange(from: start, to: stop)
        return .line(next: stop &+ 2)
    }
}
