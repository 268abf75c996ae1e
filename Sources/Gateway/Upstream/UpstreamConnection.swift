import Configuration
import HTTP
import Logging
import Transport

/// A connection to an upstream's server: idle in its pool, or lent to one exchange (HTTP/1.1).
///
/// Confined to its shard's queue. It is used again only when an answer ended exactly where it should and the request
/// had been sent whole.
final class UpstreamConnection: Channel, UpstreamLink {
    enum Phase {
        case connecting
        case handshake
        case idle
        /// Lent, and waits for the answer's head.
        case awaiting
        /// The answer's head is here and the exchange is not ready for it.
        case held
        /// Within the answer's body.
        case streaming
        case closed
    }

    /// Bytes asked of the socket at once.
    static let readSize = 16 * 1024
    /// Bytes asked of the socket once a body has shown to be long.
    static let longReadSize = 64 * 1024

    let pool: UpstreamPool
    let server: ServerState
    let worker: Worker
    let socket: StreamSocket
    var phase: Phase
    var exchange: Exchange?
    var input: ByteBuffer?
    private var output: ByteBuffer?
    var parser = ResponseHeadParser()
    var download = BodyReader.none
    var isRequestSent = false
    /// It served an exchange before this one.
    private(set) var wasReused = false
    /// Bytes of this exchange's request that the socket took.
    private(set) var sentCount = 0
    var mayHaveArrived: Bool { sentCount > 0 }
    /// A byte of the answer came.
    var hasAnswered = false
    var isTunnel = false
    var isTunnelEnded = false
    private var hasConnected = false
    private var early = EarlyBody()
    private let offersHTTP2: Bool
    var timer: ShardTimer { self }

    init(
        pool: UpstreamPool, server: ServerState, descriptor: Int32, isConnected: Bool, offersHTTP2: Bool, worker: Worker
    ) {
        self.pool = pool
        self.server = server
        self.worker = worker
        self.offersHTTP2 = offersHTTP2
        socket = StreamSocket(descriptor: descriptor)
        phase = .connecting
        super.init()
        worker.shard.add(
            self, descriptor: descriptor, interest: isConnected ? [.readable, .writable] : .writable,
            precedence: .answers)
        worker.shard.set(timer, after: pool.definition.connectTimeout.nanoseconds)
    }

    // MARK: Lending

    /// Lends the connection to `exchange`.
    func begin(_ exchange: Exchange) {
        self.exchange = exchange
        sentCount = 0
        hasAnswered = false
        isRequestSent = false
        if phase == .idle {
            wasReused = true
            phase = .awaiting
        }
    }

    /// The bytes that go to the server next.
    @inline(__always)
    func takeOutput() -> ByteBuffer {
        if let output { return output }
        let fresh = worker.buffers.take()
        output = fresh
        return fresh
    }

    func takeHead() -> ByteBuffer { takeOutput() }

    /// Bytes that wait for the server.
    @inline(__always)
    var pendingCount: Int { (output?.readableCount ?? 0) + early.count }

    /// Only collects: sending may end the exchange, and with it the buffer that `bytes` lie in.
    func appendBody(_ bytes: Span<UInt8>, _ range: Range<Int>, isChunked: Bool) {
        if isConnecting {
            early.append(bytes, range, isChunked: isChunked, worker.buffers)
        } else if isChunked {
            ChunkedEncoder.append(bytes, range, to: takeOutput())
        } else {
            takeOutput().append(bytes, range)
        }
    }

    private var isConnecting: Bool { phase == .connecting || phase == .handshake }

    func appendBodyEnd(trailers: [UInt8]) {
        if isConnecting {
            early.end(trailers: trailers)
        } else {
            ChunkedEncoder.appendEnd(trailers: trailers, to: takeOutput())
        }
    }

    /// Nothing more of the request will come.
    func requestComplete() {
        isRequestSent = true
        if phase == .awaiting { awaitAnswer() }
    }

    /// What was not sent, for another connection.
    func takeUnsent() -> UnsentRequest {
        defer { (output, early) = (nil, EarlyBody()) }
        guard !hasConnected, let output else { return output.map { .text($0) } ?? .body(nil, trailers: nil) }
        worker.buffers.give(output)
        return .body(early.bytes, trailers: early.trailers)
    }

    func adopt(_ unsent: UnsentRequest, of exchange: Exchange) -> Bool {
        switch unsent {
        case .text(let text): output = text
        case .body(let body, let trailers):
            exchange.writeHead(to: self)
            early = EarlyBody(body, trailers: trailers, isChunked: exchange.head.framing == .chunked)
            if !isConnecting { early.frame(into: takeOutput(), worker.buffers) }
        }
        return true
    }

    private func awaitAnswer() {
        worker.shard.set(timer, after: pool.responseTimeout)
    }

    /// Ends: the exchange wants no answer any more. The server sees a reset, never a regular end.
    func cancel() {
        exchange = nil
        close(reset: true)
    }

    // MARK: Events

    override func ready(_ readiness: Readiness) {
        switch phase {
        case .closed: return
        case .connecting: return finishConnecting()
        case .handshake: return advanceHandshake()
        case .idle: return readIdle()
        case .held:
            if hasEnded(readiness) { return worker.shard.remove(self) }
            return worker.shard.setInterest(interest.subtracting(.writable), of: self)
        case .awaiting, .streaming: break
        }
        if readiness.contains(.writable) { flush() }
        guard phase == .awaiting || phase == .streaming else { return }
        if hasEnded(readiness), !interest.contains(.readable) { return worker.shard.remove(self) }
        if !readiness.isDisjoint(with: [.readable, .failed, .hungUp]) { receive() }
    }

    /// The kernel would go on saying so. Where the answer is not wanted yet, it is left alone until it is.
    private func hasEnded(_ readiness: Readiness) -> Bool { !readiness.isDisjoint(with: [.failed, .hungUp]) }

    /// A kept connection that speaks has ended, unless it is only the TLS layer (session tickets).
    private func readIdle() {
        if socket.tls != nil {
            let buffer = worker.buffers.take()
            let outcome = socket.read(into: buffer, limit: 1024)
            worker.buffers.give(buffer)
            if outcome == .needsReadable { return }
        }
        close(reset: false)
    }

    private func finishConnecting() {
        let error = socket.takeError()
        guard error == 0 else { return fail(.connect, SocketError.text(of: error)) }
        guard let context = pool.tls else { return connected() }
        let name = server.tlsName(pool.definition.tls)
        guard socket.startTLS(client: context, serverName: name, offersHTTP2: offersHTTP2) else {
            return fail(.connect)
        }
        phase = .handshake
        advanceHandshake()
    }

    private func advanceHandshake() {
        guard let tls = socket.tls else { return fail(.connect) }
        switch tls.handshake() {
        case .complete: if tls.isHTTP2 { handOver() } else { connected() }
        case .needsReadable: worker.shard.setInterest(.readable, of: self)
        case .needsWritable: worker.shard.setInterest(.writable, of: self)
        case .failed(let reason):
            fail(.connect, "TLS failed: \(reason)")
        }
    }

    /// The server has chosen HTTP/2: another channel goes on with the socket, and the exchange gets a stream there.
    private func handOver() {
        server.speaksHTTP2 = true
        worker.shard.remove(timer)
        phase = .closed
        let connection = HTTP2Upstream(taking: socket, of: self, worker: worker)
        pool.entered(connection)
        pool.streamEnded(server)
        guard let exchange else { return connection.streamClosed() }
        self.exchange = nil
        let isEnded = isRequestSent
        let stream = pool.lend(connection)
        exchange.upstream = stream
        stream.begin(exchange)
        guard stream.adopt(takeUnsent(), of: exchange) else {
            exchange.upstream = stream
            return stream.fail(.broken)
        }
        if isEnded { stream.requestComplete() }
        stream.flush()
        connection.flush()
        exchange.uploadDrained()
    }

    private func connected() {
        hasConnected = true
        early.frame(into: takeOutput(), worker.buffers)
        worker.shard.setInterest(.readable, of: self)
        guard exchange != nil else {
            phase = .idle
            return pool.keep(self)
        }
        phase = .awaiting
        awaitAnswer()
        flush()
        exchange?.uploadDrained()
    }

    /// Sends what the socket takes.
    func flush() {
        guard let output, phase == .awaiting || phase == .streaming else {
            if isTunnelEnded, output == nil, phase == .streaming { socket.shutDownWriting() }
            return
        }
        while !output.isEmpty {
            switch socket.write(output.readable) {
            case .bytes(let count):
                sentCount &+= count
                output.consume(count)
            case .needsWritable, .needsReadable:
                worker.shard.setInterest(interest.union(.writable), of: self)
                if !isRequestSent { awaitAnswer() }
                return
            case .ended, .failed:
                // The server may have answered before it closed: what it said is read first. What no server has seen
                // is kept for another connection.
                if sentCount > 0 { self.output = nil }
                return receive()
            }
        }
        worker.buffers.give(from: &self.output)
        if interest.contains(.writable) {
            worker.shard.setInterest(interest.subtracting(.writable), of: self)
            if !isRequestSent && phase == .awaiting { worker.shard.clear(timer) }
        } else if !isRequestSent && phase == .awaiting {
            // The client's turn: its pace has a bound of its own.
            worker.shard.clear(timer)
        }
        if isTunnel {
            worker.shard.set(timer, after: pool.idleTimeout)
            if isTunnelEnded { socket.shutDownWriting() }
        }
        if !isRequestSent { exchange?.uploadDrained() }
    }

    // MARK: Ends

    override func timerFired(_ timer: ShardTimer) {
        switch phase {
        case .connecting, .handshake: fail(.connect, "no connection within connect_timeout")
        case .awaiting: fail(.timeout)
        case .streaming: fail(.broken)
        case .idle: close(reset: false)
        case .held, .closed: break
        }
    }

    /// Idles in the pool for so long at most.
    func idle(for nanoseconds: Int64) { worker.shard.set(timer, after: nanoseconds) }

    func fail(_ failure: UpstreamFailure, _ reason: String? = nil) {
        // A kept connection that the server closed meanwhile says nothing about the server.
        if !(failure == .broken && wasReused && !hasAnswered) { pool.failed(server, reason ?? failure.reason) }
        let exchange = exchange
        self.exchange = nil
        let unsent = sentCount == 0 ? output : nil
        if unsent != nil { output = nil }
        close(reset: true)
        output = unsent
        exchange?.upstreamFailed(failure)
        (output, early) = (nil, EarlyBody())
    }

    func giveInput() { worker.buffers.give(from: &input) }

    func close(reset: Bool) {
        guard phase != .closed else { return }
        let wasIdle = phase == .idle
        phase = .closed
        worker.shard.remove(timer)
        worker.shard.remove(self)
        if reset { socket.reset() } else { socket.close() }
        giveInput()
        worker.buffers.give(from: &output)
        worker.admission.upstreamClosed()
        pool.closed(self, wasIdle: wasIdle)
    }
}
