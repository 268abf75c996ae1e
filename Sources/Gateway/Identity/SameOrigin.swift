import HTTP

/// Whether a request comes from a page of this very origin, as far as the browser says.
enum SameOrigin {
    enum Evidence: Equatable {
        /// From a page of this origin.
        case own
        /// From somewhere else.
        case foreign
        /// The client says nothing: it is no browser, or an old one.
        case none
    }

    /// `Sec-Fetch-Site` (W3C Fetch Metadata §2.4), which no script can set, and else `Origin` (RFC 6454 §7).
    static func evidence(_ head: RequestHead, _ bytes: Span<UInt8>, isSecure: Bool) -> Evidence {
        if let site = head.first(.secFetchSite) {
            return equals(bytes, site.value.range, Array("same-origin".utf8)) ? .own : .foreign
        }
        guard let origin = head.first(.origin) else { return .none }
        guard let host = head.host else { return .foreign }
        let scheme = Array((isSecure ? "https://" : "http://").utf8)
        let value = origin.value.range
        guard value.count == scheme.count + host.range.count,
            equals(bytes, value.lowerBound..<value.lowerBound + scheme.count, scheme)
        else { return .foreign }
        for (one, other) in zip(value.dropFirst(scheme.count), host.range)
        where lowered(bytes[one]) != lowered(bytes[other]) {
            return .foreign
        }
        return .own
    }

    private static func lowered(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }

    private static func equals(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: [UInt8]) -> Bool {
        guard range.count == text.count else { return false }
        for index in text.indices where bytes[range.lowerBound + index] != text[index] { return false }
        return true
    }
}
