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
    private lazy var timer = ShardTimer(channel: self)

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
            worker: worker, check: check, host: state.text, tls: tls,
            limit: min(check.interval.nanoseconds, Self.probeTime)
        ) { [weak self] isHealthy in self?.note(isHealthy) }.begin(address)
    }

    private func note(_ isHealthy: Bool) {
        guard !isStopped else { return }
        failures = isHealthy ? 0 : failures + 1
        if isHealthy || failures >= Self.failuresToIll { report(isHealthy) }
    }
}

/// One health check: a request, and whether its answer is 2xx.
final class HealthProbe: Channel {
    private let worker: Worker
    private let check: Upstream.HealthCheck
    private let host: String
    private let tls: (context: TLSClientContext, name: String)?
    private let limit: Int64
    private var completion: ((Bool) -> Void)?
    private var socket: StreamSocket?
    private var isConnected = false
    private let buffer = ByteBuffer(capacity: 4096)
    private var parser = ResponseHeadParser()
    private var head = ResponseHead()
    private lazy var timer = ShardTimer(channel: self)

    init(
        worker: Worker, check: Upstream.HealthCheck, host: String, tls: (context: TLSClientContext, name: String)?,
        limit: Int64, completion: @escaping (Bool) -> Void
    ) {
        self.worker = worker
        self.check = check
        self.host = host
        self.tls = tls
        self.limit = limit
        self.completion = completion
    }

    func begin(_ address: SocketAddress) {
        do throws(SocketError) {
            let (descriptor, _) = try Sockets.connect(to: address)
            let socket = StreamSocket(descriptor: descriptor)
            self.socket = socket
            worker.shard.add(self, descriptor: descriptor, interest: .writable)
            worker.shard.set(timer, after: limit)
        } catch {
            finish(false)
        }
    }

    override func timerFired(_ timer: ShardTimer) { finish(false) }

    override func ready(_ readiness: Readiness) {
        guard let socket else { return }
        if !isConnected {
            if socket.tls == nil {
                guard socket.takeError() == 0 else { return finish(false) }
                if let tls, !socket.startTLS(client: tls.context, serverName: tls.name) { return finish(false) }
            }
            if let session = socket.tls {
                switch session.handshake() {
                case .complete: break
                case .needsReadable: return worker.shard.setInterest(.readable, of: self)
                case .needsWritable: return worker.shard.setInterest(.writable, of: self)
                case .failed: return finish(false)
                }
            }
            isConnected = true
            return ask(socket)
        }
        read(socket)
    }

    private func ask(_ socket: StreamSocket) {
        let request =
            "\(check.method) \(check.path) HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: gatehouse\r\nConnection: close\r\n\r\n"
        let bytes = Array(request.utf8)
        guard socket.write(bytes.span) == .bytes(bytes.count) else { return finish(false) }
        worker.shard.setInterest(.readable, of: self)
    }

    private func read(_ socket: StreamSocket) {
        let buffer = buffer
        switch socket.read(into: buffer, limit: 4096) {
        case .bytes:
            switch parser.parse(buffer.readable, answering: .get, into: &head) {
            case .incomplete: return
            case .failed: finish(false)
            case .complete: finish((200..<300).contains(head.status))
            }
        case .needsReadable, .needsWritable: return
        case .ended, .failed: finish(false)
        }
    }

    private func finish(_ isHealthy: Bool) {
        guard let completion else { return }
        self.completion = nil
        worker.shard.remove(timer)
        worker.shard.remove(self)
        socket?.reset()
        socket = nil
        completion(isHealthy)
    }
}
