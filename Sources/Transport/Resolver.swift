import CLinux
import Glibc

/// Looks host names up. Not for a shard's queue: `getaddrinfo` blocks.
public enum Resolver {
    /// Addresses kept of one answer at most.
    public static let addressesAtMost = 16

    /// Resolves `host` now, and blocks for it.
    public static func lookUp(host: String, port: UInt16) -> [SocketAddress] {
        if let address = SocketAddress(host: host, port: port) { return [address] }
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, String(port), &hints, &list) == 0 else { return [] }
        defer { unsafe freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var entry = unsafe list
        while let current = unsafe entry, found.count < addressesAtMost {
            var storage = sockaddr_storage()
            let length = unsafe min(Int(current.pointee.ai_addrlen), MemoryLayout<sockaddr_storage>.size)
            unsafe withUnsafeMutableBytes(of: &storage) { target in
                unsafe target.copyMemory(from: UnsafeRawBufferPointer(start: current.pointee.ai_addr, count: length))
            }
            if let address = SocketAddress(native: storage), !found.contains(address) { found.append(address) }
            unsafe entry = current.pointee.ai_next
        }
        return found
    }
}
