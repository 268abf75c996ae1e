internal import Synchronization

/// What a counter counts: the requests of one subject under one limit, in one period.
public struct UsageKey: Hashable, Sendable {
    /// The limit: a route's name, or `key` for all requests with an API key.
    public let scope: String
    /// Who: `key:…`, `user:…`, an address.
    public let subject: String
    /// When the period begins, in unix seconds.
    public let start: Int64
    /// When the next one does.
    public let end: Int64

    /// A key.
    public init(scope: String, subject: String, start: Int64, end: Int64) {
        self.scope = scope
        self.subject = subject
        self.start = start
        self.end = end
    }
}

/// A count of requests, as the store keeps it.
public struct Usage: Sendable, Equatable {
    /// What is counted.
    public let key: UsageKey
    /// The requests; where something is to be added, those that are new.
    public let count: Int64

    /// A count.
    public init(key: UsageKey, count: Int64) {
        self.key = key
        self.count = count
    }
}

/// Requests of one subject in one period, counted by all shards at once.
public final class UsageCounter: Sendable {
    /// What is counted.
    public let key: UsageKey
    private let total: Atomic<Int64>
    private let unsaved = Atomic<Int64>(0)
    /// Told when the first request comes that the store does not know of.
    private let becameUnsaved: @Sendable (UsageCounter) -> Void

    init(_ key: UsageKey, count: Int64, becameUnsaved: @escaping @Sendable (UsageCounter) -> Void) {
        self.key = key
        self.becameUnsaved = becameUnsaved
        total = Atomic(count)
    }

    /// Requests so far.
    public var count: Int64 { total.load(ordering: .relaxed) }

    /// Counts a request unless there were `limit` already; gives how many more there may be, or nil when there may not be one.
    public func take(limit: Int64) -> Int64? {
        var known = count
        while known < limit {
            let (isDone, found) = total.compareExchange(expected: known, desired: known + 1, ordering: .relaxed)
            if isDone {
                noteUnsaved()
                return limit - known - 1
            }
            known = found
        }
        return nil
    }

    /// Counts a request that nothing limits.
    public func add() {
        total.add(1, ordering: .relaxed)
        noteUnsaved()
    }

    private func noteUnsaved() {
        if unsaved.add(1, ordering: .relaxed).oldValue == 0 { becameUnsaved(self) }
    }

    /// The store says how many there were, those of other processes too, and without what is not saved yet.
    func reconcile(saved: Int64) {
        let known = saved + unsaved.load(ordering: .relaxed)
        var seen = count
        while seen < known {
            let (isDone, found) = total.compareExchange(expected: seen, desired: known, ordering: .relaxed)
            if isDone { return }
            seen = found
        }
    }

    /// Everything is in the store.
    var isSaved: Bool { unsaved.load(ordering: .relaxed) == 0 }

    /// What the store does not know of yet; it is told now.
    func takeUnsaved() -> Int64 { unsaved.exchange(0, ordering: .relaxed) }

    /// The store could not be told.
    func giveBack(_ count: Int64) { unsaved.add(count, ordering: .relaxed) }
}
