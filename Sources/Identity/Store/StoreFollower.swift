internal import Dispatch
public import Policy
internal import Synchronization
internal import Transport

/// Keeps the gateway's API keys and revocations in step with the store, whichever process changes it.
///
/// Everything happens on its own queue, one step at a time; what others read is behind a mutex. A change acts at once where
/// the store tells of it, and else within half the revocation lag plus the time to read it. While the store fails, what was
/// known stays, and it is asked again; for how long that may count, a watchdog on another queue tells.
public final class StoreFollower: Sendable {
    /// What happened, reported on the follower's queue.
    public enum Event: Sendable {
        /// The keys are now these.
        case keys(KeyTable)
        /// This was revoked, or taken back.
        case revocations(RevocationLog)
        /// The store could not be read, the first time since it last could.
        case lost(StoreError)
        /// The store can be read again.
        case recovered
        /// The store has been silent for longer than it may, or, false, no longer is. Not on the follower's queue.
        case silent(Bool)
    }

    private struct State {
        /// Nothing was read yet.
        var counter: Int64 = -1
        var keys = KeyTable.empty
        /// Of the log of revocations; nothing was read of it yet.
        var sequence: Int64 = -1
        var lastHeard: ContinuousClock.Instant?
        var isLost = false
        var isSilent = false
        var timer: (any DispatchSourceTimer)?
        /// Looks at the clock on another queue than the one where the store is waited for.
        var watchdog: (any DispatchSourceTimer)?
    }

    private let store: any Store
    private let interval: Duration
    private let silenceAtMost: Duration
    private let report: @Sendable (Event) -> Void
    private let queue = DispatchQueue(label: "gatehouse.store-follower")
    private let clockQueue = DispatchQueue(label: "gatehouse.store-watchdog")
    private let state = Mutex(State())
    private let isHinted = Atomic(false)

    /// A follower that has not begun. `revocationLag` is the longest that a change may take to act, `silenceAtMost` how long the
    /// store may leave unanswered what changed.
    public init(
        store: any Store, revocationLag: Duration, silenceAtMost: Duration, report: @escaping @Sendable (Event) -> Void
    ) {
        self.store = store
        self.silenceAtMost = silenceAtMost
        self.report = report
        interval = max(revocationLag / 2, .milliseconds(10))
    }

    deinit {
        state.withLock { state in
            state.timer?.cancel()
            state.watchdog?.cancel()
        }
    }

    /// Loads everything, begins to follow, and returns what there was, which is not reported.
    public func start() throws(StoreError) -> (keys: KeyTable, revocations: RevocationLog) {
        typealias First = (keys: KeyTable, revocations: RevocationLog)
        let first: Result<First, StoreError> = queue.sync {
            do throws(StoreError) {
                let log = try readLog()
                let table = try readKeys()
                noteHeard()
                return .success((table, log))
            } catch { return .failure(error) }
        }
        let found = try first.get()
        schedule()
        store.watch { [weak self] in self?.hint() }
        return found
    }

    /// Ends following; a report under way is waited for.
    public func stop() {
        state.withLock { state in
            for timer in [state.timer, state.watchdog] { timer?.cancel() }
            state.timer = nil
            state.watchdog = nil
        }
        queue.sync {}
        clockQueue.sync {}
    }

    /// Looks at once, and returns when what changed has been reported. Not from within a report.
    /// False when the store could not be read.
    @discardableResult
    public func refresh() -> Bool { queue.sync { poll() } }

    /// When the store last answered; `nil` before the first load.
    public var lastHeard: ContinuousClock.Instant? { state.withLock { $0.lastHeard } }

    /// How long the store has not answered; `nil` before the first load.
    public var silence: Duration? { lastHeard.map { $0.duration(to: .now) } }

    /// Looks soon, once for all hints that come meanwhile.
    private func hint() {
        guard !isHinted.exchange(true, ordering: .relaxed) else { return }
        queue.async { [weak self] in
            self?.isHinted.store(false, ordering: .relaxed)
            self?.poll()
        }
    }

    /// Whether the store answered the last look.
    public var isAnswered: Bool { state.withLock { !$0.isLost } }

    private func schedule() {
        state.withLock { state in
            state.timer = timer(on: queue) { [weak self] in self?.poll() }
            state.watchdog = timer(on: clockQueue) { [weak self] in self?.checkSilence() }
        }
    }

    /// A timer that runs at each interval.
    private func timer(on queue: DispatchQueue, _ handler: @escaping @Sendable () -> Void) -> any DispatchSourceTimer {
        let (seconds, attoseconds) = interval.components
        let nanoseconds = Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000)
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.setEventHandler(handler: handler)
        timer.schedule(
            deadline: .now() + .nanoseconds(nanoseconds), repeating: .nanoseconds(nanoseconds),
            leeway: .nanoseconds(nanoseconds / 20))
        timer.resume()
        return timer
    }

    /// Tells when the store begins or ends to have been silent for too long.
    private func checkSilence() {
        let change: Bool? = state.withLock { state in
            guard let lastHeard = state.lastHeard else { return nil }
            let isSilent = lastHeard.duration(to: .now) > silenceAtMost
            defer { state.isSilent = isSilent }
            return isSilent == state.isSilent ? nil : isSilent
        }
        if let change { report(.silent(change)) }
    }

    private func noteHeard() { state.withLock { $0.lastHeard = .now } }

    @discardableResult
    private func poll() -> Bool {
        do throws(StoreError) {
            // What was revoked first: it is short, and a key that cannot be read does not hold it up.
            let log = try readLog()
            if log.isWhole || !log.entries.isEmpty { report(.revocations(log)) }
            let counter = try store.changeCounter()
            if state.withLock({ $0.counter != counter }) { report(.keys(try readKeys())) }
            let hasRecovered = state.withLock { state in
                defer { state.isLost = false }
                return state.isLost
            }
            if hasRecovered { report(.recovered) }
            // Behind what it said, so that a silence is over when that is known.
            noteHeard()
            clockQueue.async { [weak self] in self?.checkSilence() }
            return true
        } catch {
            let wasLost = state.withLock { state in
                defer { state.isLost = true }
                return state.isLost
            }
            if !wasLost { report(.lost(error)) }
            return false
        }
    }

    private func readLog() throws(StoreError) -> RevocationLog {
        let known = state.withLock { $0.sequence }
        let log = try store.revocations(after: known, now: WallClock.seconds())
        state.withLock { $0.sequence = log.sequence }
        return log
    }

    /// Takes in what changed, or everything where that cannot be told.
    private func readKeys() throws(StoreError) -> KeyTable {
        let (counter, known) = state.withLock { ($0.counter, $0.keys) }
        let changes = try store.keys(after: counter)
        if !changes.isWhole, let table = known.updated(with: changes.records) {
            return note(table, at: changes.counter)
        }
        let all = changes.isWhole ? changes : try store.keys(after: -1)
        return note(KeyTable(all.records, remembering: known), at: all.counter)
    }

    private func note(_ table: KeyTable, at counter: Int64) -> KeyTable {
        state.withLock { ($0.counter, $0.keys) = (counter, table) }
        return table
    }
}
