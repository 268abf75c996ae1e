import Configuration
import HTTP
import Transport

/// A stream of an upstream's HTTP/2 connection, lent to one exchange.
///
/// Confined to its shard's queue. Bounds: `output` by the exchange's `uploadLimit`; what the client does not take waits
/// at the server, behind the stream's window.
final class HTTP2UpstreamStream: Channel, UpstreamLink, HTTP2StreamOwner {
    private let connection: HTTP2Upstream
    private var id: Int32 = 0
    private var exchange: Exchange?
    private var headText: ByteBuffer?
    private var output: ByteBuffer?
    private var isEnded = false
    private var trailers: [UInt8]?
    private(set) var sentCount = 0
    /// Its head was handed over to be sent.
    private(set) var mayHaveArrived = false
    private(set) var hasAnswered = false
    let wasReused: Bool
    // The answer.
    private var parser = ResponseHeadParser()
    private var isStreaming = false
    /// The answer's head, and what follows it, while the exchange is not ready.
    private var heldText: ByteBuffer?
    private var heldBody: ByteBuffer?
    private var heldEnd: [UInt8]?
    /// Bytes that came and are not given back to the stream's window.
    private var owed = 0
    private var timer: ShardTimer { self }

    init(on connection: HTTP2Upstream, isFirst: Bool) {
        self.connection = connection
        wasReused = !isFirst
    }

    private var worker: Worker { connection.worker }
    var pool: UpstreamPool { connection.pool }
    var server: ServerState { connection.server }

    // MARK: Request

    func begin(_ exchange: Exchange) { self.exchange = exchange }

    func takeHead() -> ByteBuffer {
        if let headText { return headText }
        let fresh = worker.buffers.take()
        headText = fresh
        return fresh
    }

    var pendingCount: Int { output?.readableCount ?? 0 }

    func appendBody(_ bytes: Span<UInt8>, _ range: Range<Int>, isChunked: Bool) {
        let buffer = output ?? worker.buffers.take()
        output = buffer
        buffer.append(bytes, range)
    }

    func appendBodyEnd(trailers: [UInt8]) { self.trailers = trailers }

    func requestComplete() {
        isEnded = true
        if connection.isOpen, !isStreaming { awaitAnswer() }
    }

    private func awaitAnswer() { worker.shard.set(timer, after: pool.responseTimeout) }

    func connectionIsOpen() {
        flush()
        if isEnded { awaitAnswer() }
        if !isEnded { exchange?.uploadDrained() }
    }

    func flush() {
        guard connection.isOpen, exchange != nil else { return }
        if id == 0 {
            guard let text = headText else { return }
            let isEnd = isEnded && output == nil && (trailers ?? []).isEmpty
            guard
                let opened = connection.session.submitRequest(
                    text: text, scheme: pool.tls == nil ? "http" : "https", isEnd: isEnd)
            else {
                // The connection has no stream ids left, or the server wants no more streams.
                connection.retire()
                return fail(.refused)
            }
            id = opened
            mayHaveArrived = true
            headText = nil
            worker.buffers.give(text)
            connection.session.attach(self, to: opened)
        } else {
            connection.session.resume(id)
        }
        // A server that takes nothing is not waited for without end; else it is the client's turn.
        if !isEnded, !isStreaming, output != nil { awaitAnswer() }
        connection.scheduleFlush()
    }

    func takeUnsent() -> UnsentRequest {
        defer { output = nil }
        return .body(output, trailers: trailers)
    }

    func adopt(_ unsent: UnsentRequest, of exchange: Exchange) -> Bool {
        guard case .body(let body, let trailers) = unsent else { return false }
        exchange.writeHead(to: self)
        output = body
        self.trailers = trailers
        return true
    }

    var pendingOutput: ByteBuffer? { output }

    var outputEnd: HTTP2OutputEnd {
        if !isEnded { return .open }
        if let trailers, !trailers.isEmpty { return .trailers(trailers) }
        return .ended
    }

    func sent(_ count: Int) {
        guard let output else { return }
        sentCount += count
        output.consume(count)
        if isStreaming { worker.shard.set(timer, after: pool.idleTimeout) }
        guard output.isEmpty else { return }
        worker.buffers.give(from: &self.output)
        guard !isEnded else { return }
        if !isStreaming { worker.shard.clear(timer) }
        exchange?.uploadDrained()
    }

    func sentEnd() {}

    func endTunnel() { cancel() }

    // MARK: Answer

    func answerBegan(isEnd: Bool) {
        guard let exchange else { return }
        hasAnswered = true
        let text = worker.buffers.take()
        connection.session.block.appendResponse(to: text)
        guard parser.parse(text.readable, answering: exchange.askedMethod, into: &exchange.answer) == .complete else {
            worker.buffers.give(text)
            return malformed()
        }
        if exchange.answer.isInterim {
            let isGood = exchange.answer.status != 101 && exchange.interimAnswer(text.readable)
            exchange.answer.reset()
            worker.buffers.give(text)
            if !isGood { malformed() }
        } else if exchange.withholdsAnswer() {
            heldText = text
            worker.shard.clear(timer)
        } else {
            take(text, for: exchange)
        }
        if isEnd, !isStreaming, heldText == nil { return malformed() }
        if isEnd { receivedEnd(trailers: []) }
    }

    private func take(_ text: ByteBuffer, for exchange: Exchange) {
        isStreaming = true
        exchange.answerHead(text.readable)
        worker.buffers.give(text)
        worker.shard.set(timer, after: pool.idleTimeout)
        connection.touch(self)
    }

    func received(_ bytes: Span<UInt8>) {
        connection.session.consumeConnection(bytes.count)
        owed += bytes.count
        guard let exchange else { return giveWindow() }
        if heldText != nil {
            let buffer = heldBody ?? worker.buffers.take()
            heldBody = buffer
            return buffer.append(bytes)
        }
        guard isStreaming else { return malformed() }
        exchange.answerBody(bytes, 0..<bytes.count)
        guard self.exchange === exchange else { return }
        worker.shard.set(timer, after: pool.idleTimeout)
        if !exchange.isAnswerBackedUp { giveWindow() }
        connection.touch(self)
    }

    func receivedEnd(trailers: [UInt8]) {
        guard let exchange else { return }
        if heldText != nil {
            heldEnd = trailers
            return
        }
        guard isStreaming else { return malformed() }
        let wasEnded = isEnded && output == nil
        finish()
        server.succeeded()
        exchange.upstream = nil
        // The server has said all: the rest of the request is of no use.
        if !wasEnded { connection.session.reset(id, .noError) }
        exchange.answerEnded(trailers: trailers)
    }

    func flushAnswer() { exchange?.flushAnswer() }

    private func giveWindow() {
        let count = owed
        owed = 0
        connection.session.consumeStream(id, count)
        if !connection.session.isBusy { connection.scheduleFlush() }
    }

    func resumeReading() { if owed > 0, exchange != nil { giveWindow() } }

    func releaseAnswer() {
        guard let exchange, let text = heldText else { return }
        heldText = nil
        take(text, for: exchange)
        if let body = heldBody {
            heldBody = nil
            exchange.answerBody(body.readable, 0..<body.readableCount)
            worker.buffers.give(body)
        }
        guard self.exchange === exchange else { return }
        if let end = heldEnd {
            receivedEnd(trailers: end)
        } else if !exchange.isAnswerBackedUp {
            giveWindow()
        }
        exchange.flushAnswer()
    }

    // MARK: Ends

    override func timerFired(_ timer: ShardTimer) { fail(isStreaming ? .broken : .timeout) }

    private func malformed() { fail(.malformed) }

    /// The exchange hears that there will be no answer.
    func fail(_ failure: UpstreamFailure) {
        guard let exchange else { return }
        if failure == .timeout || failure == .malformed { pool.failed(server, failure.reason) }
        let (unsent, id) = (output, id)
        output = nil
        finish()
        if id != 0, connection.isOpen {
            connection.session.reset(id, .cancel)
            connection.scheduleFlush()
        }
        output = sentCount == 0 ? unsent : nil
        exchange.upstreamFailed(failure)
        output = nil
    }

    func cancel() {
        guard exchange != nil else { return }
        let id = id
        finish()
        if id == 0 {
            connection.forget(self)
        } else if connection.isOpen {
            connection.session.reset(id, .cancel)
            connection.scheduleFlush()
        }
    }

    func closed(_ error: HTTP2Error) {
        // RFC 9113 §8.7: these two say that nothing was done with the request.
        let failure: UpstreamFailure = error == .refusedStream ? .refused : .broken
        id = 0
        fail(failure)
        connection.streamClosed()
    }

    /// The exchange is done with it.
    private func finish() {
        exchange = nil
        worker.shard.remove(timer)
        worker.buffers.give(from: &headText)
        worker.buffers.give(from: &output)
        worker.buffers.give(from: &heldText)
        worker.buffers.give(from: &heldBody)
        pool.streamEnded(server)
    }
}
