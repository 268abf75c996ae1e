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
        /// When its last use was told of, in unix seconds.
        var notedAt: Int64 = 0
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

    /// The counters of an API key; nil when there are too many. `isNews` tells that its use is to be told of, once a minute.
    mutating func meters(
        ofKey id: String, hash: UInt64, _ table: UsageTable, now: Int64
    ) -> (meters: Meters?, isNews: Bool) {
        if let known = keys[hash], known.day.key.end > now {
            let isNews = now < known.notedAt || now - known.notedAt >= KeyUseNotes.interval
            if isNews { keys[hash]?.notedAt = now }
            return (known, isNews)
        }
        let fresh = makeMeters(ofKey: id, table, now: now)
        if let fresh {
            if keys.count >= Self.countersAtMost { keys.removeAll(keepingCapacity: true) }
            keys[hash] = fresh
        }
        return (fresh, true)
    }

    private func makeMeters(ofKey id: String, _ table: UsageTable, now: Int64) -> Meters? {
        let subject = UsageTable.subject(ofKey: id)
        guard
            let day = table.counter(
                scope: UsageTable.keyScope, subject: subject, owner: "", period: .day, now: now),
            let month = table.counter(
                scope: UsageTable.keyScope, subject: subject, owner: "", period: .month, now: now)
        else { return nil }
        return Meters(day: day, month: month, notedAt: now)
    }
}
