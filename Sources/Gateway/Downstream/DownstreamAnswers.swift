import Configuration
import HTTP
import Transport

/// Bytes from exchanges to the client: sending, and what follows a complete answer.
extension DownstreamConnection {
    /// Heads go where bodies go.
    @inline(__always)
    func takeHead() -> ByteBuffer { takeOutput() }

    @inline(__always)
    func sendHead(_ kind: AnswerHeadKind) { if kind == .interim { flush() } }

    /// The bytes that go to the client next.
    @inline(__always)
    func takeOutput() -> ByteBuffer {
        if let output { return output }
        let fresh = worker.buffers.take()
        output = fresh
        return fresh
    }

    /// Too much waits for the client: the upstream should not be read.
    @inline(__always)
    var isBackedUp: Bool { (output?.readableCount ?? 0) > Self.outputLimit }

    /// The trailer lines of an upload that has come in whole.
    var uploadTrailers: [UInt8] { upload.trailers }

    /// The request has come in whole.
    var isUploadComplete: Bool { upload.isComplete }

    /// Sends what the socket takes.
    func flush() {
        guard let output, phase != .closed else { return }
        socket.holdRecords(of: output.readableCount)
        defer { socket.release() }
        while !output.isEmpty {
            switch socket.write(output.readable) {
            case .bytes(let count):
                output.consume(count)
                if !interest.contains(.writable) { continue }
                worker.shard.set(writeTimer, after: worker.serving.configuration.limits.writeTimeout.nanoseconds)
            case .needsWritable, .needsReadable: return waitForWriting()
            case .ended, .failed: return clientLeft()
            }
        }
        worker.buffers.give(from: &self.output)
        if interest.contains(.writable) { wroteAll() }
        // `wroteAll` may have begun the next answer.
        if closesAfterOutput, self.output == nil { finishClosing() }
    }

    private func waitForWriting() {
        guard !interest.contains(.writable) else { return }
        var wanted = interest
        wanted.insert(.writable)
        worker.shard.setInterest(wanted, of: self)
        worker.shard.set(writeTimer, after: worker.serving.configuration.limits.writeTimeout.nanoseconds)
    }

    private func wroteAll() {
        var wanted = interest
        wanted.remove(.writable)
        worker.shard.setInterest(wanted, of: self)
        worker.shard.clear(writeTimer)
        exchange?.downstreamDrained()
        if phase == .head {
            resumeReading()
            process()
            exchange?.flushUpload()
        }
    }

    /// The answer is complete. `reusable` tells that the client knows where it ended.
    func answerComplete(reusable: Bool, trailers: [UInt8]) {
        guard phase != .closed else { return }
        let isWhole = upload.isComplete
        releaseExchange()
        if reusable && isWhole && !worker.isDraining {
            phase = .head
            upload = .none
            worker.shard.set(readTimer, after: worker.serving.keepaliveTimeout)
            flush()
            if phase == .head {
                resumeReading()
                process()
                exchange?.flushUpload()
            }
        } else {
            phase = .lingering
            closesAfterOutput = true
            if output == nil { return finishClosing() }
            socket.holdUntilClosed()
            flush()
        }
    }

    /// Ends after the last byte: at once when nothing unread could turn the end into a reset, else after lingering.
    private func finishClosing() {
        closesAfterOutput = false
        guard phase == .lingering else { return close() }
        if upload.isComplete && (input?.isEmpty ?? true) && socket.canCloseAtOnce { return close() }
        socket.shutDownWriting()
        resumeReading()
        worker.shard.set(readTimer, after: Self.lingerTime)
        if let input { drop(input) }
    }

    func releaseExchange() {
        if let done = exchange.take() { worker.giveBack(done) }
    }
}
