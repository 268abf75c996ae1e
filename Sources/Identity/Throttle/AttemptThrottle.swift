internal import Synchronization

/// Counts failures over the last minute: per account and address, and per address. No account is ever locked, since another
/// address counts for itself.
///
/// An attempt that is under way may fail: no more of them pass at once than failures are left, so that parallel guesses do
/// not slip through, and one more has to wait until it is known how they end. A success is never counted. Bounded by
/// `accountsAtMost` and `addressesAtMost`; the oldest leave first.
public final class AttemptThrottle: Sendable {
    /// Pairs of account and address that are remembered at most.
    public static let accountsAtMost = 65_536
    /// Addresses that are remembered at most.
    public static let addressesAtMost = 16_384

    /// What may become of an attempt.
    public enum Verdict: Sendable, Equatable {
        /// It may be made; `ended` has to be told how it ends.
        case goOn
        /// Others under way might use up the bound: to be asked again in a moment.
        case wait
        /// There were too many failures; it has a chance again in so many seconds, at least one.
        case refused(seconds: Int)
    }

    private struct State {
        var accounts: AttemptTable
        var addresses: AttemptTable
    }

    private let state: Mutex<State>

    /// A throttle that lets so many failures of a minute pass; `Int.max` does not count at all.
    public init(perAccount: Int = 10, perAddress: Int = 300) {
        state = Mutex(
            State(
                accounts: AttemptTable(limit: perAccount, capacity: Self.accountsAtMost),
                addresses: AttemptTable(limit: perAddress, capacity: Self.addressesAtMost)))
    }

    /// Whether an attempt may be made at `now`, in monotonic nanoseconds.
    public func begin(account: String, address: String, now: Int64) -> Verdict {
        let place = AddressGroup.of(address)
        let pair = account + "\n" + place
        return state.withLock { state in
            let wait = max(
                state.accounts.wait(for: pair, now: now), state.addresses.wait(for: place, now: now))
            guard wait == 0 else { return .refused(seconds: Int((wait + 999_999_999) / 1_000_000_000)) }
            guard state.accounts.hasRoom(for: pair), state.addresses.hasRoom(for: place) else { return .wait }
            state.accounts.begin(pair)
            state.addresses.begin(place)
            return .goOn
        }
    }

    /// Tells how an attempt ended that was let pass.
    public func ended(account: String, address: String, failed: Bool, now: Int64) {
        let place = AddressGroup.of(address)
        let pair = account + "\n" + place
        state.withLock { state in
            state.accounts.end(pair, failed: failed, now: now)
            state.addresses.end(place, failed: failed, now: now)
        }
    }

    /// How much is remembered, for tests of the bounds.
    var counts: (accounts: Int, addresses: Int) {
        state.withLock { ($0.accounts.count, $0.addresses.count) }
    }
}

/// The attempts under way and the moments of the last minute's failures, by whose they are.
struct AttemptTable: Sendable {
    /// Nanoseconds for which a failure counts.
    static let window: Int64 = 60_000_000_000

    private struct Entry: Sendable {
        var failures: [Int64] = []
        var underWay = 0
    }

    private let limit: Int
    private let capacity: Int
    private var entries: [String: Entry] = [:]

    init(limit: Int, capacity: Int) {
        self.limit = limit
        self.capacity = capacity
    }

    var count: Int { entries.count }

    /// Nanoseconds until another failure is within the bound; 0: now.
    mutating func wait(for key: String, now: Int64) -> Int64 {
        guard limit < .max, var known = entries[key] else { return 0 }
        let before = known.failures.count
        known.failures.removeAll { now - $0 >= Self.window }
        if known.failures.count < before { keep(known, for: key) }
        guard known.failures.count >= limit else { return 0 }
        return known.failures[known.failures.count - limit] + Self.window - now
    }

    /// Whether all attempts under way and one more may fail.
    func hasRoom(for key: String) -> Bool {
        guard limit < .max, let known = entries[key] else { return true }
        return known.failures.count + known.underWay < limit
    }

    mutating func begin(_ key: String) {
        guard limit < .max else { return }
        entries[key, default: Entry()].underWay += 1
    }

    mutating func end(_ key: String, failed: Bool, now: Int64) {
        guard limit < .max else { return }
        var entry = entries[key] ?? Entry()
        entry.underWay = max(entry.underWay - 1, 0)
        if failed { entry.failures.append(now) }
        keep(entry, for: key)
        if entries.count > capacity { makeRoom(now: now) }
    }

    private mutating func keep(_ entry: Entry, for key: String) {
        entries[key] = entry.failures.isEmpty && entry.underWay == 0 ? nil : entry
    }

    /// What no longer counts leaves; when that is not enough, an eighth that failed last the longest time ago.
    private mutating func makeRoom(now: Int64) {
        entries = entries.filter { $0.value.underWay > 0 || now - ($0.value.failures.last ?? 0) < Self.window }
        guard entries.count > capacity else { return }
        let moments = entries.values.map { $0.failures.last ?? now }.sorted()
        let oldest = moments[capacity / 8]
        entries = entries.filter { $0.value.underWay > 0 || ($0.value.failures.last ?? now) > oldest }
    }
}
