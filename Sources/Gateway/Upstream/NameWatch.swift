import Configuration
import Dispatch
import Transport

/// Resolves the host names of upstreams again and again, off the shards, and tells each shard what changed.
///
/// Its own serial queue owns everything; a look-up that hangs delays others, never a request.
final class NameWatch: @unchecked Sendable {
    /// From one round of look-ups to the next.
    private static let interval: DispatchTimeInterval = .seconds(10)
    /// The same while a name has no address.
    private static let eagerInterval: DispatchTimeInterval = .seconds(1)

    private struct Name {
        let upstream: String
        let server: Int
        let host: String
        let port: UInt16
    }

    private let queue = DispatchQueue(label: "gatehouse.names")
    private let names: [Name]
    private let workers: [Worker]
    private var isStopped = false

    init(_ configuration: Configuration, workers: [Worker]) {
        self.workers = workers
        names = configuration.upstreams.flatMap { upstream in
            upstream.servers.enumerated().compactMap { index, server in
                guard case .host(let host, let port) = server.endpoint else { return nil }
                return Name(upstream: upstream.name, server: index, host: host, port: port)
            }
        }
    }

    func start() {
        guard !names.isEmpty else { return }
        queue.async { self.look() }
    }

    func stop() { queue.async { self.isStopped = true } }

    private func look() {
        guard !isStopped else { return }
        var isMissing = false
        for name in names {
            let addresses = Resolver.lookUp(host: name.host, port: name.port)
            if addresses.isEmpty { isMissing = true }
            for worker in workers {
                worker.shard.post {
                    let pool = worker.pools.first { $0.definition.name == name.upstream }
                    pool?.resolved(name.server, addresses)
                }
            }
        }
        queue.asyncAfter(deadline: .now() + (isMissing ? Self.eagerInterval : Self.interval)) { self.look() }
    }
}
