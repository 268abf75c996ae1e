/// The request line (RFC 9112 §3): method, one space, target, one space, version, CRLF.
enum RequestLine {
    enum Outcome {
        case line(next: Int)
        case incomplete
        case failed(HeadError)
    }

    private static let longestMethod = 32

    /// Where the request line begins: behind one CRLF, if there is one, which old clients send after a body (RFC 9112 §2.2).
    @inline(__always)
    static func start(_ bytes: Span<UInt8>) -> Int {
        bytes.count >= 2 && bytes[0] == 0x0d && bytes[1] == 0x0a ? 2 : 0
    }

    static func parse(
        _ bytes: Span<UInt8>, from start: Int, limits: HeadLimits, into head: inout RequestHead
    ) -> Outcome {
        var place = start
        while place < bytes.count, FieldSyntax.isTokenByte(bytes[place]) { place &+= 1 }
        guard place &- start <= longestMethod else { return .failed(.malformed("method longer than 32 bytes")) }
        guard place < bytes.count else { return .incomplete }
        if start == 0, place == 0, bytes.count == 1, bytes[0] == 0x0d { return .incomplete }
        guard place > start, bytes[place] == 0x20 else { return .failed(.malformed("invalid method")) }
        head.methodRange = ByteRange(from: start, to: place)
        head.method = Method(bytes, head.methodRange)

        let targetStart = place &+ 1
        place = ByteScan.firstTargetStop(bytes, from: targetStart)
        let pathEnd = place
        while place < bytes.count, bytes[place] == UInt8(ascii: "?") {
            place = ByteScan.firstTargetStop(bytes, from: place &+ 1)
        }
        guard place &- targetStart <= limits.target else {
            return .failed(.targetTooLong(limit: limits.target))
        }
        guard place < bytes.count else { return .incomplete }
        guard bytes[place] == 0x20 else { return .failed(.malformed(targetFault(bytes[place]))) }
        head.target = ByteRange(from: targetStart, to: place)
        head.path = ByteRange(from: targetStart, to: pathEnd)
        head.query = pathEnd < place ? ByteRange(from: pathEnd &+ 1, to: place) : nil
        if let fault = splitTarget(bytes, &head) { return .failed(.malformed(fault)) }
        return version(bytes, from: place &+ 1, into: &head)
    }

    private static func targetFault(_ byte: UInt8) -> StaticString {
        switch byte {
        case UInt8(ascii: "#"): "fragment in the request target"
        case 0x0d, 0x0a: "request line without a version"
        default: "invalid byte in the request target"
        }
    }

    /// Tells the four forms apart (RFC 9112 §3.2). `head.path` still holds everything before the query.
    @inline(__always)
    private static func splitTarget(_ bytes: Span<UInt8>, _ head: inout RequestHead) -> StaticString? {
        guard !head.path.isEmpty else { return "empty request target or path" }
        if head.method == .connect { return "CONNECT is not served" }
        if bytes[Int(head.path.start)] == UInt8(ascii: "/") { return nil }
        return splitUncommonTarget(bytes, &head)
    }

    @inline(never)
    private static func splitUncommonTarget(_ bytes: Span<UInt8>, _ head: inout RequestHead) -> StaticString? {
        let whole = head.path
        if bytes[Int(whole.start)] == UInt8(ascii: "*"), head.target.count == 1 {
            return head.method == .options ? nil : "the target * is for OPTIONS only"
        }
        let scheme: Int
        if ByteScan.hasPrefixFolded(bytes, whole, "http://") {
            scheme = 7
        } else if ByteScan.hasPrefixFolded(bytes, whole, "https://") {
            scheme = 8
        } else {
            return "the request target is neither a path nor an http or https URL"
        }
        let start = Int(whole.start) &+ scheme
        var place = start
        while place < whole.end, bytes[place] != UInt8(ascii: "/") { place &+= 1 }
        let authority = ByteRange(from: start, to: place)
        guard FieldSyntax.isHost(bytes, authority) else { return "invalid authority in the request target" }
        head.authority = authority
        // An empty path means "/" (RFC 9112 §3.2.2): the slash just before the authority stands in for it.
        head.path =
            place < whole.end ? ByteRange(from: place, to: whole.end) : ByteRange(start: start &- 1, count: 1)
        return nil
    }

    private static let version11: UInt64 = 0x312e_312f_5054_5448
    private static let version10: UInt64 = 0x302e_312f_5054_5448

    @inline(__always)
    private static func version(_ bytes: Span<UInt8>, from start: Int, into head: inout RequestHead) -> Outcome {
        if start &+ 10 <= bytes.count, bytes[start &+ 8] == 0x0d, bytes[start &+ 9] == 0x0a {
            let word = ByteScan.load(bytes, start)
            if word == version11 || word == version10 {
                head.minorVersion = word == version11 ? 1 : 0
                return .line(next: start &+ 10)
            }
        }
        return unusualVersion(bytes, from: start)
    }

    /// Not "HTTP/1.0" or "HTTP/1.1" and CRLF: not whole, another version, or no version at all.
    @inline(never)
    private static func unusualVersion(_ bytes: Span<UInt8>, from start: Int) -> Outcome {
        let prefix: StaticString = "HTTP/"
        let expected = unsafe Span(_unsafeStart: prefix.utf8Start, count: prefix.utf8CodeUnitCount)
        var isOther = false
        for index in 0..<10 {
            guard start &+ index < bytes.count else { return .incomplete }
            let byte = bytes[start &+ index]
            switch index {
            case 0..<5:
                if byte != expected[index] { return .failed(.malformed("no version behind the one space")) }
            case 5, 7:
                if byte &- 0x30 >= 10 { return .failed(.malformed("invalid version")) }
                isOther = isOther || (index == 5 ? byte != 0x31 : byte > 0x31)
            case 6:
                if byte != UInt8(ascii: ".") { return .failed(.malformed("invalid version")) }
            case 8:
                if isOther { return .failed(.unsupportedVersion) }
                if byte != 0x0d { return .failed(.malformed("no CRLF after the version")) }
            default:
                if byte != 0x0a { return .failed(.malformed("bare carriage return")) }
            }
        }
        return .incomplete
    }
}
