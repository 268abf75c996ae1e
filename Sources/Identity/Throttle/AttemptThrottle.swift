internal import Synchronization

/// Counts failures over the last minute: per account and address, and per address. No account is ever locked, since another
/// address counts for itself.
///
/// A failure is counted before the work that may fail is done, and taken back when it succeeds: parallel guesses do not
/// pass under the bound. Bounded by `accountsAtMost` and `addressesAtMost`; the oldest leave first.
public final class AttemptThrottle: Sendable {
    /// Pairs of account and address that are remembered at most.
    public static let accountsAtMost = 65_536
    /// Addresses that are remembered at most.
    public static let addressesAtMost = 16_384

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

    /// Counts a failure in advance at `now`, in monotonic nanoseconds; nil lets the attempt pass, else it has a chance again
    /// in so many seconds, at least one, and nothing was counted.
    public func begin(account: String, address: String, now: Int64) -> Int? {
        let place = AddressGroup.of(address)
        let pair = account + "\n" + place
        return state.withLock { state in
            let wait = max(
                state.accounts.wait(for: pair, now: now), state.addresses.wait(for: place, now: now))
            guard wait == 0 else { return Int((wait + 999_999_999) / 1_000_000_000) }
            state.accounts.add(pair, at: now)
            state.addresses.add(place, at: now)
            return nil
        }
    }

    /// Takes back what `begin` counted at `now`: the attempt did not fail.
    public func succeeded(account: String, address: String, now: Int64) {
        let place = AddressGroup.of(address)
        let pair = account + "\n" + place
        state.withLock { state in
            state.accounts.remove(pair, at: now)
            state.addresses.remove(place, at: now)
        }
    }

    /// How much is remembered, for tests of the bounds.
    var counts: (accounts: Int, addresses: Int) {
        state.withLock { ($0.accounts.count, $0.addresses.count) }
    }
}

/// The moments of the last minute's failures, by whose they are.
struct AttemptTable: Sendable {
    /// Nanoseconds for which a failure counts.
    static let window: Int64 = 60_000_000_000

    private let limit: Int
    private let capacity: Int
    private var failures: [String: [Int64]] = [:]

    init(limit: Int, capacity: Int) {
        self.limit = limit
        self.capacity = capacity
    }

    var count: Int { failures.count }

    /// Nanoseconds until another failure is within the bound; 0: now.
    mutating func wait(for key: String, now: Int64) -> Int64 {
        guard limit < .max, let known = failures[key] else { return 0 }
        let recent = known.filter { now - $0 < Self.window }
        if recent.count < known.count { failures[key] = recent.isEmpty ? nil : recent }
        guard recent.count >= limit else { return 0 }
        return recent[recent.count - limit] + Self.window - now
    }

    mutating func add(_ key: String, at moment: Int64) {
        guard limit < .max else { return }
        failures[key, default: []].append(moment)
        if failures.count > capacity { makeRoom(now: moment) }
    }

    mutating func remove(_ key: String, at moment: Int64) {
        guard limit < .max, var known = failures[key], let place = known.lastIndex(of: moment) else { return }
        known.remove(at: place)
        failures[key] = known.isEmpty ? nil : known
    }

    /// What no longer counts leaves; when that is not enough, an eighth that failed last the longest time ago.
    private mutating func makeRoom(now: Int64) {
        failures = failures.filter { now - ($0.value.last ?? 0) < Self.window }
        guard failures.count > capacity else { return }
        let moments = failures.values.map { $0.last ?? 0 }.sorted()
        let oldest = moments[capacity / 8]
        failures = failures.filter { ($0.value.last ?? 0) > oldest }
    }
}
