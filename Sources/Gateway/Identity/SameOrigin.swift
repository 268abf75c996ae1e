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
            return TextMatch.equalsIgnoringCase(bytes, site.value.range, "same-origin") ? .own : .foreign
        }
        guard let origin = head.first(.origin) else { return .none }
        let value = origin.value.range
        let scheme = isSecure ? "https://" : "http://"
        guard let host = head.host, value.count > scheme.utf8.count else { return .foreign }
        let start = value.lowerBound + scheme.utf8.count
        return TextMatch.equalsIgnoringCase(bytes, value.lowerBound..<start, scheme)
            && TextMatch.equalsIgnoringCase(bytes, start..<value.upperBound, host.range) ? .own : .foreign
    }
}
