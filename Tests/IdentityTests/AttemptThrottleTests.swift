import Testing

@testable import Identity

@Suite struct AttemptThrottleTests {
    private static let second: Int64 = 1_000_000_000

    @Test("ten failures a minute for an account from an address, and the eleventh has to wait for the first to be over")
    func account() {
        let throttle = AttemptThrottle()
        for index in 0..<10 {
            #expect(throttle.begin(account: "a", address: "192.0.2.1", now: Int64(index) * Self.second) == nil)
        }
        #expect(throttle.begin(account: "a", address: "192.0.2.1", now: 10 * Self.second) == 50)
        #expect(throttle.begin(account: "a", address: "192.0.2.1", now: 59 * Self.second + 1) == 1, "never zero")
        #expect(
            throttle.begin(account: "a", address: "192.0.2.2", now: 10 * Self.second) == nil, "no account is locked")
        #expect(throttle.begin(account: "b", address: "192.0.2.1", now: 10 * Self.second) == nil, "nor an address")
        #expect(throttle.begin(account: "a", address: "192.0.2.1", now: 60 * Self.second) == nil)
        #expect(throttle.begin(account: "a", address: "192.0.2.1", now: 60 * Self.second) == 1)
    }

    @Test("300 failures a minute for an address, whatever the account")
    func address() {
        let throttle = AttemptThrottle()
        for index in 0..<300 { #expect(throttle.begin(account: "\(index)", address: "192.0.2.1", now: 5) == nil) }
        #expect(throttle.begin(account: "x", address: "192.0.2.1", now: 6) == 60)
        #expect(throttle.begin(account: "x", address: "192.0.2.2", now: 6) == nil)
    }

    @Test("a success is not counted")
    func success() {
        let throttle = AttemptThrottle()
        for index in 0..<1_000 {
            #expect(throttle.begin(account: "a", address: "192.0.2.1", now: Int64(index)) == nil)
            throttle.succeeded(account: "a", address: "192.0.2.1", now: Int64(index))
        }
        #expect(throttle.counts == (0, 0))
    }

    @Test(
        "an IPv6 client counts by its site",
        arguments: [("2001:db8::1", "2001:db8::2", true), ("2001:db8::1", "2001:db8:0:1::1", false)])
    func site(_ row: (one: String, other: String, isSame: Bool)) {
        let throttle = AttemptThrottle()
        for _ in 0..<10 { #expect(throttle.begin(account: "a", address: row.one, now: 1) == nil) }
        #expect((throttle.begin(account: "a", address: row.other, now: 1) == nil) == !row.isSame)
    }

    @Test("200,000 accounts and addresses stay within the bounds, and the newest are remembered")
    func bounds() {
        let throttle = AttemptThrottle()
        for index in 0..<200_000 {
            _ = throttle.begin(
                account: "a\(index)", address: "10.\(index >> 16).\(index >> 8 & 255).\(index & 255)", now: Int64(index)
            )
        }
        let counts = throttle.counts
        #expect(
            counts.accounts <= AttemptThrottle.accountsAtMost && counts.addresses <= AttemptThrottle.addressesAtMost)
        for _ in 0..<9 { #expect(throttle.begin(account: "a199999", address: "10.3.13.63", now: 200_000) == nil) }
        #expect(throttle.begin(account: "a199999", address: "10.3.13.63", now: 200_000) != nil)
    }
}
