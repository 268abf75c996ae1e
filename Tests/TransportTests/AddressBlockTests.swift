import Testing

@testable import Transport

@Suite("AddressBlock: networks in CIDR notation (RFC 4632 §3.1)")
struct AddressBlockTests {
    @Test(
        "text becomes a block or nothing",
        arguments: [
            Row("one address", "10.0.0.1", true), Row("a network", "10.0.0.0/8", true),
            Row("everything", "0.0.0.0/0", true),
            Row("one address as a network", "10.0.0.1/32", true), Row("odd length", "10.0.0.8/29", true),
            Row("IPv6", "2001:db8::/32", true), Row("all IPv6", "::/0", true), Row("one IPv6", "::1/128", true),
            Row("bits behind the prefix", "10.0.0.1/8", false, why: "one of the two is a mistake"),
            Row("one bit behind the prefix", "10.0.0.12/29", false, why: "the same"),
            Row("IPv6 bits behind the prefix", "2001:db8::1/64", false, why: "the same"),
            Row("33", "10.0.0.0/33", false), Row("129", "::/129", false), Row("negative", "10.0.0.0/-1", false),
            Row("no length", "10.0.0.0/", false), Row("two lengths", "10.0.0.0/8/8", false), Row("words", "all", false),
            Row("empty", "", false), Row("a netmask", "10.0.0.0/255.0.0.0", false),
            Row("a blank", "10.0.0.0/ 8", false),
        ])
    func parses(_ row: Row<String, Bool>) {
        #expect((AddressBlock(row.input) != nil) == row.expectation, "\(row.why)")
    }

    static let memberships: [Row<(block: String, address: String), Bool>] = [
        Row("the first", ("10.0.0.0/8", "10.0.0.0"), true),
        Row("the last", ("10.0.0.0/8", "10.255.255.255"), true),
        Row("one before", ("10.0.0.0/8", "9.255.255.255"), false),
        Row("one behind", ("10.0.0.0/8", "11.0.0.0"), false),
        Row("inside an odd length", ("10.0.0.8/29", "10.0.0.15"), true),
        Row("behind an odd length", ("10.0.0.8/29", "10.0.0.16"), false),
        Row("all", ("0.0.0.0/0", "255.255.255.255"), true),
        Row("all IPv4 has no IPv6", ("0.0.0.0/0", "::1"), false),
        Row("all IPv6 has no IPv4", ("::/0", "10.0.0.1"), false),
        Row("single", ("10.0.0.1", "10.0.0.1"), true),
        Row("not the single", ("10.0.0.1", "10.0.0.2"), false),
        Row("mapped counts as IPv4", ("10.0.0.0/8", "::ffff:10.1.2.3"), true),
        Row("mapped is not IPv6", ("::/0", "::ffff:10.1.2.3"), false),
        Row("IPv6 inside", ("2001:db8::/33", "2001:db8:7fff::1"), true),
        Row("IPv6 behind", ("2001:db8::/33", "2001:db8:8000::1"), false),
    ]

    @Test("an address is inside or outside", arguments: memberships)
    func contains(_ row: Row<(block: String, address: String), Bool>) throws {
        let block = try #require(AddressBlock(row.input.block))
        let address = try #require(SocketAddress(host: row.input.address, port: 443))
        #expect(block.contains(address) == row.expectation)
    }

    @Test("a Unix socket is in no block")
    func unixSocket() throws {
        #expect(try !#require(AddressBlock("0.0.0.0/0")).contains(.unix("/run/x")))
    }
}
