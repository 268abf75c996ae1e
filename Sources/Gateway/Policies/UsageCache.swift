import Configuration
import Identity

/// The counters that a shard uses, so that it asks the table of all once for a subject and a period. Confined to its
/// shard's queue. Bounded by `countersAtMost`: beyond, it starts over.
struct UsageCache {
    private static let countersAtMost = 65_536

    /// What the uses of an API key are counted by.
    struct Meters {
        let day: UsageCounter
        let month: UsageCounter
    }

    private var counters: [UInt64: UsageCounter] = [:]
    private var keys: [UInt64: Meters] = [:]

    /// The counter of a subject under a limit; `find` asks for it where it is not known, or its period is over.
    mutating func counter(_ hash: UInt64, now: Int64, find: () -> UsageCounter?) -> UsageCounter? {
        if let known = counters[hash], known.key.end > now { return known }
        guard let found = find() else { return nil }
        if counters.count >= Self.countersAtMost { counters.removeAll(keepingCapacity: true) }
        counters[hash] = found
        return found
    }

    /// The counters of an API key; nil when there are too many.
    mutating func meters(ofKey id: String, hash: UInt64, _ table: UsageTable, now: Int64) -> Meters? {
        if let known = keys[hash], known.day.key.end > now { return known }
        let subject = UsageTable.subject(ofKey: id)
        guard
            let day = table.counter(scope: UsageTable.keyScope, subject: subject, period: .day, now: now),
            let month = table.counter(scope: UsageTable.keyScope, subject: subject, period: .month, now: now)
        else { return nil }
        if keys.count >= Self.countersAtMost { keys.removeAll(keepingCapacity: true) }
        let meters = Meters(day: day, month: month)
        keys[hash] = meters
        return meters
    }
}
