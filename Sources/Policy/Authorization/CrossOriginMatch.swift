public import Configuration

extension CrossOrigin {
    /// Whether pages of an origin may use the route. `origin` is the value of `Origin`, which browsers write in lower case
    /// and without a port that is the scheme's own (RFC 6454 §6.2).
    public func admits(_ origin: Span<UInt8>) -> Bool {
        for allowed in origins where allowed.matches(origin) { return true }
        return false
    }
}

extension CrossOrigin.Origin {
    fileprivate func matches(_ origin: Span<UInt8>) -> Bool {
        if isWildcard, scheme.isEmpty { return true }
        let start = scheme.utf8.count
        let length = host.utf8.count
        guard origin.count >= start + length else { return false }
        var place = 0
        for byte in scheme.utf8 {
            guard origin[place] == byte else { return false }
            place += 1
        }
        if !isWildcard, origin.count != start + length { return false }
        // A label at least stands before the dot of a wildcard, and nothing that ends a host stands in it.
        if isWildcard {
            guard origin.count > start + length, origin[start] != UInt8(ascii: ".") else { return false }
            for index in start..<origin.count - length where !Self.isHostByte(origin[index]) { return false }
        }
        place = origin.count - length
        for byte in host.utf8 {
            guard origin[place] == byte else { return false }
            place += 1
        }
        return true
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        byte &- 0x30 < 10 || byte &- 0x61 < 26 || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
    }
}
