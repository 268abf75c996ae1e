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
    private static let readSize = 16 * 1024
    /// Bytes asked of the socket once a body has shown to be long.
    private static let longReadSize = 64 * 1024

    let pool: UpstreamPool
    let server: ServerState
    private let worker: Worker
    private let socket: StreamSocket
    private(set) var phase: Phase
    private var exchange: Exchange?
    private var input: ByteBuffer?
    private var output: ByteBuffer?
    private var parser = ResponseHeadParser()
    private var download = BodyReader.none
    private var isRequestSent = false
    /// It served an exchange before this one.
    private(set) var wasReused = false
    /// Bytes of this exchange's request that the socket took.
    private(set) var sentCount = 0
    /// A byte of the answer came.
    private(set) var hasAnswered = false
    private var isTunnel = false
    private var isTunnelEnded = false
    private var hasConnected = false
    /// The body while there is no connection: it is framed when it is known what the server speaks.
    private var early: ByteBuffer?
    private var earlyTrailers: [UInt8]?
    private var isEarlyChunked = false
    private let offersHTTP2: Bool
    private lazy var timer = ShardTimer(channel: self)

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
        worker.shard.add(self, descriptor: descriptor, interest: isConnected ? [.readable, .writable] : .writable)
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
        let fresh = worker.shard.buffers.take()
        output = fresh
        return fresh
    }

    func takeHead() -> ByteBuffer { takeOutput() }

    /// Bytes that wait for the server.
    @inline(__always)
    var pendingCount: Int { (output?.readableCount ?? 0) + (early?.readableCount ?? 0) }

    /// Only collects: sending may end the exchange, and with it the buffer that `bytes` lie in.
    func appendBody(_ bytes: Span<UInt8>, _ range: Range<Int>, isChunked: Bool) {
        if isConnecting {
            let buffer = early ?? worker.shard.buffers.take()
            early = buffer
            isEarlyChunked = isChunked
            buffer.append(bytes, range)
        } else if isChunked {
            ChunkedEncoder.append(bytes, range, to: takeOutput())
        } else {
            takeOutput().append(bytes, range)
        }
    }

    private var isConnecting: Bool { phase == .connecting || phase == .handshake }

    func appendBodyEnd(trailers: [UInt8]) {
        if isConnecting {
            earlyTrailers = trailers
        } else {
            ChunkedEncoder.appendEnd(trailers: trailers, to: takeOutput())
        }
    }

    /// There is a connection, and it speaks HTTP/1.1.
    private func frameEarlyBody() {
        if let early {
            self.early = nil
            if isEarlyChunked {
                ChunkedEncoder.append(early.readable, 0..<early.readableCount, to: takeOutput())
            } else {
                takeOutput().append(early.readable)
            }
            worker.shard.buffers.give(early)
        }
        if let earlyTrailers {
            self.earlyTrailers = nil
            ChunkedEncoder.appendEnd(trailers: earlyTrailers, to: takeOutput())
        }
    }

    /// Nothing more of the request will come.
    func requestComplete() {
        isRequestSent = true
        if phase == .awaiting { awaitAnswer() }
    }

    /// What was not sent, for another connection.
    func takeUnsent() -> UnsentRequest {
        defer { (output, early, earlyTrailers) = (nil, nil, nil) }
        guard !hasConnected, let output else { return output.map { .text($0) } ?? .body(nil, trailers: nil) }
        worker.shard.buffers.give(output)
        return .body(early, trailers: earlyTrailers)
    }

    func adopt(_ unsent: UnsentRequest, of exchange: Exchange) -> Bool {
        switch unsent {
        case .text(let text): output = text
        case .body(let body, let trailers):
            exchange.writeHead(to: self)
            (early, earlyTrailers) = (body, trailers)
            isEarlyChunked = exchange.head.framing == .chunked
            if !isConnecting { frameEarlyBody() }
        }
        return true
    }

    private func awaitAnswer() {
        worker.shard.set(timer, after: pool.definition.responseTimeout.nanoseconds)
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
        case .held: return
        case .awaiting, .streaming: break
        }
        if readiness.contains(.writable) { flush() }
        guard phase == .awaiting || phase == .streaming else { return }
        if !readiness.isDisjoint(with: [.readable, .failed, .hungUp]) { receive() }
    }

    /// A kept connection that speaks has ended, unless it is only the TLS layer (session tickets).
    private func readIdle() {
        if socket.tls != nil {
            let buffer = worker.shard.buffers.take()
            let outcome = socket.read(into: buffer, limit: 1024)
            worker.shard.buffers.give(buffer)
            if outcome == .needsReadable { return }
        }
        close(reset: false)
    }

    private func finishConnecting() {
        guard socket.takeError() == 0 else { return fail(.connect) }
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
            worker.logger.warning(
                "TLS to \(server.text) of upstream \(pool.definition.name) failed: \(reason)")
            fail(.connect)
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
        frameEarlyBody()
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
        self.output = nil
        worker.shard.buffers.give(output)
        if interest.contains(.writable) {
            worker.shard.setInterest(interest.subtracting(.writable), of: self)
            if !isRequestSent && phase == .awaiting { worker.shard.clear(timer) }
        } else if !isRequestSent && phase == .awaiting {
            // The client's turn: its pace has a bound of its own.
            worker.shard.clear(timer)
        }
        if isTunnel {
            worker.shard.set(timer, after: pool.definition.idleTimeout.nanoseconds)
            if isTunnelEnded { socket.shutDownWriting() }
        }
        if !isRequestSent { exchange?.uploadDrained() }
    }

    private func receive() {
        guard let exchange else { return }
        repeat {
            let buffer = input ?? worker.shard.buffers.take()
            input = buffer
            switch socket.read(into: buffer, limit: download.isLong ? Self.longReadSize : Self.readSize) {
            case .bytes:
                hasAnswered = true
                guard take(buffer, for: exchange) else { return }
            case .needsReadable, .needsWritable:
                if buffer.isEmpty { giveInput() }
                return exchange.flushAnswer()
            case .ended: return ended(inOrder: true)
            case .failed: return ended(inOrder: false)
            }
        } while socket.hasPending && interest.contains(.readable)
        if phase == .streaming { worker.shard.set(timer, after: pool.definition.idleTimeout.nanoseconds) }
        exchange.flushAnswer()
        if self.exchange === exchange, exchange.isAnswerBackedUp { pauseReading() }
    }

    /// Passes on what came; false when the exchange came to its end by it.
    private func take(_ buffer: ByteBuffer, for exchange: Exchange) -> Bool {
        while !buffer.isEmpty {
            if phase == .awaiting {
                switch parser.parse(buffer.readable, answering: exchange.askedMethod, into: &exchange.answer) {
                case .incomplete: return true
                case .failed:
                    fail(.malformed)
                    return false
                case .complete: guard takeHead(buffer, for: exchange) else { return false }
                }
            } else {
                guard takeBody(buffer, for: exchange) else { return false }
            }
        }
        giveInput()
        return true
    }

    private func takeHead(_ buffer: ByteBuffer, for exchange: Exchange) -> Bool {
        let length = exchange.answer.length
        let isInterim = exchange.answer.isInterim
        if isInterim {
            if exchange.answer.status == 101 { return openTunnel(buffer, for: exchange) }
            guard exchange.interimAnswer(buffer.readable) else {
                fail(.malformed)
                return false
            }
        } else if exchange.withholdsAnswer() {
            phase = .held
            worker.shard.clear(timer)
            pauseReading()
            return false
        } else {
            exchange.answerHead(buffer.readable)
            download = BodyReader(exchange.answer.framing)
            phase = .streaming
        }
        buffer.consume(length)
        if isInterim { exchange.answer.reset() }
        if !isInterim && download.isComplete {
            complete(exchange, leftOver: !buffer.isEmpty)
            return false
        }
        return true
    }

    /// The server switches protocols: what follows goes through as it is, until one side ends.
    private func openTunnel(_ buffer: ByteBuffer, for exchange: Exchange) -> Bool {
        guard exchange.upgradeAnswered(buffer.readable) else {
            fail(.malformed)
            return false
        }
        buffer.consume(exchange.answer.length)
        download = .untilClose
        phase = .streaming
        isTunnel = true
        isRequestSent = false
        worker.shard.later { [weak self] in
            guard let self, self.exchange === exchange else { return }
            exchange.tunnelOpened()
        }
        return true
    }

    /// The client will say nothing more through the tunnel.
    func endTunnel() {
        isTunnelEnded = true
        flush()
    }

    /// The exchange is ready for the answer that was held.
    func releaseAnswer() {
        guard phase == .held, let exchange, let buffer = input else { return }
        phase = .awaiting
        worker.shard.setInterest(interest.union(.readable), of: self)
        guard takeHead(buffer, for: exchange), take(buffer, for: exchange) else { return }
        worker.shard.set(timer, after: pool.definition.idleTimeout.nanoseconds)
        exchange.flushAnswer()
    }

    private func takeBody(_ buffer: ByteBuffer, for exchange: Exchange) -> Bool {
        switch download.next(buffer.readable) {
        case .data(let range, let consumed):
            exchange.answerBody(buffer.readable, range)
            guard phase == .streaming else { return false }
            buffer.consume(consumed)
        case .needsMore(let consumed):
            buffer.consume(consumed)
            return true
        case .end(let consumed): buffer.consume(consumed)
        case .failed:
            fail(.malformed)
            return false
        }
        if download.isComplete {
            complete(exchange, leftOver: !buffer.isEmpty)
            return false
        }
        return true
    }

    /// The answer ended. The connection goes back to its pool before the exchange is told, since the next request may
    /// want it.
    private func complete(_ exchange: Exchange, leftOver: Bool) {
        self.exchange = nil
        exchange.upstream = nil
        server.succeeded()
        giveInput()
        let isReusable =
            !leftOver && isRequestSent && pendingCount == 0 && download.isComplete && exchange.answer.keepAlive
        let trailers = download.trailers
        download = .none
        if isReusable && !pool.isRetired {
            phase = .idle
            worker.shard.setInterest(.readable, of: self)
            pool.keep(self)
        } else {
            close(reset: !isRequestSent)
        }
        exchange.answerEnded(trailers: trailers)
    }

    private func ended(inOrder: Bool) {
        guard let exchange else { return close(reset: false) }
        if phase == .streaming, inOrder, case .untilClose = download {
            return complete(exchange, leftOver: false)
        }
        fail(.broken)
    }

    /// The client does not keep up.
    private func pauseReading() { worker.shard.setInterest(interest.subtracting(.readable), of: self) }

    func resumeReading() {
        guard phase == .streaming, !interest.contains(.readable) else { return }
        worker.shard.setInterest(interest.union(.readable), of: self)
        if socket.hasPending {
            worker.shard.later { [weak self] in
                guard let self, phase == .streaming, interest.contains(.readable) else { return }
                receive()
            }
        }
    }

    // MARK: Ends

    override func timerFired(_ timer: ShardTimer) {
        switch phase {
        case .connecting, .handshake: fail(.connect)
        case .awaiting: fail(.timeout)
        case .streaming: fail(.broken)
        case .idle: close(reset: false)
        case .held, .closed: break
        }
    }

    /// Idles in the pool for so long at most.
    func idle(for nanoseconds: Int64) { worker.shard.set(timer, after: nanoseconds) }

    private func fail(_ failure: UpstreamFailure) {
        // A kept connection that the server closed meanwhile says nothing about the server.
        if !(failure == .broken && wasReused && !hasAnswered) { server.failed(worker.shard.now, pool.definition) }
        let exchange = exchange
        self.exchange = nil
        let unsent = sentCount == 0 ? output : nil
        if unsent != nil { output = nil }
        close(reset: true)
        output = unsent
        exchange?.upstreamFailed(failure)
        (output, early) = (nil, nil)
    }

    private func giveInput() {
        guard let held = input else { return }
        input = nil
        worker.shard.buffers.give(held)
    }

    func close(reset: Bool) {
        guard phase != .closed else { return }
        let wasIdle = phase == .idle
        phase = .closed
        worker.shard.remove(timer)
        worker.shard.remove(self)
        if reset { socket.reset() } else { socket.close() }
        giveInput()
        if let output {
            self.output = nil
            worker.shard.buffers.give(output)
        }
        pool.closed(self, wasIdle: wasIdle)
    }
}
