internal import Configuration
internal import Dispatch
internal import JOSE
internal import Synchronization
internal import Transport

/// Keeps the keys of one issuer: fetched in the background, kept on disk, fetched out of turn when a token names one that is
/// not known.
///
/// What only its queue uses is in `Fetching`; what shards ask for is behind a mutex. Bounds: `waitingAtMost` requests wait for
/// a fetch, and tokens cause one each `demandInterval` at most, whoever made them up.
final class KeySource: @unchecked Sendable {
    /// Requests that wait for a fetch at most.
    static let waitingAtMost = 1_024
    /// Nanoseconds between two fetches that tokens cause.
    static let demandInterval: Int64 = 30_000_000_000
    /// The same while there are no keys: a provider that comes back serves with the next request.
    static let demandIntervalWithoutKeys: Int64 = 1_000_000_000
    /// Seconds within which a key set's own `max-age` counts.
    private static let maxAges: ClosedRange<Int64> = 60...86_400
    /// Seconds between tries while fetching fails: doubled each time, up to the second where there are keys, else the third.
    private static let backOff: (first: Int64, most: Int64, mostWithoutKeys: Int64) = (1, 60, 8)

    /// Nanoseconds until a failure is reported again.
    private static let reportInterval: Int64 = 60_000_000_000

    private struct Shared {
        var isFetching = false
        var waiting: [@Sendable (Bool) -> Void] = []
        var hasKeys = false
        var lastDemand: MonotonicTime?
        var isStopped = false
    }

    /// What the source tells.
    struct Hooks: Sendable {
        /// The issuer has these keys now; nil: none that may be used. Calls back when every shard knows.
        let publish: @Sendable ([VerificationKey]?, @escaping @Sendable () -> Void) -> Void
        /// Something for the operator.
        let report: @Sendable (KeyWatch.Event) -> Void
    }

    let definition: RemoteKeys
    let issuer: TokenIssuer
    private let file: KeyFile
    private let hooks: Hooks
    private let queue: DispatchQueue
    private let shared = Mutex(Shared())
    private let fetches = Atomic(0)
    private let failures = Atomic(0)

    // Confined to `queue`.
    private var fetch: KeyFetch?
    private var set: [UInt8] = []
    private var lastGood: Int64?
    private var failedInARow: Int64 = 0
    private var isFailing = false
    private var hasToldOfFile = false
    private var told: (failure: ProviderFailure, at: MonotonicTime)?
    private var generation = 0

    init(_ definition: RemoteKeys, issuer: TokenIssuer, folder: String, hooks: Hooks) {
        self.definition = definition
        self.issuer = issuer
        self.hooks = hooks
        file = KeyFile(folder: folder, name: issuer.name, location: definition.location)
        queue = DispatchQueue(label: "gatehouse.keys.\(issuer.name)", qos: .utility)
    }

    /// Fetches that brought a usable set, and those that did not.
    var counts: (succeeded: Int, failed: Int) {
        (fetches.load(ordering: .relaxed), failures.load(ordering: .relaxed))
    }

    /// The keys that are kept on disk, if they are not too old. Before `start`.
    func readKept() -> [VerificationKey]? {
        queue.sync {
            guard let kept = file.read(), isFresh(kept.fetchedAt), let keys = usable(kept.set) else { return nil }
            (set, lastGood) = (kept.set, kept.fetchedAt)
            shared.withLock { $0.hasKeys = true }
            return keys
        }
    }

    /// Begins to fetch.
    func start() {
        shared.withLock { $0.isFetching = true }
        queue.async { [self] in run() }
    }

    /// Ends; a fetch under way changes nothing any more.
    func stop() {
        let waiting = shared.withLock { shared in
            defer { shared.waiting = [] }
            shared.isStopped = true
            return shared.waiting
        }
        for reply in waiting { reply(false) }
    }

    /// A token needs a key that is not known. False when nothing will be fetched for it now; else the reply comes when that is
    /// over, true if there are other keys since.
    func demand(_ reply: @escaping @Sendable (Bool) -> Void) -> Bool {
        let (isAccepted, isFirst) = shared.withLock { shared -> (Bool, Bool) in
            guard !shared.isStopped, shared.waiting.count < Self.waitingAtMost else { return (false, false) }
            if shared.isFetching {
                shared.waiting.append(reply)
                return (true, false)
            }
            let now = MonotonicTime.now()
            let interval = shared.hasKeys ? Self.demandInterval : Self.demandIntervalWithoutKeys
            guard shared.lastDemand.map({ now.nanoseconds(since: $0) >= interval }) ?? true else {
                return (false, false)
            }
            shared.lastDemand = now
            shared.isFetching = true
            shared.waiting.append(reply)
            return (true, true)
        }
        if isFirst { queue.async { [self] in run() } }
        return isAccepted
    }

    // MARK: On the queue

    private func run() {
        guard !shared.withLock({ $0.isStopped }) else { return }
        shared.withLock { $0.isFetching = true }
        generation += 1
        do throws(ProviderFailure) {
            let fetched = try fetchNow()
            let hasChanged = fetched.body != set || lastGood == nil
            let keys = hasChanged ? try usableOrFailure(fetched.body) : nil
            succeed(fetched, keys: keys)
        } catch {
            fail(error)
        }
    }

    private func fetchNow() throws(ProviderFailure) -> KeyFetch.Fetched {
        let fetch: KeyFetch
        if let known = self.fetch { fetch = known } else { fetch = try KeyFetch(definition) }
        self.fetch = fetch
        return try fetch.fetch()
    }

    private func succeed(_ fetched: KeyFetch.Fetched, keys: [VerificationKey]?) {
        fetches.add(1, ordering: .relaxed)
        let now = WallClock.seconds()
        (set, lastGood, failedInARow) = (fetched.body, now, 0)
        if isFailing { hooks.report(.recovered(issuer: issuer.name)) }
        (isFailing, told) = (false, nil)
        keep(KeyFile.Kept(set: fetched.body, fetchedAt: now))
        let refresh = definition.refresh.components.seconds
        let wanted = fetched.maxAge.map { min(max($0, Self.maxAges.lowerBound), Self.maxAges.upperBound) } ?? refresh
        runAgain(after: min(wanted, refresh))
        guard let keys else { return finish(hasChanged: false) }
        hooks.report(.changed(issuer: issuer.name, count: keys.count))
        hooks.publish(keys) { [self] in
            shared.withLock { shared in
                // What was tried without keys does not keep a first unknown one from being fetched.
                if !shared.hasKeys { shared.lastDemand = nil }
                shared.hasKeys = true
            }
            finish(hasChanged: true)
        }
    }

    private func fail(_ failure: ProviderFailure) {
        failures.add(1, ordering: .relaxed)
        isFailing = true
        let wait = min(
            Self.backOff.first << min(failedInARow, 10),
            lastGood == nil ? Self.backOff.mostWithoutKeys : Self.backOff.most)
        failedInARow += 1
        reportFailure(failure, retryAfter: wait)
        runAgain(after: wait)
        guard let good = lastGood, !isFresh(good) else { return finish(hasChanged: false) }
        (set, lastGood) = ([], nil)
        shared.withLock { $0.hasKeys = false }
        hooks.report(.stale(issuer: issuer.name))
        hooks.publish(nil) { [self] in finish(hasChanged: true) }
    }

    /// Once for each reason, and now and then again.
    private func reportFailure(_ failure: ProviderFailure, retryAfter wait: Int64) {
        let now = MonotonicTime.now()
        if let told, told.failure == failure, now.nanoseconds(since: told.at) < Self.reportInterval { return }
        told = (failure, now)
        hooks.report(
            .failed(issuer: issuer.name, reason: failure.description, hasKeys: lastGood != nil, retryAfter: wait))
    }

    /// Those who waited hear of it.
    private func finish(hasChanged: Bool) {
        let waiting = shared.withLock { shared in
            defer { (shared.waiting, shared.isFetching) = ([], false) }
            return shared.waiting
        }
        for reply in waiting { reply(hasChanged) }
    }

    /// A tenth more or less, so that many gateways do not ask at once.
    private func runAgain(after seconds: Int64) {
        let jitter = Int64.random(in: -100...100)
        let expected = generation
        queue.asyncAfter(deadline: .now() + .milliseconds(Int(seconds * (1_000 + jitter)))) { [weak self] in
            guard let self, generation == expected else { return }
            run()
        }
    }

    private func isFresh(_ fetchedAt: Int64) -> Bool {
        WallClock.seconds() - fetchedAt
            <= max(definition.stale.components.seconds, definition.refresh.components.seconds)
    }

    private func keep(_ kept: KeyFile.Kept) {
        do throws(ProviderFailure) { try file.write(kept) } catch {
            if !hasToldOfFile { hooks.report(.notKept(issuer: issuer.name, reason: error.description)) }
            hasToldOfFile = true
        }
    }

    private func usable(_ set: [UInt8]) -> [VerificationKey]? { try? usableOrFailure(set) }

    private func usableOrFailure(_ set: [UInt8]) throws(ProviderFailure) -> [VerificationKey] {
        let found: KeySet
        do throws(KeyError) { found = try KeySet.jwks(set, algorithms: issuer.algorithms) } catch {
            throw ProviderFailure(error.message)
        }
        for warning in found.warnings { hooks.report(.doubtful(issuer: issuer.name, reason: warning)) }
        guard !found.keys.isEmpty else { throw ProviderFailure("the set has no key that can be used") }
        return found.keys
    }
}
