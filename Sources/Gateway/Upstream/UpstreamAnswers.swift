import Configuration
import HTTP
import Transport

/// Answers of a server, from the socket to the exchange.
extension UpstreamConnection {
    func receive() {
        guard let exchange else { return }
        var hasMore = false
        repeat {
            let buffer = input ?? worker.buffers.take()
            input = buffer
            let outcome = socket.read(into: buffer, limit: download.isLong ? Self.longReadSize : Self.readSize)
            switch outcome {
            case .bytes(let count):
                hasAnswered = true
                let wasLong = download.isLong
                guard take(buffer, for: exchange) else { return }
                // A long body has begun: what is there of it leaves together with its beginning.
                hasMore = !wasLong && download.isLong && count >= Self.readSize
            case .needsReadable, .needsWritable:
                if buffer.isEmpty { giveInput() }
                if phase == .streaming { awaitMore() }
                return exchange.flushAnswer()
            case .ended, .failed:
                // What came before the end is not held back by it.
                if hasMore { exchange.flushAnswer() }
                guard self.exchange === exchange else { return }
                return ended(inOrder: outcome == .ended)
            }
        } while (hasMore || socket.hasPending) && interest.contains(.readable)
        if phase == .streaming { awaitMore() }
        exchange.flushAnswer()
        if self.exchange === exchange, exchange.isAnswerBackedUp { pauseReading() }
    }

    private func awaitMore() { worker.shard.set(timer, after: pool.idleTimeout) }

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
            // It went out at once, and the client may have turned out to be gone: then so is what `buffer` held.
            guard self.exchange === exchange else { return false }
        } else if exchange.answersTunnelWrongly {
            fail(.malformed)
            return false
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
        worker.shard.later { [self] in
            guard self.exchange === exchange else { return }
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
        guard watchAnswer(), takeHead(buffer, for: exchange), take(buffer, for: exchange) else { return }
        // What the client sent meanwhile.
        flush()
        guard self.exchange === exchange, phase == .streaming else { return }
        worker.shard.set(timer, after: pool.idleTimeout)
        exchange.flushAnswer()
        readPending()
    }

    /// Reads on, after it was left alone; false when the system refuses, and the exchange has ended by it.
    private func watchAnswer() -> Bool {
        if isWatched {
            worker.shard.setInterest(interest.union(.readable), of: self)
            return true
        }
        let isBack = worker.shard.add(
            self, descriptor: socket.descriptor, interest: .readable, precedence: .answers)
        if !isBack { fail(.broken) }
        return isBack
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

    func ended(inOrder: Bool) {
        guard let exchange else { return close(reset: false) }
        if phase == .streaming, inOrder, case .untilClose = download {
            return complete(exchange, leftOver: false)
        }
        fail(.broken)
    }

    /// The client does not keep up.
    private func pauseReading() { worker.shard.setInterest(interest.subtracting(.readable), of: self) }

    func resumeReading() {
        guard phase == .streaming, !interest.contains(.readable), watchAnswer() else { return }
        readPending()
    }

    /// What the TLS layer holds is not announced again.
    private func readPending() {
        guard socket.hasPending else { return }
        worker.shard.later { [self] in
            guard phase == .streaming, interest.contains(.readable) else { return }
            receive()
        }
    }
}
