import Configuration
import Dispatch
import Logging
import Policy
import Synchronization
import Transport

@testable import Gateway

/// One shard with one worker behind a plain listener on loopback: all of the gateway but the process around it.
final class LoopbackGateway {
    /// Kept for good, as in the program.
    private static let kept = Mutex<[Worker]>([])

    let worker: Worker
    let address: SocketAddress

    /// `/open/` is for everybody, `/closed/` asks for a JWT; both lead to `servers`.
    init(_ servers: [SocketAddress], change: (inout Configuration) -> Void = { _ in }) throws {
        var configuration = Configuration()
        configuration.upstreams = [
            Upstream(
                name: "agents",
                servers: servers.map { UpstreamServer(endpoint: .address($0), text: $0.description) })
        ]
        configuration.routes = [
            Route(index: 0, pattern: try PathPattern("/open/"), accept: []),
            Route(index: 1, methods: ["GET"], pattern: try PathPattern("/closed/"), accept: [.jwt]),
        ]
        change(&configuration)
        let listener = try Sockets.listen(at: .ipv4([127, 0, 0, 1], port: 0))
        address = Sockets.localAddress(of: listener) ?? .unix("")
        let place = Listener(address: address, kind: .plain)
        configuration.listeners = [place]
        let shard = try Shard(index: 0)
        let worker = Worker(
            shard: shard, serving: try Serving(configuration, tickets: TLSTicketKeys()), known: StoreContents(),
            identity: nil, rates: RateTable(capacity: 64), accessLog: nil,
            admission: Admission(configured: nil), logger: Logger(label: "test"))
        self.worker = worker
        Self.kept.withLock { $0.append(worker) }
        shard.start()
        shard.queue.sync {
            worker.start()
            worker.open(place, descriptor: listener, name: "test", isAdmin: false)
        }
    }

    deinit {
        worker.shard.queue.sync {
            worker.drain()
            worker.cut()
            worker.shard.stop()
        }
    }

    func connect() throws -> Wire { try Wire(to: address) }

    /// Asks on the shard's queue.
    func ask<R>(_ question: (Worker) -> R) -> R { worker.shard.queue.sync { question(worker) } }
}

extension String {
    /// The status of an answer, or 0.
    var status: Int { Int(dropFirst(9).prefix(3)) ?? 0 }
    /// What follows the head.
    var body: String { firstRange(of: "\r\n\r\n").map { String(self[$0.upperBound...]) } ?? "" }
    /// The values of a field.
    func values(_ name: String) -> [String] {
        split(separator: "\r\n").filter { $0.lowercased().hasPrefix(name.lowercased() + ": ") }
            .map { String($0.dropFirst(name.count + 2)) }
    }
}
