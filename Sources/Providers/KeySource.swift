internal import Configuration
internal import Dispatch
internal import JOSE
internal import Synchronization
internal import Transport

/// Keeps the keys of one issuer: fetched in the background, kept on disk, fetched out of turn when a token names one that is
/// not known.
///
/// What is confined to its queue says so; the rest is behind a mutex. Bounds: `waitingAtMost` requests wait for a fetch, and
/// tokens cause `demandsAtMost` at once and one each `demandInterval`, whoever made them up. One that is stopped finishes what
/// it does for those that wait, and tells nobody else.
final class KeySource: @unchecked Sendable {
    /// Requests that wait for a fetch at most.
    static let waitingAtMost = 1_024
    /// Nanoseconds until tokens may cause another fetch.
    static let demandInterval: Int64 = 30_000_000_000
    /// Such fetches that may come at once after a pause.
    static let demandsAtMost: Int64 = 2
    /// The interval while there are no keys: a provider that comes back serves with the next request.
    static let demandIntervalWithoutKeys: Int64 = 1_000_000_000
    /// Seconds within which a key set's own `max-age` counts.
    private static let maxAges: ClosedRange<Int64> = 60...86_400
    /// Seconds between tries while fetching fails: doubled each time, up to the second where there are keys, else the third.
    private static let backOff: (first: Int64, most: Int64, mostWithoutKeys: Int64) = (1, 60, 8)

    /// The last good set, and when it was fetched, in unix seconds.
    struct Kept: Sendable {
        let set: [UInt8]
        let fetchedAt: Int64
    }

    private struct Shared {
        var isFetching = false
        var waiting: [@Sendable (Bool) -> Void] = []
        var kept: Kept?
        /// When the allowance of fetches that tokens cause is whole again.
        var demandsWholeAt = MonotonicTime(nanoseconds: 0)
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
    private let journal: KeyJournal
    private let queue: DispatchQueue
    private let shared = Mutex(Shared())
    private let fetches = Atomic(0)
    private let failures = Atomic(0)

    // Confined to `queue`.
    private var fetch: KeyFetch?
    private var failedInARow: Int64 = 0
    private var generation = 0

    init(_ definition: RemoteKeys, issuer: TokenIssuer, folder: String, hooks: Hooks) {
        self.definition = definition
        self.issuer = issuer
        self.hooks = hooks
        journal = KeyJournal(issuer: issuer.name, report: hooks.report)
        file = KeyFile(folder: folder, name: issuer.name, location: definition.location)
        queue = DispatchQueue(label: "gatehouse.keys.\(issuer.name)", qos: .utility)
    }

    /// Fetches that brought a usable set, and those that did not.
    var counts: (succeeded: Int, failed: Int) {
        (fetches.load(ordering: .relaxed), failures.load(ordering: .relaxed))
    }

    /// The last good set.
    var kept: Kept? { shared.withLock { $0.kept } }

    /// Takes over what is known without asking, if it is not too old: the set of a former source, or the one on disk. Before
    /// `start`.
    func takeKept(of former: KeySource?) -> [VerificationKey]? {
        let known = [former?.kept, file.read()].compactMap(\.self)
        guard let kept = known.max(by: { $0.fetchedAt < $1.fetchedAt }), isFresh(kept),
            let keys = try? usableKeys(of: kept.set)
        else { return nil }
        shared.withLock { $0.kept = kept }
        return keys
    }

    /// Begins to fetch.
    func start() {
        shared.withLock { $0.isFetching = true }
        queue.async { [self] in run() }
    }

    /// Ends; a fetch under way changes nothing any more, and those who wait for it hear when it is over.
    func stop() { shared.withLock { $0.isStopped = true } }

    private var isStopped: Bool { shared.withLock { $0.isStopped } }

    /// A token needs a key that is not known. False when nothing will be fetched for it now; else the reply comes when that is
    /// over, true if there are other keys since.
    func demand(_ reply: @escaping @Sendable (Bool) -> Void) -> Bool {
        let (isAccepted, isFirst) = shared.withLock { shared -> (Bool, Bool) in
            guard !shared.isStopped, shared.waiting.count < Self.waitingAtMost else { return (false, false) }
            let isFirst = !shared.isFetching
            if isFirst, !Self.allowsDemand(&shared) { return (false, false) }
            shared.isFetching = true
            shared.waiting.append(reply)
            return (true, isFirst)
        }
        if isFirst { queue.async { [self] in run() } }
        return isAccepted
    }

    /// GCRA, as for requests.
    private static func allowsDemand(_ shared: inout Shared) -> Bool {
        let now = MonotonicTime.now()
        let hasKeys = shared.kept != nil
        let interval = hasKeys ? demandInterval : demandIntervalWithoutKeys
        let whole = max(shared.demandsWholeAt, now).advanced(byNanoseconds: interval)
        guard whole.nanoseconds(since: now) <= interval * (hasKeys ? demandsAtMost : 1) else { return false }
        shared.demandsWholeAt = whole
        return true
    }

    // MARK: On the queue

    private func run() {
        guard !isStopped else { return finish(hasChanged: false) }
        shared.withLock { $0.isFetching = true }
        generation += 1
        do throws(ProviderFailure) {
            let fetched = try fetchNow()
            let keys = fetched.body == kept?.set ? nil : try usableKeys(of: fetched.body)
            // A reload may have put another source in this one's place meanwhile.
            if isStopped { finish(hasChanged: false) } else { succeed(fetched, keys: keys) }
        } catch {
            if isStopped { finish(hasChanged: false) } else { fail(error) }
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
        failedInARow = 0
        let fresh = Kept(set: fetched.body, fetchedAt: WallClock.seconds())
        shared.withLock { shared in
            // What was tried without keys, or for a set that is another now, does not keep an unknown key from being fetched.
            if shared.kept == nil || keys != nil { shared.demandsWholeAt = MonotonicTime(nanoseconds: 0) }
            shared.kept = fresh
        }
        journal.succeeded()
        do throws(ProviderFailure) { try file.write(fresh) } catch { journal.couldNotKeep(error) }
        let refresh = definition.refresh.components.seconds
        let wanted = fetched.maxAge.map { min(max($0, Self.maxAges.lowerBound), Self.maxAges.upperBound) } ?? refresh
        runAgain(after: min(wanted, refresh))
        guard let keys else { return finish(hasChanged: false) }
        hooks.report(.changed(issuer: issuer.name, count: keys.count))
        hooks.publish(keys) { [self] in finish(hasChanged: true) }
    }

    private func fail(_ failure: ProviderFailure) {
        failures.add(1, ordering: .relaxed)
        let kept = kept
        let most = kept == nil ? Self.backOff.mostWithoutKeys : Self.backOff.most
        let wait = min(Self.backOff.first << min(failedInARow, 10), most)
        failedInARow += 1
        journal.failed(failure, hasKeys: kept != nil, retryAfter: wait)
        runAgain(after: wait)
        guard let kept, !isFresh(kept) else { return finish(hasChanged: false) }
        shared.withLock { $0.kept = nil }
        hooks.report(.stale(issuer: issuer.name))
        hooks.publish(nil) { [self] in finish(hasChanged: true) }
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
            guard let self, generation == expected, !isStopped else { return }
            run()
        }
    }

    private func isFresh(_ kept: Kept) -> Bool {
        let life = max(definition.stale.components.seconds, definition.refresh.components.seconds)
        return WallClock.seconds() - kept.fetchedAt <= life
    }

    private func usableKeys(of set: [UInt8]) throws(ProviderFailure) -> [VerificationKey] {
        let found: KeySet
        do throws(KeyError) { found = try KeySet.jwks(set, algorithms: issuer.algorithms) } catch {
            throw ProviderFailure(error.message)
        }
        journal.doubts(found.warnings, of: set)
        guard !found.keys.isEmpty else { throw ProviderFailure("the set has no key that can be used") }
        return found.keys
    }
}
