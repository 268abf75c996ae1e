import Configuration
import HTTP
import Transport

/// Bytes from the client to exchanges: heads, bodies, and when to stop reading.
extension DownstreamConnection {
    /// Takes what is there: heads to exchanges, bodies to upstreams, until more bytes or an answer are needed.
    func process() {
        guard !isProcessing else { return }
        isProcessing = true
        defer { isProcessing = false }
        while let input, !input.isEmpty {
            switch phase {
            case .head:
                guard (output?.readableCount ?? 0) < Self.outputLimit else {
                    // A client that asks without reading the answers.
                    if input.readableCount >= Self.pipelineLimit { pauseReading() }
                    return
                }
                guard parseHead(input) else { return }
            case .body: guard feedBody(input) else { return }
            case .answering:
                if input.readableCount >= Self.pipelineLimit { pauseReading() }
                return
            case .lingering: return drop(input)
            case .proxyHeader, .handshake, .closed: return
            }
        }
        giveInput()
    }

    /// Reads a head; false when more bytes are needed.
    private func parseHead(_ input: ByteBuffer) -> Bool {
        let exchange = self.exchange ?? beginExchange()
        switch exchange.parser.parse(input.readable, into: &exchange.head) {
        case .incomplete:
            if !exchange.isHeadUnderWay {
                exchange.isHeadUnderWay = true
                let limit = exchange.serving.configuration.limits.headTimeout
                worker.shard.set(readTimer, after: limit.nanoseconds)
            }
            return false
        case .failed(let error):
            phase = .answering
            upload = .broken
            exchange.keepPrefix(of: input)
            self.input = nil
            exchange.refuse(error.refusal)
        case .complete: acceptHead(exchange, input)
        }
        return phase != .closed
    }

    private func beginExchange() -> Exchange {
        let fresh = worker.takeExchange()
        fresh.downstream = self
        exchange = fresh
        return fresh
    }

    /// Gives the exchange a buffer that begins with its head. The smaller of the head and what lies behind it moves to
    /// another buffer, so that many pipelined requests cost no more than their bytes.
    private func acceptHead(_ exchange: Exchange, _ input: ByteBuffer) {
        let length = exchange.head.length
        let rest = input.readableCount - length
        var held = input
        if rest > length {
            held = worker.buffers.take()
            held.append(input.readable, 0..<length)
            input.consume(length)
        } else if rest > 0 {
            let fresh = worker.buffers.take()
            fresh.append(input.readable, length..<length + rest)
            self.input = fresh
        } else {
            self.input = nil
        }
        exchange.headBuffer = held
        let limits = exchange.serving.configuration.limits
        upload = BodyReader(exchange.head.framing, extensionLimit: limits.chunkExtensions)
        worker.shard.clear(readTimer)
        if upload.isComplete {
            phase = .answering
        } else {
            phase = .body
            windowBytes = rest
            worker.shard.set(readTimer, after: limits.bodyRateWindow.nanoseconds)
        }
        exchange.headComplete()
        if upload.isComplete { exchange.requestEnded(trailers: []) }
    }

    /// Passes body bytes on; false when more bytes or more room are needed.
    private func feedBody(_ input: ByteBuffer) -> Bool {
        guard let exchange else { return false }
        if exchange.isUploadBackedUp {
            pauseReading()
            return false
        }
        switch upload.next(input.readable) {
        case .data(let range, let consumed):
            guard exchange.requestBody(input.readable, range) else { return phase != .closed }
            input.consume(consumed)
        case .needsMore(let consumed):
            input.consume(consumed)
            return false
        case .end(let consumed):
            input.consume(consumed)
        case .failed(let error):
            upload = .broken
            exchange.requestFailed(error.refusal)
            return phase != .closed
        }
        if upload.isComplete, phase == .body {
            phase = .answering
            worker.shard.clear(readTimer)
            exchange.requestEnded(trailers: upload.trailers)
        }
        return true
    }

    /// What comes from now on is the other protocol's.
    func beginTunnel() {
        guard phase == .answering else { return }
        phase = .body
        upload = .untilClose
        resumeReading()
        process()
    }

    /// The upstream takes more of the upload.
    func resumeUpload() {
        guard phase == .body, !interest.contains(.readable) else { return }
        resumeReading()
        process()
        exchange?.flushUpload()
    }

    private func pauseReading() {
        var wanted = interest
        wanted.remove(.readable)
        wanted.insert(.peerClosed)
        worker.shard.setInterest(wanted, of: self)
    }

    func resumeReading() {
        guard phase != .closed, !interest.contains(.readable) else { return }
        var wanted = interest
        wanted.insert(.readable)
        wanted.remove(.peerClosed)
        worker.shard.setInterest(wanted, of: self)
        if socket.hasPending {
            worker.shard.later { [self] in
                guard phase != .closed, interest.contains(.readable) else { return }
                receive()
                exchange?.flushUpload()
            }
        }
    }

    func drop(_ input: ByteBuffer) {
        lingered += input.readableCount
        input.removeAll()
        giveInput()
        if lingered > Self.lingerBytes { close() }
    }
}
