import Glibc
import Testing

@testable import Observability

/// A datagram socket that stands for the service manager's.
private final class NotifySocket {
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)

    init?(_ name: [UInt8]) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        let bound = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(descriptor, $0, length) }
        }
        guard bound == 0 else { return nil }
    }

    deinit { close(descriptor) }

    func receive() -> String {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe recv(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
        }
        return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
    }
}

@Suite("The service manager is told", .serialized)
struct SystemdNotifyTests {
    @Test("by a path or an abstract name", arguments: [true, false])
    func sends(isAbstract: Bool) throws {
        let name = isAbstract ? "@gatehouse-notify-\(getpid())" : "/tmp/gatehouse-notify-\(getpid())"
        let native = (isAbstract ? [0] + name.utf8.dropFirst() : Array(name.utf8) + [0])
        defer { if !isAbstract { unsafe unlink(name) } }
        let manager = try #require(NotifySocket(native))
        #expect(SystemdNotify.send("READY=1", to: name))
        #expect(manager.receive() == "READY=1")

        unsafe setenv("NOTIFY_SOCKET", name, 1)
        defer { unsafe unsetenv("NOTIFY_SOCKET") }
        #expect(SystemdNotify.ready(status: "8 routes\n2 listeners"))
        #expect(manager.receive() == "READY=1\nSTATUS=8 routes 2 listeners")
        #expect(SystemdNotify.stopping())
        #expect(manager.receive() == "STOPPING=1")
        #expect(SystemdNotify.mainProcess(42))
        #expect(manager.receive() == "MAINPID=42\nREADY=1")
        #expect(SystemdNotify.reloading())
        let lines = manager.receive().split(separator: "\n")
        #expect(lines.first == "RELOADING=1")
        let microseconds = lines.last.flatMap { $0.hasPrefix("MONOTONIC_USEC=") ? Int($0.dropFirst(15)) : nil }
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        #expect(try #require(microseconds) / 1_000_000 - now.tv_sec >= -5)
    }

    @Test(
        "nothing, and nothing breaks, when the address is not one",
        arguments: [
            "", "relative", "/", "@", "/tmp/nobody-listens", "/" + String(repeating: "a", count: 200), "vsock:2:1",
        ])
    func refuses(name: String) {
        #expect(!SystemdNotify.send("READY=1", to: name))
    }

    @Test("nothing when it does not ask")
    func silent() {
        #expect(!SystemdNotify.ready())
    }
}
