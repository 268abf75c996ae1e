import Testing

@testable import Identity

@Suite("Password cost: a no takes as long whatever it was checked against", .serialized)
struct PasswordCostTests {
    private static func imported(_ iterations: Int) -> PasswordHash? {
        PasswordHash("pbkdf2_sha256$\(iterations)$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    }

    private let cost = PasswordCost()

    /// CPU seconds of a wrong password.
    private func seconds(_ hash: PasswordHash?, _ password: String = "wrong", mayLogIn: Bool = true) -> Double {
        let begun = PasswordCost.now
        #expect(!cost.matches(password, hash, mayLogIn: mayLogIn))
        return Double(PasswordCost.now - begun) / 1e9
    }

    @Test("an imported account, cheap or dear, costs what one that is not there does", arguments: [1, 2_600_000])
    func imported(iterations: Int) throws {
        let hash = try #require(Self.imported(iterations))
        _ = (seconds(hash), seconds(nil))
        // The fastest of three: whatever else runs makes some of both slower. Not evened out, it would be a hundredth, or more than twice.
        let times = (0..<3).map { _ in (seconds(hash), seconds(nil)) }
        let (known, unknown) = (times.map(\.0).min() ?? 0, times.map(\.1).min() ?? 1)
        #expect(0.5 < known / unknown && known / unknown < 2, "\(times)")
    }

    @Test("so does a disabled user's right password, and one that is not in NFC, which is tried in two forms")
    func others() throws {
        let cheap = try #require(
            PasswordHash("pbkdf2_sha256$1$salt$ROyM/iuk2SczHFjYoqDME9bx8b2aVf2IJuvZ0qLnUd8="))
        _ = (seconds(cheap), seconds(nil))
        let pairs = [
            (seconds(cheap, "right", mayLogIn: false), seconds(nil, "right")),
            (seconds(cheap, "e\u{301}"), seconds(nil, "e\u{301}")), (seconds(cheap, "e\u{301}"), 2 * seconds(nil)),
        ]
        for (one, other) in pairs { #expect(0.4 < one / other && one / other < 2.5, "\(pairs)") }
    }

    @Test("the right password is not kept waiting")
    func right() throws {
        let hash = try #require(
            PasswordHash("pbkdf2_sha256$1$salt$ROyM/iuk2SczHFjYoqDME9bx8b2aVf2IJuvZ0qLnUd8="))
        _ = seconds(nil)
        let begun = PasswordCost.now
        #expect(cost.matches("right", hash, mayLogIn: true))
        #expect(PasswordCost.now - begun < 20_000_000)
    }
}
