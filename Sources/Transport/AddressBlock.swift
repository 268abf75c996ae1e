/// A network in CIDR notation, or a single address: `10.0.0.0/8`, `::1`.
public struct AddressBlock: Hashable, Sendable {
    private let bytes: [UInt8]
    private let prefixLength: Int

    /// The block written in `text`; nil when it is none or has bits behind its prefix.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = SocketAddress(host: String(parts[0]), port: 0) else { return nil }
        switch address {
        case .ipv4(let bytes, _), .ipv6(let bytes, _): self.bytes = bytes
        case .unix: return nil
        }
        if parts.count == 2 {
            guard let length = Int(parts[1]), (0...bytes.count * 8).contains(length) else { return nil }
            prefixLength = length
        } else {
            prefixLength = bytes.count * 8
        }
        guard Self.isMasked(bytes, prefixLength) else { return nil }
    }

    private static func isMasked(_ bytes: [UInt8], _ length: Int) -> Bool {
        bytes.indices.allSatisfy { index in
            let kept = min(max(length - index * 8, 0), 8)
            return bytes[index] & UInt8(truncatingIfNeeded: 0xff >> kept) == 0 || kept == 8
        }
    }

    /// Whether `address` lies in this block. A Unix socket lies in none; an IPv4-mapped address counts as IPv4.
    public func contains(_ address: SocketAddress) -> Bool {
        let other: [UInt8]
        switch address.unmapped {
        case .ipv4(let bytes, _), .ipv6(let bytes, _): other = bytes
        case .unix: return false
        }
        guard other.count == bytes.count else { return false }
        return bytes.indices.allSatisfy { index in
            let kept = min(max(prefixLength - index * 8, 0), 8)
            let mask = UInt8(truncatingIfNeeded: 0xff00 >> kept)
            return bytes[index] & mask == other[index] & mask
        }
    }
}
