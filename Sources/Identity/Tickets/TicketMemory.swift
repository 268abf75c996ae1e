internal import JOSE
internal import Synchronization

/// What a process remembers of tickets, so that who asks the same again and again does not reach the store: those that were presented
/// here, good or not, and users who have too many. Bounded by `capacity`; the oldest leave first.
final class TicketMemory: Sendable {
    /// Tickets that are remembered as presented, and users as having enough.
    static let capacity = 4_096
    /// Tickets that one user may be waiting for.
    static let waitingAtMost = Ticket.perUser
    /// Milliseconds for which it is remembered that a user has enough: another gateway may see them used.
    static let memory: Int64 = 1_000

    private struct State {
        var presented = ExpiringSet()
        var full = ExpiringSet()
        var waiting: [Digest256: Int] = [:]
    }

    private let state = Mutex(State())

    /// Whether a ticket is presented here for the first time; from now on it has been.
    func present(_ digest: Digest256, until end: Int64, now: Int64) -> Bool {
        state.withLock { $0.presented.insert(digest, until: end, now: now) }
    }

    /// The store did not answer: the ticket may be presented again.
    func forget(_ digest: Digest256) { state.withLock { $0.presented.remove(digest) } }

    /// Begins a wish of a user for a ticket; else in how many milliseconds there is a chance again.
    func begin(_ holder: Digest256, now: Int64) -> Int64? {
        state.withLock { state in
            if let end = state.full.end(of: holder), end > now { return end - now }
            guard state.waiting[holder, default: 0] < Self.waitingAtMost else { return 1_000 }
            state.waiting[holder, default: 0] += 1
            return nil
        }
    }

    /// It came to something; `fullUntil` when the user has as many as he may until then.
    func ended(_ holder: Digest256, fullUntil end: Int64? = nil, now: Int64) {
        state.withLock { state in
            let left = state.waiting[holder, default: 1] - 1
            state.waiting[holder] = left > 0 ? left : nil
            if let end { _ = state.full.insert(holder, until: min(end, now + Self.memory), now: now) }
        }
    }

    /// One of the user's was used: he may have another.
    func hasRoom(_ holder: Digest256) { state.withLock { $0.full.remove(holder) } }
}

/// Digests that count until a moment, in unix milliseconds.
private struct ExpiringSet {
    private var ends: [Digest256: Int64] = [:]

    func end(of digest: Digest256) -> Int64? { ends[digest] }

    /// False when it was there already.
    mutating func insert(_ digest: Digest256, until end: Int64, now: Int64) -> Bool {
        if let known = ends[digest], known > now { return false }
        if ends.count >= TicketMemory.capacity { makeRoom(now) }
        ends[digest] = end
        return true
    }

    mutating func remove(_ digest: Digest256) { ends[digest] = nil }

    /// Those that are over leave; when that is not enough, the eighth that ends first.
    private mutating func makeRoom(_ now: Int64) {
        ends = ends.filter { $0.value > now }
        guard ends.count >= TicketMemory.capacity else { return }
        let bound = ends.values.sorted()[TicketMemory.capacity / 8]
        ends = ends.filter { $0.value > bound }
    }
}
