import CLinux
public import Dispatch
import Glibc

/// Looks host names up, off the shards: `getaddrinfo` blocks.
public enum Resolver {
    /// Addresses kept of one answer at most.
    public static let addressesAtMost = 16

    private static let queue = DispatchQueue(label: "gatehouse.resolver", attributes: .concurrent)

    /// Resolves `host`, then calls `completion` on `target`; an empty list means that the name has no address now.
    public static func resolve(
        host: String, port: UInt16, on target: DispatchQueue, completion: @escaping @Sendable ([SocketAddress]) -> Void
    ) {
        queue.async {
            let addresses = lookUp(host: host, port: port)
            target.async { completion(addresses) }
        }
    }

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
