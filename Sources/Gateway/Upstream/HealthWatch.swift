import Configuration
import Logging
import Transport

/// The active health checks of all upstreams: made on the first shard, told to every shard.
final class HealthWatch: @unchecked Sendable {
    private let workers: [Worker]
    /// Confined to the first shard's queue.
    private var monitors: [HealthMonitor] = []

    init(workers: [Worker]) { self.workers = workers }

    func start() {
        guard let first = workers.first else { return }
        first.shard.post { [self] in
            for pool in first.pools {
                guard let check = pool.definition.healthCheck else { continue }
                for server in pool.servers.indices { add(pool, server, check, first) }
            }
        }
    }

    private func add(_ pool: UpstreamPool, _ server: Int, _ check: Upstream.HealthCheck, _ first: Worker) {
        let name = pool.definition.name
        let text = pool.servers[server].text
        let workers = workers
        let monitor = HealthMonitor(worker: first, pool: pool, server: server, check: check) { isHealthy in
            if pool.servers[server].isReported != isHealthy {
                first.logger.notice(
                    "server \(text) of upstream \(name) is \(isHealthy ? "well again" : "ill: its health check fails")")
            }
            for worker in workers {
                worker.shard.post {
                    worker.pools.first { $0.definition.name == name }?.reported(server, isHealthy: isHealthy)
                }
            }
        }
        monitors.append(monitor)
        monitor.start()
    }

    func stop() {
        guard let first = workers.first else { return }
        first.shard.post { [self] in
            for monitor in monitors { monitor.stop() }
            monitors.removeAll()
        }
    }
}
