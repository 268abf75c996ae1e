import Configuration
import HTTP
import Observability
import Policy
import Transport

/// One request and its answer: decided, forwarded, streamed both ways, logged.
///
/// Confined to its shard's queue. Used again for later requests of any connection, so that its arrays keep their
/// capacity. `head` holds ranges into `headBuffer`, which stays as it is until `reset`.
final class Exchange {
    /// How far the answer is.
    enum Progress {
        /// Nothing of the final answer was written.
        case none
        /// Its head was written.
        case streaming
        /// It is complete, or given up.
        case done
    }

    let worker: Worker
    /// The configuration that the request began with.
    private(set) var serving: Serving
    var downstream: DownstreamConnection?
    var upstream: UpstreamConnection?

    // The request.
    var parser: RequestHeadParser
    var head = RequestHead()
    var headBuffer: ByteBuffer?
    var isHeadUnderWay = false
    private(set) var path: [UInt8] = []
    private(set) var requestID: [UInt8] = []
    private var match = RouteMatch()

    // The decision.
    private(set) var routeIndex = -1
    private(set) var principal: Principal?
    private(set) var refusal: Refusal?

    // The answer.
    var answer = ResponseHead()
    private(set) var progress = Progress.none
    private(set) var status = 0
    var answerFraming = AnswerFraming.none
    private var interimCount = 0
    private var isRequestComplete = false
    /// The answer's head said that the connection ends.
    private var hasAnnouncedClose = false
    /// The answer is long-lived: it counts among the streams.
    private var isStream = false
    private(set) var hasRetried = false
    private var triedServers = 0
    /// Told apart by what runs later: a reused exchange is another one.
    private(set) var serial = 0

    // What the log and the counters want to know.
    var started = MonotonicTime(nanoseconds: 0)
    var forwarded = MonotonicTime(nanoseconds: 0)
    var answered = MonotonicTime(nanoseconds: 0)
    var bytesIn = 0
    var bytesOut = 0

    /// 1xx answers of an upstream to one request at most.
    private static let interimAtMost = 8
    /// Bytes that wait for the upstream before the client is no longer read.
    private static let uploadLimit = 64 * 1024

    init(worker: Worker, serving: Serving) {
        self.worker = worker
        self.serving = serving
        parser = RequestHeadParser(limits: serving.headLimits)
        head.fields.reserveCapacity(24)
        answer.fields.reserveCapacity(24)
        path.reserveCapacity(128)
        requestID.reserveCapacity(64)
    }

    /// Starts over with the configuration of now.
    @inline(__always)
    func begin(_ fresh: Serving) {
        if fresh !== serving {
            serving = fresh
            parser = RequestHeadParser(limits: fresh.headLimits)
        }
    }

    /// Forgets the request.
    func reset() {
        serial &+= 1
        if let headBuffer {
            self.headBuffer = nil
            worker.shard.buffers.give(headBuffer)
        }
        upstream = nil
        downstream = nil
        principal = nil
        refusal = nil
        head.reset()
        answer.reset()
        parser.reset()
        isHeadUnderWay = false
        requestID.removeAll(keepingCapacity: true)
        routeIndex = -1
        progress = .none
        status = 0
        interimCount = 0
        isRequestComplete = false
        hasAnnouncedClose = false
        isStream = false
        hasRetried = false
        triedServers = 0
        bytesIn = 0
        bytesOut = 0
        forwarded = MonotonicTime(nanoseconds: 0)
        answered = MonotonicTime(nanoseconds: 0)
        started = MonotonicTime(nanoseconds: 0)
    }

    var route: Route? { routeIndex >= 0 ? serving.configuration.routes[routeIndex] : nil }

    /// Keeps what came of a head that cannot be read, for the log.
    func keepPrefix(of buffer: ByteBuffer) {
        headBuffer = buffer
        started = worker.shard.now
        chooseRequestID()
    }

    // MARK: Decision

    /// The head is here: decides, and answers or forwards.
    func headComplete() {
        started = worker.shard.now
        chooseRequestID()
        guard let bytes = headBuffer else { return }
        if answersLocally(bytes) { return }
        if let refusal = decide(bytes) { return refuse(refusal) }
        forward()
    }

    private func chooseRequestID() {
        if let range = head.requestID, let headBuffer {
            let sent = headBuffer.readable.extracting(range.range)
            if FieldSyntax.isRequestID(sent) {
                for index in sent.indices { requestID.append(sent[index]) }
                return
            }
        }
        worker.requestIDs.append(to: &requestID)
    }

    /// Runs the policy: path, route, credential, permission, bounds. Nil lets the request pass.
    private func decide(_ buffer: ByteBuffer) -> Refusal? {
        let bytes = buffer.readable
        guard let downstream else { return .draining }
        guard let host = head.host else { return .badRequest(field: "host", reason: "missing") }
        if downstream.isMisdirected(host: bytes.extracting(host.range), serving: serving) { return .misdirectedRequest }
        if let error = PathNormalizer.normalize(bytes.extracting(head.path.range), into: &path) { return error.refusal }
        let path = path
        let outcome = serving.router.match(
            host: bytes.extracting(host.range), method: head.method,
            methodName: bytes.extracting(head.methodRange.range), path: path.span, into: &match)
        switch outcome {
        case .notFound: return .notFound
        case .methodNotAllowed(let allowed): return .methodNotAllowed(allowed: allowed)
        case .found: routeIndex = match.routeIndex
        }
        return authenticate(bytes, serving.configuration.routes[routeIndex])
    }

    private func authenticate(_ bytes: Span<UInt8>, _ route: Route) -> Refusal? {
        if !route.isPublic {
            guard let credential = head.authorization else { return .credentialsMissing }
            let result = worker.authenticator.authenticate(
                authorization: bytes.extracting(credential.range), now: worker.clock.update())
            switch result {
            case .refused(let refusal): return refusal
            case .principal(let principal):
                self.principal = principal
                let path = path
                if let refusal = Authorizer.authorize(principal, route: route, path: path.span, match: match) {
                    return refusal
                }
            }
        }
        if case .length(let count) = head.framing, count > UInt64(route.maxBody) {
            return .bodyTooLarge(limit: route.maxBody)
        }
        return nil
    }

    // MARK: Upload

    /// The upstream should not get more of the body for now.
    var isUploadBackedUp: Bool {
        guard let upstream else { return false }
        return upstream.pendingCount > Self.uploadLimit
    }

    /// Passes a piece of the body on; false when the exchange came to its end by it.
    func requestBody(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        bytesIn &+= range.count
        guard progress != .done, let upstream else { return true }
        if let route, bytesIn > route.maxBody {
            requestFailed(.bodyTooLarge(limit: route.maxBody))
            return false
        }
        upstream.appendBody(bytes, range, isChunked: head.framing == .chunked)
        return true
    }

    /// The whole request is here. Trailers go on for gRPC alone.
    func requestEnded(trailers: [UInt8]) {
        guard progress != .done, let upstream, !isRequestComplete else { return }
        isRequestComplete = true
        if head.framing == .chunked { upstream.appendBodyEnd(trailers: head.isGRPC ? trailers : []) }
        upstream.requestComplete()
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

    private func forward() {
        guard let route, let downstream else { return }
        forwarded = worker.shard.now
        guard let connection = worker.pool(for: route, in: serving)?.lease(for: self) else {
            return refuse(.upstreamUnavailable(upstream: upstreamName))
        }
        upstream = connection
        connection.begin(self)
        writeHead(to: connection)
        if head.expectsContinue && !downstream.isUploadComplete {
            downstream.takeOutput().append("HTTP/1.1 100 Continue\r\n\r\n")
            downstream.flush()
        }
    }

    private func writeHead(to connection: UpstreamConnection) {
        guard let headBuffer, let downstream else { return }
        UpstreamHead.append(self, bytes: headBuffer.readable, from: downstream, to: connection.takeOutput())
    }

    /// The value that a hashing upstream is chosen by.
    func hashKey(field: String) -> UInt64 {
        if field.lowercased() == "x-user-id", let principal { return StableHash.of(Array(principal.userID.utf8).span) }
        guard let headBuffer else { return 0 }
        let bytes = headBuffer.readable
        for entry in head.fields where StableHash.equalsIgnoringCase(bytes, entry.name.range, field) {
            return StableHash.of(bytes.extracting(entry.value.range))
        }
        return 0
    }

    var upstreamName: String {
        guard let route else { return "" }
        return serving.configuration.upstreams[route.upstream].name
    }

    /// The lent connection broke before the answer's head. Tries again where that is safe, else answers.
    func upstreamFailed(_ failure: UpstreamFailure) {
        guard progress != .done, let failed = upstream else { return }
        upstream = nil
        if progress == .streaming {
            refusal = .upstreamError(upstream: upstreamName)
            return giveUp()
        }
        if retries(after: failure, on: failed) { return }
        switch failure {
        case .connect: refuse(.upstreamUnavailable(upstream: upstreamName))
        case .timeout: refuse(.upstreamTimeout(upstream: upstreamName))
        case .broken, .malformed: refuse(.upstreamError(upstream: upstreamName))
        }
    }

    /// A request that no server has seen goes to another one; one that a kept connection may have swallowed is sent
    /// once more when that does no harm (RFC 9110 §9.2.2).
    private func retries(after failure: UpstreamFailure, on failed: UpstreamConnection) -> Bool {
        let pool = failed.pool
        switch failure {
        case .connect:
            triedServers += 1
            guard triedServers < pool.attempts else { return false }
        case .broken:
            guard failed.wasReused, !hasRetried, !failed.hasAnswered,
                failed.sentCount == 0 || (head.method.isIdempotent && head.framing == .none)
            else { return false }
            hasRetried = true
        case .timeout, .malformed: return false
        }
        guard let connection = pool.lease(for: self, excluding: failed.server, fresh: true) else { return false }
        upstream = connection
        connection.begin(self)
        if failed.sentCount == 0, let unsent = failed.takeUnsent() {
            connection.adopt(unsent)
        } else {
            writeHead(to: connection)
        }
        if isRequestComplete { connection.requestComplete() }
        connection.flush()
        return true
    }

    private func dropUpstream() {
        guard let upstream else { return }
        self.upstream = nil
        upstream.cancel()
    }

    // MARK: Answer

    /// An interim answer came.
    func interimAnswer(_ bytes: Span<UInt8>) -> Bool {
        interimCount += 1
        guard interimCount <= Self.interimAtMost, let downstream else { return false }
        if answer.status == 100 || head.minorVersion == 0 { return true }
        AnswerHead.appendInterim(self, bytes: bytes, to: downstream.takeOutput())
        return true
    }

    /// The answer's head came.
    func answerHead(_ bytes: Span<UInt8>) {
        guard let downstream else { return }
        answered = worker.shard.now
        progress = .streaming
        status = answer.status
        hasAnnouncedClose = !isReusable(downstream)
        if answer.isEventStream || answer.isGRPC {
            isStream = true
            worker.metrics.streamOpened()
        }
        AnswerHead.append(self, bytes: bytes, closes: hasAnnouncedClose, to: downstream.takeOutput())
    }

    /// A piece of the answer's body.
    @inline(__always)
    func answerBody(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        guard let downstream else { return }
        bytesOut &+= range.count
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
        guard let downstream, progress == .streaming else { return }
        upstream = nil
        answerFraming.appendEnd(trailers: head.isGRPC ? trailers : [], to: downstream.takeOutput())
        // RFC 9112 §9.6: who announced the end has to bring it about.
        finish(reusable: !hasAnnouncedClose && isReusable(downstream) && answerFraming.isDelimited)
    }

    private func isReusable(_ downstream: DownstreamConnection) -> Bool {
        head.keepAlive && downstream.isUploadComplete && !worker.isDraining
    }

    /// Answers with an error envelope. The one way in which a request is refused.
    func refuse(_ refusal: Refusal) {
        guard progress == .none, let downstream else { return }
        self.refusal = refusal
        let isReusable = isReusable(downstream)
        status = head.isGRPC ? 200 : refusal.status
        let (requestID, date) = (requestID, date)
        serving.envelope.append(
            refusal, requestID: requestID.span, date: date.span, close: !isReusable, headOnly: head.method == .head,
            isGRPC: head.isGRPC, extra: [], to: downstream.takeOutput())
        finish(reusable: isReusable)
    }

    /// Answers from here: health, metrics, redirects.
    func answerLocally(_ local: LocalAnswer) {
        guard progress == .none, let downstream else { return }
        status = local.status
        let isReusable = isReusable(downstream)
        let (requestID, date) = (requestID, date)
        local.append(
            requestID: requestID.span, date: date.span, close: !isReusable, headOnly: head.method == .head,
            to: downstream.takeOutput())
        finish(reusable: isReusable)
    }

    /// `Date`, as of now.
    var date: [UInt8] {
        _ = worker.clock.update()
        return worker.clock.text
    }

    private func finish(reusable: Bool) {
        progress = .done
        record()
        downstream?.answerComplete(reusable: reusable)
    }

    /// The answer cannot be completed: the client sees that it was cut.
    private func giveUp() {
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

/// Why a lent connection could not bring an answer.
enum UpstreamFailure {
    /// No connection was made.
    case connect
    /// It broke.
    case broken
    /// What came is no HTTP.
    case malformed
    /// Nothing came in time.
    case timeout
}
