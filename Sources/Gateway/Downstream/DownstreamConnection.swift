import Configuration
import HTTP
import Observability
import Policy
import Transport

/// A client's HTTP/1.1 connection: bytes in, requests to exchanges, answers out, in order.
///
/// Confined to its shard's queue. One exchange at a time; further pipelined requests wait in `input`. An idle connection
/// holds no buffer and no exchange. Bounds: `input` holds at most a head and `pipelineLimit`, `output` at most
/// `outputLimit` and what one event adds. Its other halves are `DownstreamRequests` and `DownstreamAnswers`; nobody else
/// sets what is stored here.
final class DownstreamConnection: ClientChannel, Downstream {
    enum Phase {
        /// Waits for the PROXY header.
        case proxyHeader
        /// The TLS handshake is under way.
        case handshake
        /// Between requests, or within a head.
        case head
        /// The head was accepted, its body comes in.
        case body
        /// The whole request is here, its answer is not complete.
        case answering
        /// The last answer is out; what still comes is read and dropped, so that the client can read the answer.
        case lingering
        case closed
    }

    /// Bytes asked of the socket at once: a TLS record.
    static let readSize = 16 * 1024
    /// Bytes of later requests that are taken while one is answered.
    static let pipelineLimit = 64 * 1024
    /// Bytes that wait for the client before the upstream is no longer read.
    static let outputLimit = 64 * 1024
    /// A refused upload is read on for so many bytes and nanoseconds.
    static let lingerBytes = 256 * 1024
    static let lingerTime: Int64 = 1_000_000_000
    /// A kept connection waits so long for one more request when another process has taken over.
    static let lastRequestTime: Int64 = 5_000_000_000

    let worker: Worker
    let socket: StreamSocket
    let client: ClientPeer
    private var listener: Listener { client.listener }
    var phase: Phase
    var input: ByteBuffer?
    var output: ByteBuffer?
    var exchange: Exchange?
    var upload = BodyReader.none
    var isProcessing = false
    var closesAfterOutput = false
    /// The client has had our first flight of the handshake, or has not said enough for it.
    private var hasGreeted = false
    var lingered = 0
    var windowBytes = 0
    var readTimer: ShardTimer { self }
    lazy var writeTimer = ChannelTimer(channel: self)

    init(descriptor: Int32, peer: SocketAddress, client: ClientPeer, worker: Worker) {
        self.worker = worker
        self.client = client
        socket = StreamSocket(descriptor: descriptor)
        let listener = client.listener
        phase = listener.proxyProtocol ? .proxyHeader : listener.kind == .tls ? .handshake : .head
        super.init()
        client.set(peer, worker.serving.configuration)
    }

    var isMultiplexed: Bool { false }

    /// Begins to read.
    func start() {
        let interest: Readiness = listener.proxyProtocol ? [.readable, .peerClosed, .fresh] : .readable
        guard worker.shard.add(self, descriptor: socket.descriptor, interest: interest) else { return close() }
        let limits = worker.serving.configuration.limits
        let isHandshake = listener.kind == .tls || listener.proxyProtocol
        worker.shard.set(readTimer, after: (isHandshake ? limits.handshakeTimeout : limits.headTimeout).nanoseconds)
        if listener.proxyProtocol, !client.mayNameClients { return close() }
        if phase == .handshake { startTLS() }
    }

    private func startTLS() {
        phase = .handshake
        guard let context = worker.serving.tls, socket.startTLS(server: context) else { return close() }
    }

    // MARK: Events

    override func ready(_ readiness: Readiness) {
        switch phase {
        case .closed: return
        case .proxyHeader: return readProxyHeader(isLast: !readiness.isDisjoint(with: [.peerClosed, .hungUp, .failed]))
        case .handshake:
            advanceHandshake()
            // Early bytes may already be inside the TLS layer.
            guard phase == .head, socket.hasPending else { return }
        default: break
        }
        if readiness.contains(.writable) { flush() }
        guard phase != .closed else { return }
        if interest.contains(.readable) {
            if !readiness.isDisjoint(with: [.readable, .failed, .hungUp]) || socket.hasPending { receive() }
        } else if !readiness.isDisjoint(with: [.peerClosed, .failed, .hungUp]) {
            clientLeft()
        }
        exchange?.flushUpload()
    }

    func receive() {
        repeat {
            let buffer = takeInput()
            switch socket.read(into: buffer, limit: Self.readSize) {
            case .bytes(let count):
                windowBytes &+= count
                process()
            case .needsReadable, .needsWritable:
                if buffer.isEmpty { giveInput() }
                return
            case .ended, .failed: return clientLeft()
            }
        } while phase != .closed && socket.hasPending && interest.contains(.readable)
    }

    @inline(__always)
    func takeInput() -> ByteBuffer {
        if let input { return input }
        let fresh = worker.buffers.take()
        input = fresh
        return fresh
    }

    @inline(__always)
    func giveInput() { worker.buffers.give(from: &input) }

    private func advanceHandshake() {
        guard let tls = socket.tls else { return close() }
        // Behind our first flight comes a ticket: it can wait for the answer to a request that is here already.
        if hasGreeted { socket.holdUntilNextWrite() }
        switch tls.handshake() {
        case .complete:
            if !socket.hasPending { socket.release() }
            worker.shard.setInterest(.readable, of: self)
            client.isSecure = true
            worker.metrics.recordHandshake(isVersion13: tls.isVersion13, isResumed: tls.isResumed)
            if let serving = worker.serving.tls, serving.identities.count > 1 { client.serverName = tls.serverName }
            if tls.isHTTP2 { return handOver() }
            phase = .head
            worker.shard.set(readTimer, after: worker.serving.configuration.limits.headTimeout.nanoseconds)
        case .needsReadable:
            socket.release()
            hasGreeted = true
            worker.shard.setInterest(.readable, of: self)
        case .needsWritable: worker.shard.setInterest(.writable, of: self)
        case .failed:
            // With the alert that says why.
            socket.release()
            close()
        }
    }

    /// The client speaks HTTP/2: another channel goes on with the socket.
    private func handOver() {
        phase = .closed
        worker.shard.remove(readTimer)
        let connection = HTTP2Connection(taking: socket, of: client, worker: worker)
        worker.shard.replace(self, with: connection)
        connection.start()
    }

    private func readProxyHeader(isLast: Bool) {
        switch ProxyHeader.receive(from: socket.descriptor, isLast: isLast) {
        case .incomplete: return
        case .invalid: return close()
        case .address(let named):
            worker.shard.setInterest(.readable, of: self)
            if let named { client.set(named, worker.serving.configuration) }
            if listener.kind == .tls { startTLS() } else { phase = .head }
        }
    }

    // MARK: Ends

    /// The client is gone, or its connection is broken.
    func clientLeft() {
        let abandoned = exchange
        abandoned?.downstreamGone()
        close()
    }

    /// Ends so that the client sees that the answer is not complete.
    func abort() {
        guard phase != .closed else { return }
        flushOnce()
        close(reset: true)
    }

    /// One attempt to bring out what is there before a reset, so that only the end is missing.
    private func flushOnce() {
        guard let output, !output.isEmpty else { return }
        if case .bytes(let count) = socket.write(output.readable) { output.consume(count) }
    }

    func close(reset: Bool = false) {
        guard phase != .closed else { return }
        phase = .closed
        worker.shard.remove(readTimer)
        worker.shard.remove(writeTimer)
        worker.shard.remove(self)
        if reset { socket.reset() } else { socket.close() }
        giveInput()
        worker.buffers.give(from: &output)
        releaseExchange()
        worker.connectionClosed(client.label)
    }

    /// Ends when idle, else with the request that is under way.
    override func drain() {
        guard phase == .head, exchange == nil, output == nil else { return }
        // A request may be on its way: it is answered, and told that the connection ends.
        if worker.isReplaced { return worker.shard.set(readTimer, after: Self.lastRequestTime) }
        close()
    }

    override func cut() {
        guard phase != .closed, phase != .lingering else { return }
        guard let exchange, exchange.started.nanoseconds > 0 else { return kill() }
        exchange.end(with: .draining, wait: 0)
    }

    override func kill() {
        guard phase != .closed else { return }
        exchange?.downstreamGone()
        abort()
    }

    override func timerFired(_ timer: ShardTimer) {
        // A client that takes nothing has to see that something is missing.
        if timer === writeTimer { return kill() }
        switch phase {
        case .proxyHeader, .handshake, .lingering: close()
        case .head:
            guard let exchange, exchange.isHeadUnderWay else { return close() }
            timedOut(exchange, "head_timeout")
        case .body: checkBodyRate()
        case .answering, .closed: break
        }
    }

    private func checkBodyRate() {
        guard let exchange else { return }
        let limits = exchange.serving.configuration.limits
        let window = limits.bodyRateWindow
        let demanded = Double(limits.bodyRate) * Double(window.nanoseconds) / 1e9
        // While the upstream does not take more, the client is not to blame.
        if interest.contains(.readable) && Double(windowBytes) < demanded { return timedOut(exchange, "body_min_rate") }
        windowBytes = 0
        worker.shard.set(readTimer, after: window.nanoseconds)
    }

    private func timedOut(_ exchange: Exchange, _ limit: String) {
        if phase == .head, let input {
            exchange.keepPrefix(of: input)
            self.input = nil
        }
        let wasHead = phase == .head
        upload = .broken
        if wasHead {
            phase = .answering
            exchange.refuse(.requestTimeout(limit: limit))
        } else {
            exchange.requestFailed(.requestTimeout(limit: limit))
        }
    }
}
