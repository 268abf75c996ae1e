internal import Glibc

/// Addresses that one client can choose among count as one.
public enum AddressGroup {
    /// Addresses that one party is given at once: the first 48 bits of a group of IPv6 addresses.
    public static func wider(_ group: String) -> String {
        guard group.utf8.contains(UInt8(ascii: ":")) else { return group }
        return group.split(separator: ":").prefix(6).joined(separator: ":")
    }

    /// An IPv6 address by its first 64 bits, which is what a site has (RFC 6177); anything else is itself.
    public static func of(_ address: String) -> String {
        guard address.utf8.contains(UInt8(ascii: ":")) else { return address }
        var bytes = in6_addr()
        guard unsafe inet_pton(AF_INET6, address, &bytes) == 1 else { return address }
        return unsafe withUnsafeBytes(of: &bytes) { bytes in
            unsafe bytes.prefix(8).map { String($0, radix: 16) }.joined(separator: ":")
        }
    }
}
