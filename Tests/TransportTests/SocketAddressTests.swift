import CLinux
import Testing

@testable import Transport

@Suite("SocketAddress: numeric addresses, as text and as the kernel has them")
struct SocketAddressTests {
    static let texts: [Row<String, String?>] = [
        Row("IPv4", "127.0.0.1", "127.0.0.1:80"),
        Row("IPv6", "::1", "[::1]:80"),
        Row("IPv6 in brackets", "[2001:DB8::1]", "[2001:db8::1]:80", why: "RFC 5952: shortest form, lower case"),
        Row("IPv6, zeros inside", "1:0:0:0:0:0:0:8", "[1::8]:80"),
        Row("IPv4-mapped", "::ffff:10.0.0.1", "[::ffff:10.0.0.1]:80"),
        Row("a host name", "localhost", nil, why: "names are resolved elsewhere"),
        Row("empty", "", nil),
        Row("empty brackets", "[]", nil),
        Row("half a bracket", "[::1", nil),
        Row("three numbers", "10.0.1", nil, why: "inet_aton's shorthands hide addresses"),
        Row("a number", "2130706433", nil, why: "the same"),
        Row("octal", "0177.0.0.1", nil, why: "the same"),
        Row("hexadecimal", "0x7f.0.0.1", nil, why: "the same"),
        Row("256", "256.0.0.1", nil),
        Row("a blank", " 127.0.0.1", nil),
        Row("a port", "127.0.0.1:80", nil),
        Row("a zone", "fe80::1%eth0", nil),
        Row("five digits", "::12345", nil),
    ]

    @Test("text becomes an address or nothing", arguments: texts)
    func parses(_ row: Row<String, String?>) {
        let address = SocketAddress(host: row.input, port: 80)
        #expect(address?.description == row.expectation, "\(row.why)")
    }

    @Test(
        "the host as logged and forwarded: no brackets, no port, mapped IPv4 as IPv4",
        arguments: [
            Row("IPv4", "10.1.2.3", "10.1.2.3"), Row("IPv6", "[2001:db8::7]", "2001:db8::7"),
            Row("mapped", "::ffff:192.0.2.1", "192.0.2.1"), Row("compatible", "::192.0.2.1", "::192.0.2.1"),
        ])
    func hostText(_ row: Row<String, String>) throws {
        let address = try #require(SocketAddress(host: row.input, port: 1))
        #expect(address.hostText == row.expectation)
    }

    @Test(
        "only this machine's addresses are local",
        arguments: [
            Row("127.0.0.1", "127.0.0.1", true), Row("all of 127/8", "127.255.255.254", true), Row("::1", "::1", true),
            Row("mapped", "::ffff:127.0.0.1", true), Row("::", "::", false), Row("0.0.0.0", "0.0.0.0", false),
            Row("private", "10.0.0.1", false), Row("128", "128.0.0.1", false), Row("::2", "::2", false),
            Row("1::1", "1::1", false), Row("mapped private", "::ffff:10.0.0.1", false),
        ])
    func isLocal(_ row: Row<String, Bool>) throws {
        let address = try #require(SocketAddress(host: row.input, port: 1))
        #expect(address.isLocal == row.expectation)
    }

    @Test("a Unix socket is local, has no host and shows its path")
    func unixSocket() {
        let address = SocketAddress.unix("/run/gatehouse.sock")
        #expect(address.isLocal)
        #expect(address.hostText.isEmpty)
        #expect(address.unmapped == address)
        #expect(address.description == "unix:/run/gatehouse.sock")
    }

    @Test("what goes to the kernel comes back", arguments: ["10.1.2.3", "::1", "2001:db8::ff00:1"])
    func native(host: String) throws {
        let address = try #require(SocketAddress(host: host, port: 0x1234))
        let descriptor = try Sockets.listen(at: try #require(SocketAddress(host: "127.0.0.1", port: 0)))
        defer { Sockets.close(descriptor) }
        let back = unsafe address.withNative { pointer, length -> SocketAddress? in
            var storage = sockaddr_storage()
            unsafe withUnsafeMutableBytes(of: &storage) {
                unsafe $0.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: Int(length)))
            }
            return SocketAddress(native: storage)
        }
        #expect(back == .some(address))
    }

    @Test("a Unix path as long as the kernel takes, and one byte more", arguments: [(107, true), (108, false)])
    func longPath(count: Int, fits: Bool) {
        let path = "/" + String(repeating: "p", count: count - 1)
        #expect(unsafe (SocketAddress.unix(path).withNative { _, _ in true } ?? false) == fits)
    }
}
