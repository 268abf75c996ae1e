public import Configuration
internal import Dispatch
internal import Synchronization
internal import Transport

/// The counters of quotas and of API keys' use, which outlive the process: the store hears of new counts within
/// `saveInterval`, so that many a `kill -9` loses, and tells what other processes counted. Bounded by `countersAtMost`, and by
/// `countersOfOne` for each user or network, so that nobody takes the places of all; counters whose period is over leave, and
/// where places run short those that hardly counted.
///
/// Shards keep the counters that they use, so that the mutex here is taken once for a subject and a period.
public final class UsageTable: Sendable {
    /// Counters at a time. With more subjects nobody new is counted, and quotas refuse.
    public static let countersAtMost = 1_000_000
    /// Counters that one user, or one network, has at most.
    public static let countersOfOne = 4_096
    /// Seconds until a count is in the store.
    public static let saveInterval = 2
    /// Counts that are written in one transaction.
    private static let batch = 1_000
    /// The scope of all requests with an API key.
    public static let keyScope = "key"
    /// The subject of an API key.
    public static func subject(ofKey id: String) -> String { "key:\(id)" }

    private struct State {
        var counters: [UsageKey: UsageCounter] = [:]
        var owners: [String: Int] = [:]
        var isTrimming = false
        var unsaved: [UsageCounter] = []
        var isScheduled = false
        /// When those that are over were last looked for.
        var sweptAt: Int64 = 0
    }

    private let store: any IdentityStore
    private let queue = DispatchQueue(label: "gatehouse.usage", qos: .utility)
    private let state = Mutex(State())
    private let hurriedUntil = Atomic<Int64>(0)

    private let capacity: Int

    init(store: any IdentityStore, capacity: Int = UsageTable.countersAtMost) {
        self.store = store
        self.capacity = capacity
    }

    /// Learns what was counted before.
    func load(now: Int64) throws(StoreError) {
        let known = try store.usages(now: now)
        for usage in known { _ = enter(usage.key, count: usage.count) }
    }

    /// The counter of a subject for the period of `now`; nil when there are too many.
    public func counter(
        scope: String, subject: String, owner: String = "", period: Quota.Period, now: Int64
    ) -> UsageCounter? {
        let span = period.span(at: now)
        let key = UsageKey(scope: scope, subject: subject, start: span.lowerBound, end: span.upperBound)
        return enter(key, count: 0, owner: owner, now: now)
    }

    /// What was counted for a subject in the period of `now`.
    public func count(scope: String, subject: String, period: Quota.Period, now: Int64) -> Int64 {
        let span = period.span(at: now)
        let key = UsageKey(scope: scope, subject: subject, start: span.lowerBound, end: span.upperBound)
        return state.withLock { $0.counters[key]?.count } ?? 0
    }

    private func enter(_ key: UsageKey, count: Int64, owner: String = "", now: Int64 = 0) -> UsageCounter? {
        let (counter, isShort) = state.withLock { state -> (UsageCounter?, Bool) in
            if let known = state.counters[key] { return (known, false) }
            let isShort = state.counters.count >= capacity / 4 * 3 && !state.isTrimming
            if isShort { state.isTrimming = true }
            guard state.counters.count < capacity, state.owners[owner, default: 0] < Self.countersOfOne
            else {
                return (nil, isShort)
            }
            let counter = UsageCounter(key, count: count) { [weak self] in self?.note($0) }
            state.counters[key] = counter
            if !owner.isEmpty { state.owners[owner, default: 0] += 1 }
            return (counter, isShort)
        }
        if isShort { queue.async { [self] in trim() } }
        return counter
    }

    /// Makes room: first what is over, then those that counted least and are saved. Who comes back after that begins anew with
    /// what the store adds up.
    private func trim() {
        save()
        var least: Int64 = 1
        while true {
            let limit = least
            let isEnough = state.withLock { state in
                state.counters = state.counters.filter { $0.key.end > WallClock.seconds() }
                if state.counters.count >= capacity / 2 {
                    state.counters = state.counters.filter { !$0.value.isSaved || $0.value.count > limit }
                }
                let isEnough = state.counters.count < capacity / 2 || limit > 1 << 40
                if isEnough { (state.owners, state.isTrimming) = ([:], false) }
                return isEnough
            }
            if isEnough { return }
            least *= 4
        }
    }

    private func note(_ counter: UsageCounter) {
        let isFirst = state.withLock { state in
            state.unsaved.append(counter)
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        if isFirst { queue.asyncAfter(deadline: .now() + saveDelay) { [self] in save() } }
    }

    /// Counts go to the store, and come from it, nearly at once for so many seconds: another process counts the same callers.
    public func hurry(seconds: Int64) {
        hurriedUntil.store(
            MonotonicTime.now().advanced(byNanoseconds: seconds * 1_000_000_000).nanoseconds, ordering: .relaxed)
    }

    private var saveDelay: DispatchTimeInterval {
        MonotonicTime.now().nanoseconds < hurriedUntil.load(ordering: .relaxed)
            ? .milliseconds(5) : .seconds(Self.saveInterval)
    }

    /// Writes what is new, and waits for that.
    public func flush() { queue.sync { save() } }

    private func save() {
        let counters = state.withLock { state in
            defer { (state.unsaved, state.isScheduled) = ([], false) }
            sweep(&state, now: WallClock.seconds())
            return state.unsaved
        }
        var start = 0
        while start < counters.count {
            let some = counters[start..<min(start + Self.batch, counters.count)]
            start += some.count
            let usages = some.map { Usage(key: $0.key, count: $0.takeUnsaved()) }
            do throws(StoreError) {
                let totals = try store.add(usages)
                for (counter, total) in zip(some, totals) { counter.reconcile(saved: total) }
            } catch {
                for (counter, usage) in zip(some, usages) where usage.count > 0 {
                    counter.giveBack(usage.count)
                    note(counter)
                }
            }
        }
    }

    /// Forgets the periods that are over, once a minute at most.
    private func sweep(_ state: inout State, now: Int64) {
        guard now - state.sweptAt >= 60 else { return }
        state.sweptAt = now
        let before = state.counters.count
        state.counters = state.counters.filter { $0.key.end > now }
        if state.counters.count < before { state.owners = [:] }
    }
}

extension Quota.Period {
    /// The period that a moment, in unix seconds, lies in, in UTC.
    public func span(at now: Int64) -> Range<Int64> {
        let day = now.dividedRoundingDown(by: 86_400)
        switch self {
        case .day: return day * 86_400..<(day + 1) * 86_400
        case .month:
            // The civil calendar counted from 0000-03-01, where leap days come last.
            let shifted = day + 719_468
            let era = shifted.dividedRoundingDown(by: 146_097)
            let dayOfEra = shifted - era * 146_097
            let year = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
            let dayOfYear = dayOfEra - (365 * year + year / 4 - year / 100)
            let month = (5 * dayOfYear + 2) / 153
            let first = day - (dayOfYear - (153 * month + 2) / 5)
            let isLeap = Self.isLeap(era * 400 + year + (month < 10 ? 0 : 1))
            let lengths: [Int64] = [31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, isLeap ? 29 : 28]
            return first * 86_400..<(first + lengths[Int(month)]) * 86_400
        }
    }

    private static func isLeap(_ year: Int64) -> Bool {
        year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400))
    }
}

extension Int64 {
    fileprivate func dividedRoundingDown(by divisor: Int64) -> Int64 {
        self >= 0 ? self / divisor : -((-self + divisor - 1) / divisor)
    }
}
