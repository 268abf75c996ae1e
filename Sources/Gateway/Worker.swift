import Configuration
import Dispatch
import HTTP
import Identity
import JOSE
import Logging
import Observability
import Policy
import Transport

/// What one shard serves with: its configuration, authenticator, upstream pools, counters and log lines.
///
/// Everything in it is confined to the shard's queue; that is why it may be `Sendable`. Others speak to it by
/// `shard.post`.
final class Worker: @unchecked Sendable {
    let shard: Shard
    /// The shard's: a name of its own saves a retain at each use.
    let buffers: BufferPool
    let logger: Logger
    /// What may go wrong with any request.
    let troubles: RepeatedLog
    private var invalidTokens = InvalidTokens()
    private(set) var serving: Serving
    private(set) var authenticator: Authenticator
    private(set) var pools: [UpstreamPool] = []
    private var retiredPools: [UpstreamPool] = []
    let metrics: ShardMetrics
    let accessLog: AccessLog?
    /// Login and the like; none without a store.
    let identity: IdentityService?
    /// The counters that this shard uses.
    var usage = UsageCache()
    /// How far each caller is into its rate limits, over all shards.
    let rates: RateTable
    var logLines = AccessLogRenderer()
    var clock = DateCache()
    var requestIDs: RequestIDGenerator
    /// Stopping: connections end with their request.
    private(set) var isDraining = false
    /// Another process has taken over.
    private(set) var isReplaced = false
    /// Clients' connections of this shard.
    private(set) var connectionCount = 0
    /// Exchanges that wait for their next request.
    private var spareExchanges: [Exchange] = []
    /// Spare exchanges kept at most.
    private static let spareExchangesAtMost = 512
    private(set) var listeners: [ListenerChannel] = []
    private var logFlushScheduled = false
    let admission: Admission
    var onDrained: (@Sendable () -> Void)?
    /// Descriptors run short: has all workers give up their idle upstream connections.
    var onCrowded: (@Sendable () -> Void)?
    /// What admin requests ask of the whole process; on the first shard only.
    var questions: AdminQuestions?
    private var routeNumbers: [Int] = []
    /// Looks after what is under way.
    private(set) lazy var streams = StreamWatch(self)

    init(
        shard: Shard, serving: Serving, known: StoreContents, identity: IdentityService?, rates: RateTable,
        accessLog: AccessLog?, admission: Admission, logger: Logger, troubles: RepeatedLog? = nil
    ) {
        self.identity = identity
        self.rates = rates
        self.shard = shard
        buffers = shard.buffers
        self.serving = serving
        self.accessLog = accessLog
        self.admission = admission
        self.logger = logger
        self.troubles = troubles ?? RepeatedLog(logger)
        metrics = ShardMetrics()
        requestIDs = RequestIDGenerator()
        authenticator = Self.authenticator(serving, known)
        pools = Self.makePools(for: serving, keeping: [])
        routeNumbers = metrics.register(routes: serving.configuration.routes.map(\.name))
    }

    /// The number that a request is counted by. A request that began before a reload may have a route that is gone.
    func metricsRoute(_ exchange: Exchange) -> Int {
        guard let route = exchange.route else { return ShardMetrics.noRoute }
        if exchange.serving === serving { return routeNumbers[route.index] }
        return metrics.register(routes: [route.name])[0]
    }

    /// The operator is told why, which the client is not.
    func noteInvalidToken(of exchange: Exchange) {
        invalidTokens.note(
            exchange.whyInvalid ?? exchange.presumedInvalid,
            requestID: String(decoding: exchange.requestID, as: UTF8.self),
            now: shard.now.nanoseconds, to: troubles)
    }

    /// What the shard counted, with what its cache counted itself.
    func snapshot() -> MetricsSnapshot {
        metrics.setTokenCache(
            hits: formerCacheHits + authenticator.cacheHits, misses: formerCacheMisses + authenticator.cacheMisses)
        return metrics.snapshot()
    }

    private var formerCacheHits = 0
    private var formerCacheMisses = 0

    static func authenticator(_ serving: Serving, _ known: StoreContents) -> Authenticator {
        let configuration = serving.configuration
        let authenticator = Authenticator(
            issuers: known.issuers(configuration.issuers), keyPrefix: configuration.keyPrefix,
            tokenLimit: configuration.limits.token, introspects: !configuration.introspections.isEmpty,
            keys: known.keys, revocations: known.revocations)
        authenticator.isStoreSilent = known.isSilent
        return authenticator
    }

    // MARK: Configuration

    /// Serves with a new configuration from the next request on. The authenticator was made before, with an empty token cache; the
    /// former one is given back, since it takes its time to go.
    func apply(_ fresh: Serving, _ freshAuthenticator: Authenticator) -> Authenticator {
        serving = fresh
        // They would keep the old one alive until there is as much to do again.
        spareExchanges.removeAll()
        routeNumbers = metrics.register(routes: fresh.configuration.routes.map(\.name))
        formerCacheHits += authenticator.cacheHits
        formerCacheMisses += authenticator.cacheMisses
        let former = authenticator
        authenticator = freshAuthenticator
        let old = pools
        pools = Self.makePools(for: fresh, keeping: old)
        for pool in old where !(pool.index < pools.count && pools[pool.index] === pool) {
            pool.retire()
            if pool.activeCount > 0 { retiredPools.append(pool) }
        }
        retiredPools.removeAll { $0.activeCount == 0 }
        for pool in pools where pool.worker == nil { pool.attach(to: self) }
        return former
    }

    /// Upstreams that did not change keep their connections and what is known of their servers' health.
    private static func makePools(for serving: Serving, keeping old: [UpstreamPool]) -> [UpstreamPool] {
        let named = Dictionary(uniqueKeysWithValues: old.map { ($0.definition.name, $0) })
        return serving.configuration.upstreams.enumerated().map { index, upstream in
            if let kept = named[upstream.name], kept.isInterchangeable(with: upstream) {
                kept.index = index
                return kept
            }
            return UpstreamPool(upstream, index: index, tls: serving.upstreamTLS[index])
        }
    }

    /// The pool of a route's upstream; nil when a reload took it away before the request was forwarded.
    @inline(__always)
    func pool(for route: Route, in served: Serving) -> UpstreamPool? {
        pool(forUpstream: route.upstream, in: served)
    }

    @inline(__always)
    func pool(forUpstream index: Int, in served: Serving) -> UpstreamPool? {
        if served === serving { return pools[index] }
        let name = served.configuration.upstreams[index].name
        return pools.first { $0.definition.name == name }
    }

    /// Connects the pools made in `init` to their worker.
    func start() {
        for pool in pools { pool.attach(to: self) }
    }

    func replaceKeys(_ table: KeyTable) { authenticator.replaceKeys(table) }

    func replaceIssuers(_ issuers: [TokenIssuer]) { authenticator.replaceIssuers(issuers) }

    func replaceRevocations(_ all: RevocationSet) { authenticator.replaceRevocations(all) }

    func setStoreSilent(_ isSilent: Bool) { authenticator.isStoreSilent = isSilent }

    func apply(_ revocations: [Revocation]) { authenticator.apply(revocations, now: clock.update()) }

    // MARK: Listeners and connections

    func open(_ listener: Listener, descriptor: Int32, name: String, isAdmin: Bool) {
        let channel = ListenerChannel(
            listener, descriptor: descriptor, label: metrics.register(listeners: [name])[0], isAdmin: isAdmin,
            worker: self)
        listeners.append(channel)
        channel.start()
    }

    func close(_ listener: Listener) {
        for channel in listeners where channel.listener == listener { channel.close() }
        listeners.removeAll { $0.listener == listener }
    }

    func connectionOpened(_ label: Int) {
        connectionCount += 1
        metrics.connectionOpened(listener: label)
    }

    func connectionClosed(_ label: Int) {
        connectionCount -= 1
        metrics.connectionClosed(listener: label)
        if admission.release() {
            for channel in listeners { channel.resume() }
        }
        if isDraining && connectionCount == 0 { finishDrain() }
    }

    /// A connection to an upstream was begun.
    func upstreamOpened() {
        if admission.upstreamOpened() { onCrowded?() }
    }

    /// None is left, or the system has none: kept upstream connections go, of this shard at once.
    func ranOutOfDescriptors() {
        closeIdleUpstreams()
        if admission.crowd() { onCrowded?() }
    }

    /// Leaves the descriptors of kept upstream connections to those that are served now.
    func closeIdleUpstreams() {
        for pool in pools { pool.closeIdle() }
    }

    // MARK: Exchanges

    @inline(__always)
    func takeExchange() -> Exchange {
        if let spare = spareExchanges.popLast() {
            spare.begin(serving)
            return spare
        }
        return Exchange(worker: self, serving: serving)
    }

    @inline(__always)
    func giveBack(_ exchange: Exchange) {
        exchange.reset()
        if spareExchanges.count < Self.spareExchangesAtMost { spareExchanges.append(exchange) }
    }

    // MARK: Log

    /// Nanoseconds that a log line waits for others at most.
    private static let logDelay = DispatchTimeInterval.milliseconds(200)

    /// Hands the rendered lines over when there are many, else soon.
    func logLineAdded() {
        if logLines.isFull {
            flushLog()
        } else if !logFlushScheduled {
            logFlushScheduled = true
            shard.queue.asyncAfter(deadline: .now() + Self.logDelay) { [self] in
                logFlushScheduled = false
                flushLog()
            }
        }
    }

    func flushLog() {
        guard logLines.pendingCount > 0 else { return }
        accessLog?.submit(logLines.takeChunk())
    }

    // MARK: Drain

    /// Stops accepting; connections end with the request they carry; idle ones end now.
    func drain(isReplaced: Bool = false) {
        guard !isDraining else { return }
        isDraining = true
        self.isReplaced = isReplaced
        for channel in listeners { channel.close() }
        listeners.removeAll()
        for case let connection as ClientChannel in shard.watchedChannels { connection.drain() }
        if connectionCount == 0 { finishDrain() }
    }

    /// Ends what is still there: the truncation is visible.
    func cut() {
        for case let connection as ClientChannel in shard.watchedChannels { connection.cut() }
        if connectionCount == 0 { finishDrain() }
    }

    /// Ends what did not take its last word.
    func kill() {
        for case let connection as ClientChannel in shard.watchedChannels { connection.kill() }
        if connectionCount == 0 { finishDrain() }
    }

    private func finishDrain() {
        streams.stop()
        flushLog()
        for pool in pools { pool.retire() }
        onDrained?()
        onDrained = nil
    }
}
