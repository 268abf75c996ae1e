import Identity
import Testing

@Suite("A presented refresh token: what it leads to (RFC 9700 §4.14.2)")
struct StoredTokenTests {
    private static let pair = TokenPair(
        refreshID: "r", accessID: "a", sessionID: "s", userID: "u", issuedAt: 1, expiresAt: 9)

    /// Dead, spent at, successor, and what it leads to 10 s after the epoch with an overlap of 3 s.
    private static let rows: [(Bool, Int64?, String?, StoredToken.Verdict, String)] = [
        (false, nil, nil, .unspent, "never used"),
        (true, nil, nil, .dead, "logged out"),
        (true, 9_000, "n", .dead, "logged out, whatever else"),
        (false, 9_000, "n", .repeated(successorID: "n"), "the other of two tabs"),
        (false, 7_001, "n", .repeated(successorID: "n"), "just within the overlap"),
        (false, 7_000, "n", .reused, "the overlap is over"),
        (false, 9_000, nil, .reused, "spent for nothing that is known"),
        (false, 11_000, "n", .repeated(successorID: "n"), "spent by a clock that is ahead"),
    ]

    @Test(arguments: rows)
    func verdict(isDead: Bool, spentAt: Int64?, successor: String?, expected: StoredToken.Verdict, why: String) {
        let token = StoredToken(
            pair: Self.pair, isDead: isDead, spentAtMilliseconds: spentAt, successorID: successor)
        #expect(token.verdict(nowMilliseconds: 10_000, overlap: 3_000) == expected, "\(why)")
        let isGood = !isDead && spentAt == nil
        #expect(token.inspection == (isGood ? .unspent(Self.pair) : .dead), "\(why)")
    }
}
