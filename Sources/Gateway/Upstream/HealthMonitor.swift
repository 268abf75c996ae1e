import Configuration
import HTTP
import Transport

/// Asks one server of an upstream at intervals whether it lives, and reports what changes.
///
/// Confined to the first shard's queue; one probe at a time, each over a connection of its own.
final class HealthMonitor: Channel {
    /// Failed probes in a row that make a server ill; one good one makes it well.
    private static let failuresToIll = 2
    /// A probe takes so long at most, and never longer than the interval.
    private static let probeTime: Int64 = 5_000_000_000

    private let worker: Worker
    private let pool: UpstreamPool
    private let server: Int
    private let check: Upstream.HealthCheck
    private let report: (Bool) -> Void
    private var failures = 0
    private var isStopped = false
    private var timer: ShardTimer { self }

    init(
        worker: Worker, pool: UpstreamPool, server: Int, check: Upstream.HealthCheck, report: @escaping (Bool) -> Void
    ) {
        self.worker = worker
        self.pool = pool
        self.server = server
        self.check = check
        self.report = report
    }

    func start() { probe() }

    func stop() {
        isStopped = true
        worker.shard.remove(timer)
    }

    override func timerFired(_ timer: ShardTimer) { probe() }

    private func probe() {
        guard !isStopped else { return }
        worker.shard.set(timer, after: check.interval.nanoseconds)
        let state = pool.servers[server]
        guard let address = state.nextAddress() else { return note(false) }
        let tls = pool.tls.map { (context: $0, name: state.tlsName(pool.definition.tls)) }
        HealthProbe(
            worker: worker, check: check, host: check.host ?? state.hostName, tls: tls, isHTTP2: state.definition.h2c,
            limit: min(check.interval.nanoseconds, Self.probeTime)
        ) { [weak self] isHealthy in self?.note(isHealthy) }.begin(address)
    }

    private func note(_ isHealthy: Bool) {
        guard !isStopped else { return }
        failures = isHealthy ? 0 : failures + 1
        if isHealthy || failures >= Self.failuresToIll { report(isHealthy) }
    }
}
