import Testing
import Transport

@testable import Gateway

@Suite("ProxyHeader: the PROXY protocol, versions 1 and 2")
struct ProxyHeaderTests {
    /// `incomplete`, `invalid`, or whom it names and the header's length.
    private static func outcome(_ bytes: [UInt8]) -> String {
        let (outcome, length) = ProxyHeader.parse(bytes)
        switch outcome {
        case .incomplete: return "incomplete"
        case .invalid: return "invalid"
        case .address(let address): return "\(address?.description ?? "peer") \(length)"
        }
    }

    static let texts: [Row<String, String>] = [
        Row("IPv4", "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", "192.0.2.1:56324 45"),
        Row("IPv6", "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n", "[2001:db8::1]:1 36"),
        Row("bytes behind it are not its own", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n\u{16}\u{3}", "1.2.3.4:1 32"),
        Row("UNKNOWN", "PROXY UNKNOWN\r\n", "peer 15"),
        Row("UNKNOWN with whatever follows", "PROXY UNKNOWN ffff::1 ::1 1 2\r\n", "peer 31"),
        Row("nothing yet", "", "incomplete"), Row("a beginning", "PRO", "incomplete"),
        Row("no end yet", "PROXY TCP4 192.0.2.1 ", "incomplete"),
        Row("CR without LF yet", "PROXY UNKNOWN\r", "incomplete"),
        Row("no header", "GET / HTTP/1.1\r\n", "invalid"), Row("lower case", "proxy TCP4 ", "invalid"),
        Row("a TLS hello", "\u{16}\u{3}\u{1}", "invalid"),
        Row("bare LF", "PROXY UNKNOWN\n", "invalid"), Row("only a line end", "\n", "invalid"),
        Row("another protocol", "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n", "invalid"),
        Row("families that differ", "PROXY TCP4 ::1 ::1 1 2\r\n", "invalid"),
        Row("families that differ, the other way", "PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n", "invalid"),
        Row("a name", "PROXY TCP4 localhost 5.6.7.8 1 2\r\n", "invalid"),
        Row("a bad destination", "PROXY TCP4 1.2.3.4 5.6.7 1 2\r\n", "invalid"),
        Row("a port too large", "PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n", "invalid"),
        Row("a negative port", "PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n", "invalid"),
        Row("no port", "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", "invalid"),
        Row("a word more", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n", "invalid"),
        Row("two blanks", "PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n", "invalid"),
        Row("as long as allowed", "PROXY UNKNOWN \(String(repeating: "x", count: 91))\r\n", "peer 107"),
        Row("too long", "PROXY UNKNOWN \(String(repeating: "x", count: 92))\r\n", "invalid"),
        Row("too long and still no end", "PROXY UNKNOWN \(String(repeating: "x", count: 200))", "invalid"),
    ]

    @Test("version 1", arguments: texts)
    func text(_ row: Row<String, String>) {
        #expect(Self.outcome(Array(row.input.utf8)) == row.expectation)
    }

    private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]
    private static let ipv4: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 4, 1, 187]
    private static let ipv6 =
        [UInt8](repeating: 0, count: 15) + [1] + [UInt8](repeating: 0, count: 15) + [2, 0, 80, 1, 187]

    /// A header of version 2 with a true length.
    private static func binary(_ command: UInt8, _ family: UInt8, _ rest: [UInt8]) -> [UInt8] {
        signature + [command, family, UInt8(rest.count >> 8), UInt8(rest.count & 255)] + rest
    }

    static let binaries: [Row<[UInt8], String>] = [
        Row("IPv4", binary(0x21, 0x11, ipv4), "192.0.2.1:56324 28"),
        Row("IPv6", binary(0x21, 0x21, ipv6), "[::1]:80 52"),
        Row("extensions are passed over", binary(0x21, 0x11, ipv4 + [3, 0, 4, 1, 2, 3, 4]), "192.0.2.1:56324 35"),
        Row("bytes behind it", binary(0x21, 0x11, ipv4) + [22, 3, 1], "192.0.2.1:56324 28"),
        Row("LOCAL", binary(0x20, 0x00, []), "peer 16"),
        Row("LOCAL with addresses", binary(0x20, 0x11, ipv4), "peer 28"),
        Row("no family", binary(0x21, 0x00, []), "peer 16"),
        Row("version 1 in binary", binary(0x11, 0x11, ipv4), "invalid"),
        Row("version 3", binary(0x31, 0x11, ipv4), "invalid"),
        Row("an unknown command", binary(0x22, 0x11, ipv4), "invalid"),
        Row("UDP", binary(0x21, 0x12, ipv4), "invalid"),
        Row("a Unix socket", binary(0x21, 0x31, [UInt8](repeating: 0, count: 216)), "invalid"),
        Row("addresses too short", binary(0x21, 0x11, Array(ipv4.dropLast())), "invalid"),
        Row("IPv6 with IPv4's length", binary(0x21, 0x21, ipv4), "invalid"),
        Row("the largest", binary(0x20, 0, [UInt8](repeating: 0, count: 2048)), "peer 2064"),
        Row("too large", binary(0x20, 0, [UInt8](repeating: 0, count: 2049)), "invalid"),
        Row("65535 announced", signature + [0x21, 0x11, 255, 255], "invalid"),
        Row("a signature that goes wrong", Array(signature.dropLast()) + [11], "invalid"),
    ]

    @Test("version 2", arguments: binaries)
    func binary(_ row: Row<[UInt8], String>) {
        #expect(Self.outcome(row.input) == row.expectation)
    }

    @Test("every beginning of a header waits for more; of anything else it waits or is refused")
    func prefixes() {
        for row in Self.texts
            + Self.binaries.map({ Row($0.name, String(decoding: $0.input, as: UTF8.self), $0.expectation) })
        {
            let bytes = Array(row.input.utf8)
            for count in 0..<bytes.count { _ = Self.outcome(Array(bytes[..<count])) }
        }
        let whole =
            Self.texts.map { (Array($0.input.utf8), $0.expectation) } + Self.binaries.map { ($0.input, $0.expectation) }
        for (bytes, expectation) in whole where expectation.contains(" ") {
            let length = Int(expectation.split(separator: " ")[1]) ?? 0
            for count in 0..<length { #expect(Self.outcome(Array(bytes[..<count])) == "incomplete") }
            for count in length...bytes.count { #expect(Self.outcome(Array(bytes[..<count])) == expectation) }
        }
    }

    @Test("no byte in any place crashes it")
    func mutations() {
        for bytes in [
            Self.binary(0x21, 0x21, Self.ipv6), Array("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n".utf8),
        ] {
            for place in bytes.indices {
                for value in [0, 1, 10, 13, 32, 127, 128, 255] as [UInt8] {
                    var other = bytes
                    other[place] = value
                    _ = Self.outcome(other)
                }
            }
        }
    }
}
