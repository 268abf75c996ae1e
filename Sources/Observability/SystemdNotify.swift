import Glibc

/// Tells the service manager how it stands with this process, by the protocol of sd_notify(3): datagrams of `NAME=value` lines
/// to the socket that `NOTIFY_SOCKET` names. Without that variable nothing is sent. Each call says whether it was sent.
public enum SystemdNotify {
    /// Serving begins, or a reload is done.
    @discardableResult
    public static func ready(status: String = "") -> Bool { notify(lines("READY=1", status)) }

    /// Draining begins.
    @discardableResult
    public static func stopping(status: String = "") -> Bool { notify(lines("STOPPING=1", status)) }

    /// A reload begins; `ready` ends it. The manager needs the time to match it with its own request.
    @discardableResult
    public static func reloading() -> Bool {
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        return notify("RELOADING=1\nMONOTONIC_USEC=\(now.tv_sec * 1_000_000 + now.tv_nsec / 1000)")
    }

    /// Another process, a new binary that took over, is the main one from now on.
    @discardableResult
    public static func mainProcess(_ identifier: Int32) -> Bool { notify("MAINPID=\(identifier)\nREADY=1") }

    private static func lines(_ state: String, _ status: String) -> String {
        guard !status.isEmpty else { return state }
        return state + "\nSTATUS=" + status.replacing("\n", with: " ")
    }

    private static func notify(_ message: String) -> Bool {
        guard let name = unsafe getenv("NOTIFY_SOCKET") else { return false }
        return send(message, to: unsafe String(cString: name))
    }

    /// Sends `message` to a socket named by an absolute path, or by `@` and an abstract name (unix(7)).
    static func send(_ message: String, to name: String) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var path = Array(name.utf8)
        let isAbstract = path.first == UInt8(ascii: "@")
        guard isAbstract || path.first == UInt8(ascii: "/"), path.count > 1 else { return false }
        if isAbstract { path[0] = 0 }
        let room = unsafe withUnsafeMutableBytes(of: &address.sun_path) { place in
            // A path needs its terminating zero; an abstract name is as long as the length says.
            guard path.count + (isAbstract ? 0 : 1) <= place.count else { return false }
            unsafe place.copyBytes(from: path)
            return true
        }
        guard room else { return false }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + path.count + (isAbstract ? 0 : 1))

        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let bytes = Array(message.utf8)
        let sent = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { native in
                unsafe bytes.withUnsafeBytes { unsafe sendto(descriptor, $0.baseAddress, $0.count, 0, native, length) }
            }
        }
        return sent == bytes.count
    }
}
