import Configuration
import HTTP
import Transport

/// A stream of a client's HTTP/2 connection: one request and its answer.
///
/// Confined to its shard's queue; lives from the request's head until nghttp2 has closed the stream, its exchange only
/// until the answer is complete. Bounds: `held` by the stream's window, since what waits there is not given back to the
/// client; `output` by `outputLimit` and one read of the upstream.
final class HTTP2Stream: Downstream, HTTP2StreamOwner {
    /// Bytes that wait for the client before the upstream is no longer read.
    private static let outputLimit = 64 * 1024

    let id: Int32
    private let connection: HTTP2Connection
    private(set) var exchange: Exchange?
    private var headText: ByteBuffer?
    /// Bytes of the head in `headText`; 0 until it is complete.
    private var headLength = 0
    private var hasSubmitted = false
    private var output: ByteBuffer?
    private var isAnswerComplete = false
    private var answerTrailers: [UInt8] = []
    private var progressed: MonotonicTime
    // The upload.
    private var hasEnded = false
    private var held: ByteBuffer?
    private(set) var uploadTrailers: [UInt8] = []
    /// Bytes that came and are not given back to the stream's window.
    private var owed = 0
    private var windowBytes = 0
    private var isFirstWindow = true
    private var dropped = 0
    /// The whole answer was sent although the upload goes on.
    private var answered: MonotonicTime?
    private var isClosed = false

    init(_ id: Int32, on connection: HTTP2Connection) {
        self.id = id
        self.connection = connection
        progressed = connection.worker.shard.now
    }

    private var worker: Worker { connection.worker }
    var client: ClientPeer { connection.client }
    var isMultiplexed: Bool { true }

    // MARK: Request

    /// The request's head is here.
    func begin(_ block: HeaderBlock, isEnd: Bool) {
        let exchange = worker.takeExchange()
        self.exchange = exchange
        exchange.downstream = self
        hasEnded = isEnd
        if !isEnd { connection.uploadingStreams += 1 }
        let text = worker.buffers.take()
        block.appendRequest(
            webSocketKey: block.protocolName.isEmpty ? [] : WebSocketHandshake.freshKey(), to: text)
        if block.fault == .tooLarge {
            exchange.keepPrefix(of: text)
            return exchange.refuse(.headersTooLarge(limit: exchange.serving.headLimits.head))
        }
        switch exchange.parser.parse(text.readable, into: &exchange.head) {
        case .complete where !block.protocolName.isEmpty && !exchange.head.upgradesToWebSocket:
            exchange.keepPrefix(of: text)
            exchange.refuse(.badRequest(field: ":protocol", reason: "only websocket is served"))
        case .complete:
            exchange.headBuffer = text
            let isUpgrade = exchange.head.upgradesToWebSocket
            exchange.head.settleFraming(isEnd: isEnd || isUpgrade)
            exchange.headComplete()
            // What a tunnel carries is no body: the request is whole.
            if isEnd || isUpgrade { self.exchange?.requestEnded(trailers: []) }
        case .failed(let error):
            exchange.keepPrefix(of: text)
            exchange.refuse(error.refusal)
        case .incomplete:
            exchange.keepPrefix(of: text)
            exchange.refuse(.badRequest(field: nil, reason: "incomplete head"))
        }
    }

    func flushUpload() { exchange?.flushUpload() }

    func answerBegan(isEnd: Bool) {}

    func received(_ bytes: Span<UInt8>) {
        let count = bytes.count
        // One stream that is not taken must not stop the others: only its own window stays closed.
        connection.session.consumeConnection(count)
        owed += count
        windowBytes += count
        guard let exchange else { return drop(count) }
        if held != nil || exchange.isUploadBackedUp {
            let buffer = held ?? worker.buffers.take()
            held = buffer
            buffer.append(bytes)
            return
        }
        guard exchange.requestBody(bytes, 0..<count) else { return }
        if let exchange = self.exchange, !exchange.isUploadBackedUp { giveWindow() }
        connection.touch(self)
    }

    func receivedEnd(trailers: [UInt8]) {
        guard !hasEnded else { return }
        hasEnded = true
        connection.uploadingStreams -= 1
        uploadTrailers = trailers
        guard held == nil else { return }
        exchange?.requestEnded(trailers: trailers)
        connection.touch(self)
    }

    private func giveWindow() {
        let count = owed
        owed = 0
        // Small pieces are given back together.
        if !hasEnded, count > 0 {
            connection.session.consumeStream(id, count)
            connection.scheduleFlush()
        }
    }

    var isUploadComplete: Bool { hasEnded && held == nil }

    func resumeUpload() {
        guard let exchange else { return }
        if let held {
            guard !exchange.isUploadBackedUp else { return }
            self.held = nil
            let goesOn = exchange.requestBody(held.readable, 0..<held.readableCount)
            worker.buffers.give(held)
            guard goesOn, self.exchange === exchange else { return }
            if hasEnded { exchange.requestEnded(trailers: uploadTrailers) }
            exchange.flushUpload()
        }
        if let exchange = self.exchange, owed > 0, !exchange.isUploadBackedUp { giveWindow() }
    }

    func checkUploadRate(_ limits: Limits) {
        guard !hasEnded, let exchange else { return }
        let demanded = Double(limits.bodyRate) * Double(limits.bodyRateWindow.nanoseconds) / 1e9
        defer {
            windowBytes = 0
            isFirstWindow = false
        }
        // While the upstream does not take more, the client is not to blame.
        guard !isFirstWindow, held == nil, !exchange.isUploadBackedUp, Double(windowBytes) < demanded else { return }
        exchange.requestFailed(.requestTimeout(limit: "body_min_rate"))
    }

    // MARK: Answer

    func takeHead() -> ByteBuffer {
        if let headText { return headText }
        let fresh = worker.buffers.take()
        headText = fresh
        return fresh
    }

    func sendHead(_ kind: AnswerHeadKind) {
        guard let text = headText else { return }
        switch kind {
        case .interim:
            connection.session.submitInterim(id, text: text)
            text.removeAll()
            connection.scheduleFlush()
        case .streamed: headLength = text.readableCount
        case .complete: headLength = HeadText.length(text.readable)
        }
    }

    func takeOutput() -> ByteBuffer {
        if let output { return output }
        let fresh = worker.buffers.take()
        output = fresh
        connection.waitingStreams += 1
        progressed = worker.shard.now
        return fresh
    }

    var isBackedUp: Bool { (output?.readableCount ?? 0) > Self.outputLimit }

    func flush() {
        guard !isClosed else { return }
        submitHead()
        connection.session.resume(id)
        connection.scheduleFlush()
    }

    /// Hands the head over, with what was written behind it.
    private func submitHead() {
        guard headLength > 0, !hasSubmitted, let text = headText else { return }
        hasSubmitted = true
        headText = nil
        if headLength < text.readableCount { takeOutput().append(text.readable, headLength..<text.readableCount) }
        let isEnd = isAnswerComplete && output == nil && answerTrailers.isEmpty
        connection.session.submitResponse(id, text: text, isEnd: isEnd)
        worker.buffers.give(text)
    }

    func answerComplete(reusable: Bool, trailers: [UInt8]) {
        isAnswerComplete = true
        answerTrailers = trailers
        releaseExchange()
        guard !isClosed else { return }
        flush()
    }

    var pendingOutput: ByteBuffer? { output }

    var outputEnd: HTTP2OutputEnd {
        if !isAnswerComplete { return .open }
        return answerTrailers.isEmpty ? .ended : .trailers(answerTrailers)
    }

    func sent(_ count: Int) {
        guard let output else { return }
        output.consume(count)
        progressed = worker.shard.now
        guard output.isEmpty else { return }
        giveOutput()
        exchange?.downstreamDrained()
    }

    func sentEnd() {
        guard !hasEnded else { return }
        answered = worker.shard.now
        connection.streamLingers()
    }

    /// The answer is out and the upload goes on: it is read for a while, so that clients that do not expect this can read
    /// their answer, and then not wanted any more (RFC 9113 §8.1).
    func endIfLingering(now: MonotonicTime) {
        guard let answered, now.nanoseconds(since: answered) >= DownstreamConnection.lingerTime else { return }
        connection.session.reset(id, .noError)
    }

    var isLingering: Bool { answered != nil }

    private func drop(_ count: Int) {
        dropped += count
        guard dropped > DownstreamConnection.lingerBytes else { return giveWindow() }
        if answered != nil { connection.session.reset(id, .noError) }
    }

    private func giveOutput() {
        guard output != nil else { return }
        connection.waitingStreams -= 1
        worker.buffers.give(from: &output)
    }

    // MARK: Ends

    func beginTunnel() { resumeUpload() }

    func abort() {
        releaseExchange()
        guard !isClosed else { return }
        submitHead()
        connection.session.resume(id)
        connection.flush()
        connection.session.reset(id, .internalError)
        connection.scheduleFlush()
    }

    func endIfStalled(_ limit: Int64, now: MonotonicTime) {
        guard output != nil, now.nanoseconds(since: progressed) >= limit else { return }
        exchange?.downstreamGone()
        connection.session.reset(id, .cancel)
    }

    func closed(_ error: HTTP2Error) {
        guard !isClosed else { return }
        isClosed = true
        exchange?.downstreamGone()
        releaseExchange()
        if !hasEnded {
            hasEnded = true
            connection.uploadingStreams -= 1
        }
        giveOutput()
        worker.buffers.give(from: &headText)
        worker.buffers.give(from: &held)
        connection.streamClosed()
    }

    private func releaseExchange() {
        if let done = exchange.take() { worker.giveBack(done) }
    }
}
