public import Configuration
import Dispatch
import HTTP
public import Identity
public import Logging
import Observability
import Policy
import Providers
import Transport

/// Why the gateway cannot start, in a sentence for people.
public struct ServerError: Error, Sendable {
    /// What happened, to what, and the way out.
    public let message: String
}

/// The running gateway: its shards, its sockets, its configuration and how that changes.
///
/// What it holds itself is confined to `control`, a serial queue: signals, reloads and the end of a drain happen there, one
/// after the other. The shards are spoken to by posts.
public final class Server: @unchecked Sendable {
    /// Reads the configuration anew.
    public typealias Loader = @Sendable () -> Result<Configuration, ConfigurationErrors>

    let control = DispatchQueue(label: "gatehouse.control")
    /// Where the store is read at once, which may block.
    let reloading = DispatchQueue(label: "gatehouse.reloading")
    private let loader: Loader
    let store: (any IdentityStore)?
    let probe: StoreProbe?
    let logger: Logger
    private(set) var configuration: Configuration
    private let tickets: TLSTicketKeys
    private let admission: Admission
    private let rates = RateTable()
    private let troubles: RepeatedLog
    private(set) var providers = Providers()
    private(set) var formerReports: [ProviderReport] = []
    private(set) var workers: [Worker] = []
    var follower: StoreFollower?
    var identity: IdentityService?
    var known = StoreContents()
    private(set) var accessLog: AccessLog?
    private var names: NameWatch?
    private var health: HealthWatch?
    private var signals: SignalWatch?
    private(set) var succeededReloads: UInt64 = 0
    private(set) var failedReloads: UInt64 = 0
    private var drained = 0
    private(set) var isDraining = false
    /// What `argv[0]` named when the process began.
    let programPath: String
    /// The process that is to take over.
    var successor: Successor?
    /// What a predecessor left to this process.
    var inherited: ListenerHandover?
    /// The listening sockets, which the shards own.
    private(set) var sockets: [Listener: [Int32]] = [:]
    private let finished = DispatchSemaphore(value: 0)
    /// Clients have so long to take the last word of what a drain cut.
    private static let lastWordTime = DispatchTimeInterval.seconds(1)

    /// A server for `configuration`. `loader` reads it anew on SIGHUP; `store` holds users, sessions and API keys.
    public init(
        configuration: Configuration, loader: @escaping Loader, store: (any IdentityStore)?, logger: Logger
    ) throws(ServerError) {
        self.configuration = configuration
        self.loader = loader
        self.store = store
        probe = store.map { store in
            StoreProbe(store) { [logger] error in logger.error("not ready, since the store cannot be used: \(error)") }
        }
        self.logger = logger
        troubles = RepeatedLog(logger)
        programPath = ProgramPath.find(CommandLine.arguments.first ?? "")
        inherited = ListenerHandover.take()
        Admission.raiseDescriptorLimit()
        admission = Admission(
            configured: configuration.limits.connections, shards: configuration.workers,
            listeners: Self.allListeners(configuration).count)
        do throws(TLSError) { tickets = try TLSTicketKeys() } catch { throw ServerError(message: error.message) }
    }

    // MARK: Start

    /// Serves until it is told to stop; returns the exit code.
    public func run() -> Int32 {
        do throws(ServerError) {
            try control.sync { Result { () throws(ServerError) in try start() } }.get()
        } catch {
            logger.critical("\(error.message)")
            return 1
        }
        SystemdNotify.ready()
        control.sync { tellPredecessor() }
        finished.wait()
        return 0
    }

    private func start() throws(ServerError) {
        let signals = SignalWatch(queue: control) { [weak self] signal in self?.handle(signal) }
        self.signals = signals
        accessLog = makeAccessLog()
        let serving = try makeServing(configuration)
        let sockets = try openAll(configuration)
        try followStore()
        try dropPrivileges()
        known.remoteKeys = serving.providers.keys?.takeKept(of: nil) ?? [:]
        providers = serving.providers
        providers.start()
        for (index, own) in serving.replicas(configuration.workers).enumerated() { try addWorker(index, own) }
        for worker in workers { worker.shard.post { worker.start() } }
        startAdminQuestions()
        for (listener, descriptors) in sockets { attach(listener, descriptors) }
        watchUpstreams(serving)
        logger.info(
            "serving",
            metadata: [
                "listeners": "\(configuration.listeners.map(\.address.description).joined(separator: " "))",
                "workers": "\(configuration.workers)", "max_connections": "\(admission.limit)",
            ])
    }

    private func makeAccessLog() -> AccessLog? {
        switch configuration.accessLog {
        case .off: nil
        case .standardOutput: AccessLog(.standardOutput, logger: logger)
        case .file(let path): AccessLog(.file(path), logger: logger)
        }
    }

    private func makeServing(_ configuration: Configuration) throws(ServerError) -> Serving {
        let providers = try makeProviders(configuration)
        do throws(TLSError) { return try Serving(configuration, tickets: tickets, providers: providers) } catch {
            throw ServerError(message: error.message)
        }
    }

    private func dropPrivileges() throws(ServerError) {
        guard let user = configuration.user else { return }
        let identity = try Privileges.identity(of: user)
        // While root still can: the log has to be opened anew by the user it will run as.
        if let accessLog {
            accessLog.giveTo(user: identity.user, group: identity.group)
            accessLog.flush(deadline: .now() + .seconds(1))
        }
        try Privileges.drop(to: user, identity)
    }

    private func addWorker(_ index: Int, _ serving: Serving) throws(ServerError) {
        do throws(SocketError) {
            let shard = try Shard(index: index)
            let worker = Worker(
                shard: shard, serving: serving, known: known, identity: identity, rates: rates, accessLog: accessLog,
                admission: admission, logger: logger, troubles: troubles)
            worker.onCrowded = { [weak self] in self?.relieve() }
            shard.start()
            workers.append(worker)
        } catch { throw ServerError(message: error.message) }
    }

    /// Between two reliefs at least: time for the shards to act.
    private static let reliefTime = DispatchTimeInterval.milliseconds(100)

    /// Every shard leaves the descriptors of its idle upstream connections to the others.
    private func relieve() {
        control.async { [self] in
            for worker in workers { worker.shard.post { worker.closeIdleUpstreams() } }
            control.asyncAfter(deadline: .now() + Self.reliefTime) { [self] in admission.relieved() }
        }
    }

    // MARK: Listeners

    /// The sockets of every listener, one for each shard, so that an address that is taken is found before anything runs.
    private func openAll(_ configuration: Configuration) throws(ServerError) -> [(Listener, [Int32])] {
        var opened: [(Listener, [Int32])] = []
        do throws(ServerError) {
            for listener in Self.allListeners(configuration) {
                opened.append((listener, try open(listener, count: self.configuration.workers)))
            }
        } catch {
            for (_, descriptors) in opened { for descriptor in descriptors { Sockets.close(descriptor) } }
            throw error
        }
        return opened
    }

    /// Clients' listeners and, as one of its own kind, `admin`.
    private static func allListeners(_ configuration: Configuration) -> [Listener] {
        configuration.listeners + (configuration.admin.map { [Listener(address: $0, kind: .plain)] } ?? [])
    }

    private func open(_ listener: Listener, count: Int) throws(ServerError) -> [Int32] {
        do throws(SocketError) {
            if let descriptors = try inherit(listener, count: count) { return descriptors }
        } catch { throw ServerError(message: error.message) }
        if Sockets.isTaken(listener.address) {
            throw ServerError(
                message:
                    "listen \(listener.address): the address is taken by another process; stop it or choose another")
        }
        do throws(SocketError) {
            if case .unix = listener.address {
                let first = try Sockets.listen(at: listener.address)
                return [first] + (1..<max(count, 1)).map { _ in Sockets.duplicate(first) }
            }
            var descriptors: [Int32] = []
            for _ in 0..<count { descriptors.append(try Sockets.listen(at: listener.address)) }
            return descriptors
        } catch { throw ServerError(message: error.message) }
    }

    private func attach(_ listener: Listener, _ descriptors: [Int32]) {
        let isAdmin = listener.address == configuration.admin
        let name = isAdmin ? "admin" : listener.address.description
        sockets[listener] = descriptors
        for (index, descriptor) in descriptors.enumerated() {
            // One shard can ask all the others: admin requests are few.
            let worker = workers[isAdmin ? 0 : index % workers.count]
            worker.shard.post { worker.open(listener, descriptor: descriptor, name: name, isAdmin: isAdmin) }
        }
    }

    // MARK: Signals

    private func handle(_ signal: Signal) {
        switch signal {
        case .reload: reload()
        case .stop: isDraining ? cut() : drain()
        case .upgrade: upgrade()
        case .reopenLogs:
            accessLog?.reopen()
            logger.info("access log reopened")
        }
    }

    private func reload() {
        guard !isDraining else { return }
        SystemdNotify.reloading()
        defer { SystemdNotify.ready() }
        switch loader() {
        case .failure(let errors):
            failedReloads += 1
            logger.error("the configuration was not reloaded, the old one stays")
            for diagnostic in errors.diagnostics { logger.error("\(diagnostic.rendered)") }
        case .success(let fresh):
            do throws(ServerError) {
                try apply(fresh)
                succeededReloads += 1
                logger.notice("the configuration was reloaded")
            } catch {
                failedReloads += 1
                logger.error("the configuration was not reloaded, the old one stays: \(error.message)")
            }
        }
    }

    private func apply(_ fresh: Configuration) throws(ServerError) {
        let serving = try makeServing(fresh)
        let replicas = serving.replicas(workers.count)
        let old = Self.allListeners(configuration)
        let new = Self.allListeners(fresh)
        var opened: [(Listener, [Int32])] = []
        // What stays at its address but changes its kind is closed first and opened anew.
        let gone = old.filter { !new.contains($0) }
        for listener in gone {
            sockets[listener] = nil
            for worker in workers { worker.shard.queue.sync { worker.close(listener) } }
        }
        do throws(ServerError) {
            for listener in new where !old.contains(listener) {
                opened.append((listener, try open(listener, count: workers.count)))
            }
        } catch {
            for (_, descriptors) in opened { for descriptor in descriptors { Sockets.close(descriptor) } }
            for listener in gone {
                if let descriptors = try? open(listener, count: workers.count) { attach(listener, descriptors) }
            }
            throw error
        }
        warnOfRestart(fresh)
        known.remoteKeys = serving.providers.keys?.takeKept(of: providers.keys) ?? [:]
        configuration = fresh
        // Each worker's own: the fresh one before, the former one after, whose caches take their time to go.
        var authenticators = replicas.map { Worker.authenticator($0, known) }
        // At one moment: what one shard issues or publishes from here on, the others know.
        Shard.holding(workers.map(\.shard)) {
            for (index, worker) in workers.enumerated() {
                authenticators[index] = worker.apply(replicas[index], authenticators[index])
            }
        }
        providers.retire()
        formerReports = ProviderReport.sum(formerReports, providers.reports)
        providers = serving.providers
        providers.start()
        for (listener, descriptors) in opened { attach(listener, descriptors) }
        watchUpstreams(serving)
    }

    private func warnOfRestart(_ fresh: Configuration) {
        var changed: [String] = []
        if fresh.workers != configuration.workers { changed.append("workers") }
        if fresh.store != configuration.store { changed.append("store") }
        if fresh.revocationLag != configuration.revocationLag { changed.append("revocation_lag") }
        if fresh.storeStale != configuration.storeStale { changed.append("store_stale") }
        if fresh.user != configuration.user { changed.append("user") }
        if fresh.accessLog != configuration.accessLog { changed.append("access_log") }
        if fresh.limits.connections != configuration.limits.connections { changed.append("max_connections") }
        guard !changed.isEmpty else { return }
        logger.warning(
            "changed, and in effect in a new process only (SIGUSR2 brings one): \(changed.joined(separator: ", "))")
    }

    // MARK: Drain

    /// Stops accepting and ends with the requests in flight. `isReplaced`: another process serves those to come, so that
    /// kept connections may bring one more.
    func drain(isReplaced: Bool = false) {
        isDraining = true
        successor?.cancel()
        if !isReplaced { SystemdNotify.stopping() }
        logger.notice(
            "stopping; requests in flight may finish", metadata: ["drain_timeout": "\(configuration.drainTimeout)"])
        health?.stop()
        names?.stop()
        for worker in workers {
            worker.shard.post { [self] in
                worker.onDrained = { self.workerDrained() }
                worker.drain(isReplaced: isReplaced)
            }
        }
        control.asyncAfter(deadline: .now() + .nanoseconds(Int(configuration.drainTimeout.nanoseconds))) {
            [weak self] in
            self?.cut()
        }
    }

    /// Ends what outlived the drain.
    private func cut() {
        for worker in workers { worker.shard.post { worker.cut() } }
        control.asyncAfter(deadline: .now() + Self.lastWordTime) { [workers] in
            for worker in workers { worker.shard.post { worker.kill() } }
        }
    }

    private func workerDrained() {
        control.async { [self] in
            drained += 1
            guard drained == workers.count else { return }
            for worker in workers { worker.shard.queue.sync { worker.shard.stop() } }
            follower?.stop()
            identity?.usage.flush()
            if let accessLog { _ = accessLog.flush(deadline: .now() + .seconds(1)) }
            logger.notice("stopped")
            finished.signal()
        }
    }

    // MARK: Upstreams

    private func watchUpstreams(_ serving: Serving) {
        names?.stop()
        health?.stop()
        let names = NameWatch(serving.configuration, workers: workers)
        self.names = names
        names.start()
        let health = HealthWatch(workers: workers)
        self.health = health
        health.start()
    }

    // MARK: Questions

    private func startAdminQuestions() {
        let questions = AdminQuestions(
            metrics: { [weak self] answer in self?.collectMetrics(answer) },
            readiness: { [weak self] answer in self?.collectReadiness(answer) })
        let first = workers[0]
        first.shard.post { first.questions = questions }
    }
}
