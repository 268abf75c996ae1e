import Testing

@testable import Identity

@Suite struct AttemptThrottleTests {
    private static let second: Int64 = 1_000_000_000

    private func fail(_ throttle: AttemptThrottle, _ account: String, _ address: String, at now: Int64)
        -> AttemptThrottle.Verdict
    {
        let verdict = throttle.begin(account: account, address: address, now: now)
        if verdict == .goOn { throttle.ended(account: account, address: address, failed: true, now: now) }
        return verdict
    }

    @Test("ten failures a minute for an account from an address, and the eleventh has to wait for the first to be over")
    func account() {
        let throttle = AttemptThrottle()
        for index in 0..<10 { #expect(fail(throttle, "a", "192.0.2.1", at: Int64(index) * Self.second) == .goOn) }
        #expect(fail(throttle, "a", "192.0.2.1", at: 10 * Self.second) == .refused(seconds: 50))
        #expect(fail(throttle, "a", "192.0.2.1", at: 59 * Self.second + 1) == .refused(seconds: 1), "never zero")
        #expect(fail(throttle, "a", "192.0.2.2", at: 10 * Self.second) == .goOn, "no account is locked")
        #expect(fail(throttle, "b", "192.0.2.1", at: 10 * Self.second) == .goOn, "nor an address")
        #expect(fail(throttle, "a", "192.0.2.1", at: 60 * Self.second) == .goOn)
        #expect(fail(throttle, "a", "192.0.2.1", at: 60 * Self.second) == .refused(seconds: 1))
    }

    @Test("300 failures a minute for an address, whatever the account")
    func address() {
        let throttle = AttemptThrottle()
        for index in 0..<300 { #expect(fail(throttle, "\(index)", "192.0.2.1", at: 5) == .goOn) }
        #expect(fail(throttle, "x", "192.0.2.1", at: 6) == .refused(seconds: 60))
        #expect(fail(throttle, "x", "192.0.2.2", at: 6) == .goOn)
    }

    @Test("attempts at once pass as far as all of them may fail, and successes are never counted")
    func parallel() {
        let throttle = AttemptThrottle()
        for _ in 0..<10 { #expect(throttle.begin(account: "a", address: "192.0.2.1", now: 1) == .goOn) }
        #expect(throttle.begin(account: "a", address: "192.0.2.1", now: 1) == .wait)
        throttle.ended(account: "a", address: "192.0.2.1", failed: false, now: 2)
        #expect(throttle.begin(account: "a", address: "192.0.2.1", now: 2) == .goOn)
        for _ in 0..<10 { throttle.ended(account: "a", address: "192.0.2.1", failed: true, now: 3) }
        #expect(throttle.begin(account: "a", address: "192.0.2.1", now: 4) == .refused(seconds: 60))
    }

    @Test("a success leaves nothing behind")
    func success() {
        let throttle = AttemptThrottle()
        for index in Int64(0)..<1_000 {
            #expect(throttle.begin(account: "a", address: "192.0.2.1", now: index) == .goOn)
            throttle.ended(account: "a", address: "192.0.2.1", failed: false, now: index)
        }
        #expect(throttle.counts == (0, 0))
    }

    @Test(
        "an IPv6 client counts by its site",
        arguments: [("2001:db8::1", "2001:db8::2", true), ("2001:db8::1", "2001:db8:0:1::1", false)])
    func site(_ row: (one: String, other: String, isSame: Bool)) {
        let throttle = AttemptThrottle()
        for _ in 0..<10 { #expect(fail(throttle, "a", row.one, at: 1) == .goOn) }
        #expect((fail(throttle, "a", row.other, at: 1) == .goOn) == !row.isSame)
    }

    @Test("200,000 accounts and addresses stay within the bounds, and the newest are remembered")
    func bounds() {
        let throttle = AttemptThrottle()
        for index in 0..<200_000 {
            _ = fail(throttle, "a\(index)", "10.\(index >> 16).\(index >> 8 & 255).\(index & 255)", at: Int64(index))
        }
        let counts = throttle.counts
        #expect(
            counts.accounts <= AttemptThrottle.accountsAtMost && counts.addresses <= AttemptThrottle.addressesAtMost)
        for _ in 0..<9 { #expect(fail(throttle, "a199999", "10.3.13.63", at: 200_000) == .goOn) }
        #expect(fail(throttle, "a199999", "10.3.13.63", at: 200_000) == .refused(seconds: 60))
    }
}
