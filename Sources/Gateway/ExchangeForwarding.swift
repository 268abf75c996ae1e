import Configuration
import HTTP
import Observability
import Policy
import Transport

/// The request on its way to an upstream: its body, the lent connection, and what happens when that breaks.
extension Exchange {
    /// The upstream should not get more of the body for now.
    var isUploadBackedUp: Bool {
        guard let upstream, !isUpgrading else { return isWaiting || isUpgrading }
        return upstream.pendingCount > Self.uploadLimit
    }

    /// Passes a piece of the body on; false when the exchange came to its end by it.
    func requestBody(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        bytesIn &+= range.count
        if isCollecting { return collect(bytes, range) }
        guard progress != .done, let upstream else { return true }
        if let route, isTooLarge(bytes, range, limit: route.maxBody) {
            requestFailed(.bodyTooLarge(limit: route.maxBody))
            return false
        }
        upstream.appendBody(bytes, range, isChunked: head.framing == .chunked)
        return true
    }

    /// A tunnel has no size, and of a gRPC call each message counts by itself.
    private func isTooLarge(_ bytes: Span<UInt8>, _ range: Range<Int>, limit: Int) -> Bool {
        if head.isGRPC { return !messages.advance(bytes, range, limit: limit) }
        return bytesIn > limit && !isTunnel
    }

    /// The whole request is here. Trailers go on for gRPC alone.
    func requestEnded(trailers: [UInt8]) {
        if isCollecting { return bodyCollected() }
        guard progress != .done, let upstream, !isRequestComplete else { return }
        isRequestComplete = true
        if isTunnel { return upstream.endTunnel() }
        if head.framing == .chunked { upstream.appendBodyEnd(trailers: head.isGRPC ? forwarded(trailers) : []) }
        upstream.requestComplete()
    }

    /// The trailer lines without those that only the gateway may send.
    private func forwarded(_ trailers: [UInt8]) -> [UInt8] {
        if trailers.isEmpty || serving.injectedNames.isEmpty { return trailers }
        return TrailerLines.without(trailers) { serving.isInjected($0) }
    }

    /// The rest of the request cannot be passed on: the upstream never sees a complete one.
    func requestFailed(_ refusal: Refusal) {
        guard progress != .done else { return }
        dropUpstream()
        if progress == .none { return refuse(refusal) }
        self.refusal = refusal
        giveUp()
    }

    /// Sends what was collected for the upstream.
    @inline(__always)
    func flushUpload() { upstream?.flush() }

    /// The upstream took what waited for it.
    func uploadDrained() {
        if !isRequestComplete { downstream?.resumeUpload() }
    }

    // MARK: Upstream

    func forward() {
        guard let route else { return }
        forwarded = worker.shard.now
        guard let connection = worker.pool(for: route, in: serving)?.lease(for: self) else {
            return refuse(.upstreamUnavailable(upstream: upstreamName))
        }
        upstream = connection
        worker.streams.watch(self)
        connection.begin(self)
        writeHead(to: connection)
        if head.expectsContinue { inviteBody() }
    }

    /// The head is accepted: a client that waits for that hears it (RFC 9110 §10.1.1).
    func inviteBody() {
        guard let downstream, !downstream.isUploadComplete else { return }
        downstream.takeHead().append("HTTP/1.1 100 Continue\r\n\r\n")
        downstream.sendHead(.interim)
    }

    func writeHead(to link: any UpstreamLink) {
        guard let headBuffer, let client = downstream?.client else { return }
        if stage == .ownerCheck {
            return OwnerCheckHead.append(self, bytes: headBuffer.readable, from: client, to: link.takeHead())
        }
        guard let route else { return }
        UpstreamHead.append(self, route, bytes: headBuffer.readable, from: client, to: link.takeHead())
    }

    /// The value that a hashing upstream is chosen by.
    func hashKey(field: String) -> UInt64 {
        if field.lowercased() == "x-user-id", let principal { return StableHash.of(Array(principal.userID.utf8).span) }
        guard let headBuffer else { return 0 }
        let bytes = headBuffer.readable
        for entry in head.fields where TextMatch.equalsIgnoringCase(bytes, entry.name.range, field) {
            return StableHash.of(bytes.extracting(entry.value.range))
        }
        return 0
    }

    var upstreamName: String {
        guard let index = stage == .ownerCheck ? ownerCheck?.upstream : route?.upstream else { return "" }
        return serving.configuration.upstreams[index].name
    }

    /// What an upstream was asked with.
    var askedMethod: HTTP.Method { stage == .request ? head.method : ownerCheckMethod }

    /// Carrying it out twice does no harm (RFC 9110 §9.2.2), and all of it is still here.
    private var isRepeatable: Bool {
        stage == .ownerCheck || (head.method.isIdempotent && head.framing == .none)
    }

    /// The lent connection broke before the answer's head. Tries again where that is safe, else answers.
    func upstreamFailed(_ failure: UpstreamFailure) {
        guard progress != .done, let failed = upstream else { return }
        upstream = nil
        // Its last word is written already.
        if let stream, stream.isMuted { return }
        // The answer is known already, only the rest of its body is missing.
        if hasOwnerAnswer { return ownerCheckEnded() }
        if let stream, stream.isEarly {
            let isLate = failure == .timeout
            return stopEarly(
                stream, isLate ? .upstreamTimeout(upstream: upstreamName) : .upstreamError(upstream: upstreamName))
        }
        if progress == .streaming {
            refusal = .upstreamError(upstream: upstreamName)
            return giveUp()
        }
        if retries(after: failure, on: failed) { return }
        if stage == .ownerCheck { return ownerCheckFailed() }
        switch failure {
        case .connect, .refused: refuse(.upstreamUnavailable(upstream: upstreamName))
        case .timeout: refuse(.upstreamTimeout(upstream: upstreamName))
        case .broken, .malformed: refuse(.upstreamError(upstream: upstreamName))
        }
    }

    /// A request that servers give back unseen is sent anew so often at most.
    private static let refusalsAtMost = 3

    /// A request that no server has seen goes to another one; one that a kept connection may have swallowed is sent
    /// once more when that does no harm (RFC 9110 §9.2.2).
    private func retries(after failure: UpstreamFailure, on failed: any UpstreamLink) -> Bool {
        let pool = failed.pool
        switch failure {
        case .connect:
            triedServers += 1
            guard triedServers < pool.attempts else { return false }
        case .refused:
            triedServers += 1
            guard triedServers <= Self.refusalsAtMost, failed.sentCount == 0 || isRepeatable else { return false }
        case .broken:
            guard failed.wasReused, !hasRetried, !failed.hasAnswered,
                !failed.mayHaveArrived || isRepeatable
            else { return false }
            hasRetried = true
        case .timeout, .malformed: return false
        }
        guard let connection = pool.lease(for: self, excluding: failed.server, fresh: true) else { return false }
        upstream = connection
        connection.begin(self)
        if failed.sentCount > 0 {
            writeHead(to: connection)
        } else if !connection.adopt(failed.takeUnsent(), of: self) {
            connection.cancel()
            upstream = nil
            return false
        }
        if isRequestComplete { connection.requestComplete() }
        connection.flush()
        return true
    }

    func dropUpstream() {
        guard let upstream else { return }
        self.upstream = nil
        upstream.cancel()
    }
}
