import Configuration
import HTTP
import Observability
import Policy
import Transport

/// What runs long: it ends with the credential that it was opened with, and stays alive while its upstream is silent
/// (contract.md "When a credential dies", "Keep-alive of silent streams").
extension Exchange {
    /// One look at what is under way.
    func review(_ moment: StreamWatch.Moment) {
        guard progress != .done, started.nanoseconds > 0 else { return }
        if let stream, let ending = stream.ending {
            if moment.now >= ending.deadline, !stream.isMuted { giveUp() }
            return
        }
        if let refusal = lapse(moment) { return end(with: refusal, wait: moment.lag / 2) }
        recheck(moment)
        keepAlive(moment.now)
    }

    /// Why the credential no longer holds.
    private func lapse(_ moment: StreamWatch.Moment) -> Refusal? {
        // What the gateway serves itself may be what ends the credential.
        guard endpoint == nil, !hasRevoked, !isWaiting, let principal, let route else { return nil }
        return worker.authenticator.refusal(
            forRunning: principal, since: startedAt, now: moment.seconds, grace: route.streamGrace.wholeSeconds)
    }

    /// Ends what is under way with a reason that the client can read, as far as its kind allows. An event or frame under
    /// way is waited for, `wait` nanoseconds at most.
    func end(with refusal: Refusal, wait: Int64) {
        switch progress {
        case .done: return
        case .none:
            dropUpstream()
            mustClose = true
            refuse(refusal)
        case .streaming:
            self.refusal = refusal
            guard let stream, let downstream, !downstream.isBackedUp else { return giveUp() }
            if case .opaque = stream.kind { return giveUp() }
            stream.ending = StreamState.Ending(
                refusal: refusal, deadline: worker.shard.now.advanced(byNanoseconds: wait))
            if stream.isAtBoundary {
                sayLastWord()
            } else if wait == 0 {
                giveUp()
            }
        }
    }

    /// Says why, and that it is over.
    func sayLastWord() {
        guard progress == .streaming, let stream, let ending = stream.ending, let downstream else { return }
        dropUpstream()
        var trailers: [UInt8] = []
        switch stream.kind {
        case .events:
            let requestID = requestID
            appendAnswer(serving.envelope.event(ending.refusal, requestID: requestID.span))
            // A drain is no regular end: who frames by chunks sees that the last one is missing.
            if ending.refusal == .draining { return finish(reusable: false) }
        case .tunnel:
            if case .tunnel(let frames) = stream.kind, !frames.hasClosed {
                appendAnswer(WebSocketFrames.close(code: ending.refusal.closeCode, reason: ending.refusal.code))
            }
        case .call: trailers = serving.envelope.grpcTrailers(ending.refusal)
        case .opaque: return giveUp()
        }
        if case .chunked = answerFraming { answerFraming.appendEnd(trailers: trailers, to: downstream.takeOutput()) }
        finish(reusable: false, trailers: trailers)
    }

    private func appendAnswer(_ text: [UInt8]) {
        guard let downstream else { return }
        bytesOut &+= text.count
        answerFraming.append(text.span, 0..<text.count, to: downstream.takeOutput())
    }

    // MARK: Body

    /// A piece of a long-lived answer.
    func streamBody(_ stream: StreamState, _ bytes: Span<UInt8>, _ range: Range<Int>, to downstream: any Downstream) {
        guard !stream.isMuted else { return }
        stream.written = worker.shard.now
        guard stream.ending != nil else {
            stream.advance(bytes, range)
            return answerFraming.append(bytes, range, to: downstream.takeOutput())
        }
        guard let end = stream.advanceToBoundary(bytes, range) else {
            return answerFraming.append(bytes, range, to: downstream.takeOutput())
        }
        answerFraming.append(bytes, range.lowerBound..<end, to: downstream.takeOutput())
        endSoon(stream)
    }

    /// The last word follows when the upstream, which is in the middle of something, is done with that.
    private func endSoon(_ stream: StreamState) {
        stream.isMuted = true
        let resumption = ExchangeResumption(self)
        worker.shard.later { resumption.resume { $0.sayLastWord() } }
    }

    // MARK: Keep-alive

    private func keepAlive(_ now: MonotonicTime) {
        guard let interval = route?.streamKeepalive?.nanoseconds, let downstream else { return }
        if let stream {
            guard case .events = stream.kind, stream.isAtBoundary, !downstream.isBackedUp,
                now.nanoseconds(since: stream.written) >= interval
            else { return }
            stream.written = now
            appendAnswer(Self.comment)
            downstream.flush()
        } else if isSilent(since: interval, now: now), acceptsEvents {
            beginEarlyEvents(downstream)
        }
    }

    /// An empty comment, which clients pass over.
    private static let comment = Array(":\n\n".utf8)

    private func isSilent(since interval: Int64, now: MonotonicTime) -> Bool {
        progress == .none && stage == .request && upstream != nil && !isWaiting && !isUpgrading && isRequestComplete
            && now.nanoseconds(since: forwarded) >= interval
    }

    private var acceptsEvents: Bool {
        guard let headBuffer, head.method != .head, !head.isGRPC else { return false }
        let bytes = headBuffer.readable
        return head.fields.contains { field in
            field.id == .accept && TextMatch.containsIgnoringCase(bytes, field.value.range, "text/event-stream")
        }
    }

    /// The client gets its 200 while the upstream still thinks.
    private func beginEarlyEvents(_ downstream: any Downstream) {
        progress = .streaming
        status = 200
        hasAnnouncedClose = true
        let stream = StreamState(.events(EventBoundary()), now: worker.shard.now)
        stream.isEarly = true
        self.stream = stream
        isStream = true
        worker.metrics.streamOpened()
        let (requestID, date) = (requestID, date)
        answerFraming = AnswerHead.appendEvents(
            isMultiplexed: downstream.isMultiplexed, minorVersion: head.minorVersion, requestID: requestID,
            date: date, extra: furtherLines, to: downstream.takeHead())
        downstream.sendHead(.streamed)
        appendAnswer(Self.comment)
        downstream.flush()
    }

    /// The upstream's head, when the client has had its own already.
    func lateHead(_ stream: StreamState) {
        answered = worker.shard.now
        stream.isEarly = false
        guard answer.status != 200 || !answer.isEventStream || answer.first(.contentEncoding) != nil else { return }
        stopEarly(stream, .upstreamError(upstream: upstreamName))
    }

    /// Nothing came of it: the event stream that the client reads says so.
    func stopEarly(_ stream: StreamState, _ refusal: Refusal) {
        self.refusal = refusal
        stream.ending = StreamState.Ending(refusal: refusal, deadline: .distantFuture)
        endSoon(stream)
    }
}
