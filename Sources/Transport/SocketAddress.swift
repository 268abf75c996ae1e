import CLinux

/// Where a socket listens or connects to. Host names are not addresses: they are resolved before.
public enum SocketAddress: Hashable, Sendable, CustomStringConvertible {
    /// Four bytes in network order and a port.
    case ipv4([UInt8], port: UInt16)
    /// Sixteen bytes in network order and a port.
    case ipv6([UInt8], port: UInt16)
    /// A path in the file system.
    case unix(String)

    /// The address written in `host` (numeric only, IPv6 without or with brackets), or nil.
    public init?(host: String, port: UInt16) {
        let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        if let bytes = Self.parse(bare, family: AF_INET, count: 4) {
            self = .ipv4(bytes, port: port)
        } else if let bytes = Self.parse(bare, family: AF_INET6, count: 16) {
            self = .ipv6(bytes, port: port)
        } else {
            return nil
        }
    }

    private static func parse(_ text: String, family: Int32, count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        let parsed = unsafe bytes.withUnsafeMutableBytes { target in unsafe inet_pton(family, text, target.baseAddress)
        }
        return parsed == 1 ? bytes : nil
    }

    /// The IPv4 address inside an IPv4-mapped IPv6 one, else the address itself (`::ffff:10.0.0.1` is `10.0.0.1`).
    public var unmapped: SocketAddress {
        guard case .ipv6(let bytes, let port) = self, bytes[0..<10].allSatisfy({ $0 == 0 }), bytes[10] == 0xff,
            bytes[11] == 0xff
        else { return self }
        return .ipv4(Array(bytes[12...]), port: port)
    }

    /// The address without its port; IPv6 without brackets, IPv4-mapped as IPv4; empty for a Unix socket.
    public var hostText: String {
        switch unmapped {
        case .ipv4(let bytes, _): bytes.map { String($0) }.joined(separator: ".")
        case .ipv6(let bytes, _): Self.text(ipv6: bytes)
        case .unix: ""
        }
    }

    private static func text(ipv6 bytes: [UInt8]) -> String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let written = unsafe bytes.withUnsafeBytes { source in
            unsafe inet_ntop(AF_INET6, source.baseAddress, &text, socklen_t(text.count)) != nil
        }
        guard written else { return "" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// `127.0.0.1:80`, `[::1]:80`, `unix:/path`.
    public var description: String {
        switch self {
        case .ipv4(_, let port): "\(hostText):\(port)"
        case .ipv6(let bytes, let port): "[\(Self.text(ipv6: bytes))]:\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// It is a path.
    public var isUnix: Bool { if case .unix = self { true } else { false } }

    /// Reachable from this machine only.
    public var isLocal: Bool {
        switch unmapped {
        case .ipv4(let bytes, _): bytes[0] == 127
        case .ipv6(let bytes, _): bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1
        case .unix: true
        }
    }

    /// The address family, as the socket calls name it.
    var family: Int32 {
        switch self {
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        case .unix: AF_UNIX
        }
    }

    /// Calls `body` with the address as the kernel reads it; nil when a Unix path does not fit.
    func withNative<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R? {
        var storage = sockaddr_storage()
        guard let length = write(to: &storage) else { return nil }
        return unsafe withUnsafePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, length) }
        }
    }

    private func write(to storage: inout sockaddr_storage) -> socklen_t? {
        unsafe withUnsafeMutableBytes(of: &storage) { raw -> socklen_t? in
            switch self {
            case .ipv4(let bytes, let port):
                var native = sockaddr_in()
                native.sin_family = sa_family_t(AF_INET)
                native.sin_port = port.bigEndian
                unsafe withUnsafeMutableBytes(of: &native.sin_addr) { unsafe $0.copyBytes(from: bytes.prefix(4)) }
                unsafe raw.storeBytes(of: native, as: sockaddr_in.self)
                return socklen_t(MemoryLayout<sockaddr_in>.size)
            case .ipv6(let bytes, let port):
                var native = sockaddr_in6()
                native.sin6_family = sa_family_t(AF_INET6)
                native.sin6_port = port.bigEndian
                unsafe withUnsafeMutableBytes(of: &native.sin6_addr) { unsafe $0.copyBytes(from: bytes.prefix(16)) }
                unsafe raw.storeBytes(of: native, as: sockaddr_in6.self)
                return socklen_t(MemoryLayout<sockaddr_in6>.size)
            case .unix(let path):
                let bytes = Array(path.utf8)
                let offset = MemoryLayout<sa_family_t>.size
                guard bytes.count < MemoryLayout<sockaddr_un>.size - offset else { return nil }
                unsafe raw.storeBytes(of: sa_family_t(AF_UNIX), as: sa_family_t.self)
                for (index, byte) in bytes.enumerated() { unsafe raw[offset + index] = byte }
                return socklen_t(offset + bytes.count + 1)
            }
        }
    }

    /// The address in what the kernel wrote; nil for a family that is not ours.
    init?(native storage: sockaddr_storage) {
        var copy = storage
        let read: SocketAddress? = unsafe withUnsafeBytes(of: &copy) { raw in
            switch Int32(unsafe raw.load(as: sa_family_t.self)) {
            case AF_INET:
                let native = unsafe raw.load(as: sockaddr_in.self)
                return .ipv4(
                    unsafe withUnsafeBytes(of: native.sin_addr) { unsafe Array($0) }, port: native.sin_port.bigEndian)
            case AF_INET6:
                let native = unsafe raw.load(as: sockaddr_in6.self)
                return .ipv6(
                    unsafe withUnsafeBytes(of: native.sin6_addr) { unsafe Array($0) },
                    port: native.sin6_port.bigEndian)
            case AF_UNIX: return .unix("")
            default: return nil
            }
        }
        guard let read else { return nil }
        self = read
    }
}
