import Configuration
import HTTP
import Observability
import Policy
import Transport

/// One request and its answer: decided, forwarded, streamed both ways, logged.
///
/// Confined to its shard's queue. Used again for later requests of any connection, so that its arrays keep their
/// capacity. `head` holds ranges into `headBuffer`, which stays as it is until `reset`. Its other parts are
/// `ExchangeForwarding` and `ExchangeAnswers`.
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
    var refusal: Refusal?

    // The answer.
    var answer = ResponseHead()
    var progress = Progress.none
    var status = 0
    var answerFraming = AnswerFraming.none
    var interimCount = 0
    var isRequestComplete = false
    /// The answer's head said that the connection ends.
    var hasAnnouncedClose = false
    /// The answer is long-lived: it counts among the streams.
    var isStream = false
    var hasRetried = false
    var triedServers = 0
    /// Told apart by what runs later: a reused exchange is another one.
    private(set) var serial = 0

    // What the log and the counters want to know.
    var started = MonotonicTime(nanoseconds: 0)
    var forwarded = MonotonicTime(nanoseconds: 0)
    var answered = MonotonicTime(nanoseconds: 0)
    var bytesIn = 0
    var bytesOut = 0

    /// 1xx answers of an upstream to one request at most.
    static let interimAtMost = 8
    /// Bytes that wait for the upstream before the client is no longer read.
    static let uploadLimit = 64 * 1024

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
}
