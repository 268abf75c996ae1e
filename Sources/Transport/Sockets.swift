import CLinux
import Glibc

/// A socket call that failed, with the reason of the system.
public struct SocketError: Error, Sendable {
    /// What was tried.
    public let action: String
    /// The system's error number.
    public let number: Int32

    init(_ action: String) {
        self.action = action
        number = clinux_errno()
    }

    init(_ action: String, number: Int32) {
        self.action = action
        self.number = number
    }

    /// The process or the system has no descriptor left: nobody at the other end is to blame.
    public var isOutOfDescriptors: Bool { number == EMFILE || number == ENFILE }

    /// A sentence for people.
    public var message: String {
        "\(action): \(unsafe String(cString: strerror(number)))"
    }

    /// What became of a connection that was begun.
    public static func text(of number: Int32) -> String { SocketError("connect", number: number).message }
}

/// Makes the sockets that the gateway works with: non-blocking, closed on exec, without Nagle's delay.
public enum Sockets {
    /// Connections that the kernel holds until they are accepted; it bounds this by `net.core.somaxconn`.
    public static let acceptBacklog: Int32 = 4096

    private static let flags = Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)

    /// A listening socket at `address`. Each shard has its own (`SO_REUSEPORT`); a Unix path is replaced when nobody
    /// answers there.
    public static func listen(at address: SocketAddress) throws(SocketError) -> Int32 {
        if case .unix(let path) = address { try removeStale(path) }
        let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue) | flags, 0)
        guard descriptor >= 0 else { throw SocketError("socket for \(address)") }
        if address.family != AF_UNIX {
            enable(descriptor, SOL_SOCKET, SO_REUSEADDR)
            enable(descriptor, SOL_SOCKET, SO_REUSEPORT)
            enable(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
            if address.family == AF_INET6 { enable(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY) }
        }
        let bound = unsafe address.withNative { native, length in unsafe bind(descriptor, native, length) } ?? -1
        guard bound == 0, Glibc.listen(descriptor, acceptBacklog) == 0 else {
            let error = SocketError("listen on \(address)")
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// Whether `address` can be bound by somebody new: false while another process listens there without `SO_REUSEPORT`
    /// semantics of ours. A second gateway on the same port would otherwise silently share it.
    public static func isTaken(_ address: SocketAddress) -> Bool {
        guard address.family != AF_UNIX else { return false }
        let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue) | flags, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        enable(descriptor, SOL_SOCKET, SO_REUSEADDR)
        if address.family == AF_INET6 { enable(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY) }
        let bound = unsafe address.withNative { native, length in unsafe bind(descriptor, native, length) } ?? -1
        return bound != 0 && clinux_errno() == EADDRINUSE
    }

    /// Removes a socket that nobody answers at. Another kind of file refuses the connection too, and is left alone.
    private static func removeStale(_ path: String) throws(SocketError) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | flags, 0)
        guard probe >= 0 else { throw SocketError("socket for unix:\(path)") }
        defer { close(probe) }
        let answer = unsafe SocketAddress.unix(path).withNative { native, length in
            unsafe Glibc.connect(probe, native, length)
        }
        if answer == 0 { throw SocketError("listen on unix:\(path)", number: EADDRINUSE) }
        if answer == -1, clinux_errno() == ECONNREFUSED { unsafe unlink(path) }
    }

    /// Begins to connect to `address`. `ready` tells that it is connected already (Unix sockets).
    public static func connect(to address: SocketAddress) throws(SocketError) -> (descriptor: Int32, ready: Bool) {
        let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue) | flags, 0)
        guard descriptor >= 0 else { throw SocketError("socket for \(address)") }
        if address.family != AF_UNIX { enable(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY) }
        let result =
            unsafe address.withNative { native, length in unsafe Glibc.connect(descriptor, native, length) } ?? -1
        if result == 0 { return (descriptor, true) }
        if clinux_errno() == EINPROGRESS { return (descriptor, false) }
        let error = SocketError("connect to \(address)")
        close(descriptor)
        throw error
    }

    /// Accepts one connection; nil when none waits. `EMFILE` and its like are thrown.
    public static func accept(_ listener: Int32) throws(SocketError) -> (descriptor: Int32, peer: SocketAddress)? {
        while true {
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let descriptor = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe accept4(listener, $0, &length, flags)
                }
            }
            if descriptor >= 0 { return (descriptor, SocketAddress(native: storage) ?? .unix("")) }
            switch clinux_errno() {
            case EAGAIN: return nil
            case EINTR, ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH, ENETUNREACH, EPERM: continue
            default: throw SocketError("accept")
            }
        }
    }

    /// What a blocking caller waits for.
    public enum Wait: Sendable {
        /// Bytes, or the end.
        case readable
        /// Room.
        case writable
    }

    /// Waits until a socket is ready; false when it is not in time. Not for a shard's queue.
    public static func wait(_ descriptor: Int32, for readiness: Wait, milliseconds: Int) -> Bool {
        var entry = pollfd(
            fd: descriptor, events: Int16(readiness == .readable ? POLLIN : POLLOUT), revents: 0)
        let result = unsafe poll(&entry, 1, Int32(clamping: milliseconds))
        // A signal came: the caller looks again, and at its own clock.
        return result > 0 || result < 0 && clinux_errno() == EINTR
    }

    /// The system's words for an error number.
    public static func text(ofError number: Int32) -> String { unsafe String(cString: strerror(number)) }

    /// The address a listening socket is bound to.
    public static func localAddress(of descriptor: Int32) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(descriptor, $0, &length)
            }
        }
        guard result == 0 else { return nil }
        guard Int32(storage.ss_family) == AF_UNIX else { return SocketAddress(native: storage) }
        return unsafe withUnsafeBytes(of: &storage) { bytes in
            // The family is before the path, which ends at a zero or with the address.
            let path = unsafe bytes[2..<min(Int(length), bytes.count)].prefix { $0 != 0 }
            return unsafe .unix(String(decoding: path, as: UTF8.self))
        }
    }

    /// Another descriptor of the same socket; -1 when there is none to be had.
    public static func duplicate(_ descriptor: Int32) -> Int32 { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) }

    /// Closes a descriptor that no object owns.
    public static func close(_ descriptor: Int32) { Glibc.close(descriptor) }

    private static func enable(_ descriptor: Int32, _ level: Int32, _ option: Int32) {
        var one: Int32 = 1
        unsafe setsockopt(descriptor, level, option, &one, socklen_t(MemoryLayout<Int32>.size))
    }
}
