internal import Dispatch
public import Policy
internal import Synchronization
internal import Transport

/// Keeps the gateway's API keys and revocations in step with the store, whichever process changes it.
///
/// Everything happens on its own queue, one step at a time; what others read is behind a mutex. A change acts within half
/// the revocation lag plus the time to read it. While the store fails, what was known stays, and it is asked again.
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
    }

    private struct State {
        var counter: Int64?
        /// Of the log of revocations; nothing was read of it yet.
        var sequence: Int64 = -1
        var lastHeard: ContinuousClock.Instant?
        var isLost = false
        var timer: (any DispatchSourceTimer)?
    }

    private let store: any Store
    private let interval: Duration
    private let report: @Sendable (Event) -> Void
    private let queue = DispatchQueue(label: "gatehouse.store-follower")
    private let state = Mutex(State())

    /// A follower that has not begun. `revocationLag` is the longest that a change may take to act.
    public init(store: any Store, revocationLag: Duration, report: @escaping @Sendable (Event) -> Void) {
        self.store = store
        self.report = report
        interval = max(revocationLag / 2, .milliseconds(10))
    }

    deinit { state.withLock { $0.timer?.cancel() } }

    /// Loads everything, begins to follow, and returns what there was, which is not reported.
    public func start() throws(StoreError) -> (keys: KeyTable, revocations: RevocationLog) {
        typealias First = (keys: KeyTable, revocations: RevocationLog)
        let first: Result<First, StoreError> = queue.sync {
            do throws(StoreError) {
                let log = try readLog()
                return .success((try load(counter: store.changeCounter()), log))
            } catch { return .failure(error) }
        }
        let found = try first.get()
        schedule()
        return found
    }

    /// Ends following; a report under way is waited for.
    public func stop() {
        state.withLock { state in
            state.timer?.cancel()
            state.timer = nil
        }
        queue.sync {}
    }

    /// Looks at once, and returns when what changed has been reported. Not from within a report.
    /// False when the store could not be read.
    @discardableResult
    public func refresh() -> Bool { queue.sync { poll() } }

    /// When the store last answered; `nil` before the first load.
    public var lastHeard: ContinuousClock.Instant? { state.withLock { $0.lastHeard } }

    /// How long the store has not answered; `nil` before the first load.
    public var silence: Duration? { lastHeard.map { $0.duration(to: .now) } }

    private func schedule() {
        let (seconds, attoseconds) = interval.components
        let nanoseconds = Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000)
        state.withLock { state in
            let timer = DispatchSource.makeTimerSource(queue: queue)
            timer.setEventHandler { [weak self] in self?.poll() }
            timer.schedule(
                deadline: .now() + .nanoseconds(nanoseconds), repeating: .nanoseconds(nanoseconds),
                leeway: .nanoseconds(nanoseconds / 20))
            timer.resume()
            state.timer = timer
        }
    }

    @discardableResult
    private func poll() -> Bool {
        do throws(StoreError) {
            let counter = try store.changeCounter()
            let isUnchanged = state.withLock { state in
                if state.counter == counter { state.lastHeard = .now }
                return state.counter == counter
            }
            let changed = isUnchanged ? nil : try load(counter: counter)
            if let changed { report(.keys(changed)) }
            let log = try readLog()
            let hasRecovered = state.withLock { state in
                defer { state.isLost = false }
                return state.isLost
            }
            if hasRecovered { report(.recovered) }
            if log.isWhole || !log.entries.isEmpty { report(.revocations(log)) }
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

    /// The counter is read before the keys: a change in between is then seen twice, never missed.
    private func load(counter: Int64) throws(StoreError) -> KeyTable {
        let table = KeyTable(try store.keys())
        state.withLock { state in
            state.counter = counter
            state.lastHeard = .now
        }
        return table
    }
}
