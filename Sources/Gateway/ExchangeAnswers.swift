import Configuration
import HTTP
import Observability
import Policy
import Transport

/// The answer on its way to the client: an upstream's, a refusal, or one of the gateway's own; and the end.
extension Exchange {
    /// An interim answer came.
    func interimAnswer(_ bytes: Span<UInt8>) -> Bool {
        interimCount += 1
        if stage == .ownerCheck { return interimCount <= Self.interimAtMost }
        guard interimCount <= Self.interimAtMost, let downstream else { return false }
        if progress != .none { return true }
        if answer.status == 100 || head.minorVersion == 0 { return true }
        AnswerHead.appendInterim(self, bytes: bytes, to: downstream.takeHead())
        downstream.sendHead(.interim)
        return true
    }

    /// The answer's head came.
    func answerHead(_ bytes: Span<UInt8>) {
        if stage == .ownerCheck { return ownerAnswered() }
        if let stream { return lateHead(stream) }
        guard let downstream else { return }
        answered = worker.shard.now
        progress = .streaming
        status = answer.status
        hasAnnouncedClose = closes(downstream)
        if answer.isEventStream || answer.isGRPC {
            isStream = true
            stream = StreamState(streamKind, now: answered)
            worker.metrics.streamOpened()
        }
        AnswerHead.append(
            self, bytes: bytes, closes: hasAnnouncedClose, isMultiplexed: downstream.isMultiplexed,
            to: downstream.takeHead())
        downstream.sendHead(.streamed)
    }

    private var streamKind: StreamState.Kind {
        if answer.isGRPC { return head.isGRPC ? .call : .opaque }
        if case .length = answer.framing { return .opaque }
        return answer.first(.contentEncoding) == nil ? .events(EventBoundary()) : .opaque
    }

    /// A piece of the answer's body.
    @inline(__always)
    func answerBody(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        guard let downstream else { return }
        if stage == .ownerCheck { return ownerBody(range.count) }
        bytesOut &+= range.count
        if let stream { return streamBody(stream, bytes, range, to: downstream) }
        answerFraming.append(bytes, range, to: downstream.takeOutput())
    }

    /// The client should not get more for now.
    var isAnswerBackedUp: Bool { downstream?.isBackedUp ?? false }

    /// The client took what waited for it.
    func downstreamDrained() { upstream?.resumeReading() }

    /// Sends what was collected for the client.
    @inline(__always)
    func flushAnswer() { downstream?.flush() }

    /// The answer is complete; its upstream connection has already been given back.
    func answerEnded(trailers: [UInt8]) {
        if stage == .ownerCheck { return ownerCheckEnded() }
        guard let downstream, progress == .streaming else { return }
        upstream = nil
        if let stream, let ending = stream.ending { return stream.isMuted ? () : end(with: ending.refusal, wait: 0) }
        let kept = head.isGRPC ? trailers : []
        if case .chunked = answerFraming { answerFraming.appendEnd(trailers: kept, to: downstream.takeOutput()) }
        // RFC 9112 §9.6: who announced the end has to bring it about.
        finish(reusable: !hasAnnouncedClose && !closes(downstream) && answerFraming.isDelimited, trailers: kept)
    }

    /// The connection ends with the answer, and the answer says so.
    private func closes(_ downstream: any Downstream) -> Bool {
        if downstream.isMultiplexed { return false }
        return mustClose || !head.keepAlive || !downstream.isUploadComplete || worker.isDraining
    }

    /// Answers with an error envelope. The one way in which a request is refused.
    func refuse(_ refusal: Refusal) {
        guard progress == .none, let downstream else { return }
        self.refusal = refusal
        if case .tokenInvalid = refusal { worker.noteInvalidToken(of: self) }
        let closes = closes(downstream)
        status = head.isGRPC ? 200 : refusal.status
        let (requestID, date) = (requestID, date)
        serving.envelope.append(
            refusal, requestID: requestID.span, date: date.span, close: closes, headOnly: head.method == .head,
            isGRPC: head.isGRPC, extra: furtherLines, to: downstream.takeHead())
        downstream.sendHead(.complete)
        finish(reusable: !closes)
    }

    /// Why a token is invalid that nothing was said of.
    var presumedInvalid: StaticString {
        if case .refresh = endpoint { return "a refresh token that was not issued here, or not as one" }
        return ticket == .none ? "it has not the form of a token" : "a ticket by its place, but not by its form"
    }

    /// Answers from here: health, metrics, tokens, redirects.
    func answerLocally(_ local: LocalAnswer) {
        guard progress == .none, let downstream else { return }
        status = local.status
        let closes = closes(downstream)
        let (requestID, date) = (requestID, date)
        local.append(
            requestID: requestID.span, date: date.span, close: closes, headOnly: head.method == .head,
            further: furtherLines, to: downstream.takeHead())
        downstream.sendHead(.complete)
        finish(reusable: !closes)
    }

    /// Header lines of whatever answer there will be.
    var furtherLines: [UInt8] {
        if policyLines.isEmpty { return answerLines }
        return answerLines.isEmpty ? policyLines : answerLines + policyLines
    }

    /// `Date`, as of now.
    var date: [UInt8] {
        _ = worker.clock.update()
        return worker.clock.text
    }

    func finish(reusable: Bool, trailers: [UInt8] = []) {
        progress = .done
        record()
        downstream?.answerComplete(reusable: reusable, trailers: trailers)
    }

    /// The answer cannot be completed: the client sees that it was cut.
    func giveUp() {
        progress = .done
        record()
        dropUpstream()
        downstream?.abort()
    }

    /// The client left.
    func downstreamGone() {
        guard progress != .done else { return }
        if status == 0 { status = 499 }
        progress = .done
        if started.nanoseconds > 0 { record() }
        dropUpstream()
    }

    private func record() {
        if isStream { worker.metrics.streamClosed() }
        ExchangeRecord.write(self)
    }
}
