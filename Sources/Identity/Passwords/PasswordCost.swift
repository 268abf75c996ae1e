internal import Glibc
internal import Synchronization

/// Makes every wrong password cost the same, whatever hash it is checked against: how long the answer takes must not tell an account
/// that was imported with another kind of hash, or any account, from one that is not there.
///
/// It goes by the thread's own CPU time, which other work on the machine stretches least. Bounded by `kindsAtMost`, and by
/// `timesCurrent`: a hash that is dearer still, of which only operators can import one, shows until its owner has logged in. So does one
/// dearer than a new one until the first look at it.
final class PasswordCost: Sendable {
    /// Kinds of hashes whose cost is known; of more, the dearest count.
    static let kindsAtMost = 16
    /// How many times what a new hash costs a no may cost.
    private static let timesCurrent: Int64 = 3
    /// Iterations of one piece of the work that evens out: a fraction of a millisecond.
    private static let piece = KeyFunction.pbkdf2(digest: .sha256, iterations: 500)

    private let costs = Mutex<[KeyFunction: Int64]>([:])

    /// Whether the password is that of `hash`, and of somebody who may log in; no hash: of nobody. A no takes as long as the dearest
    /// check that was seen, within the bound.
    func matches(_ password: String, _ hash: PasswordHash?, mayLogIn: Bool) -> Bool {
        let begun = Self.now
        let checked = hash ?? .dummy
        let matches = checked.matches(password)
        let attempts = Int64(PasswordText.forms(password).count)
        if !matches { note(checked.function, (Self.now - begun) / attempts) }
        guard !matches || !mayLogIn else { return true }
        if level(of: PasswordHash.current) == nil {
            let begun = Self.now
            _ = PasswordHash.dummy.matches(password)
            note(PasswordHash.current, (Self.now - begun) / attempts)
        }
        let target = attempts * self.target
        while Self.now - begun < target { _ = Self.piece.derive([], salt: [0], count: 32) }
        return false
    }

    private func level(of kind: KeyFunction) -> Int64? { costs.withLock { $0[kind] } }

    private var target: Int64 {
        costs.withLock { costs in
            min(costs.values.max() ?? 0, Self.timesCurrent * (costs[PasswordHash.current] ?? 0))
        }
    }

    /// A check of this kind took so long, in nanoseconds: an eighth of what is known of it changes.
    private func note(_ kind: KeyFunction, _ cost: Int64) {
        costs.withLock { costs in
            costs[kind] = costs[kind].map { $0 + (cost - $0) / 8 } ?? cost
            guard costs.count > Self.kindsAtMost else { return }
            let others = costs.filter { $0.key != PasswordHash.current }
            if let least = others.min(by: { $0.value < $1.value }) { costs[least.key] = nil }
        }
    }

    /// Nanoseconds of CPU that the thread has used.
    static var now: Int64 {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
