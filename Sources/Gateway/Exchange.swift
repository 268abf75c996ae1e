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

    /// What an upstream is asked for.
    enum Stage {
        /// The request itself.
        case request
        /// Whether the user may manage the agent of the path.
        case ownerCheck
    }

    let worker: Worker
    /// The configuration that the request began with.
    private(set) var serving: Serving
    var downstream: (any Downstream)?
    var upstream: (any UpstreamLink)?

    // The request.
    var parser: RequestHeadParser
    var head = RequestHead()
    var headBuffer: ByteBuffer?
    var isHeadUnderWay = false
    private(set) var path: [UInt8] = []
    private(set) var requestID: [UInt8] = []
    private var match = RouteMatch()
    /// The segment of the path that names the agent.
    var agentRange: ByteRange? { match.agent }

    // The decision.
    /// The route that the request met, its index that of `serving`'s routes.
    private(set) var route: Route?
    var principal: Principal?
    var refusal: Refusal?
    /// Why the token is invalid, where it is: for the operator.
    var whyInvalid: StaticString?
    /// The gateway serves the request itself.
    var endpoint: OwnEndpoint?
    /// A decision waits for another queue: no more of the body is read.
    var isWaiting = false
    var stage = Stage.request
    /// The token was revoked because of the upstream's answer, or that is under way.
    var hasRevoked = false
    /// The upstream has said whether the user owns the agent.
    var hasOwnerAnswer = false
    var ownerBodyCount = 0
    /// The token that came in a cookie, or was renewed; empty where it came in `Authorization` or there is none.
    var cookieToken: [UInt8] = []
    /// What the query says of tickets, on a route that takes one.
    var ticket = QueryTicket.none
    /// The body of a request that the gateway serves itself.
    var collected: [UInt8] = []
    var isCollecting = false

    /// What was read of a gRPC call's messages.
    var messages = GRPCMessages()

    // The answer.
    /// Further complete header lines of whatever answer there will be.
    var answerLines: [UInt8] = []
    /// Complete header lines that the route's limits and other origins bring to every answer.
    var policyLines: [UInt8] = []
    var answer = ResponseHead()
    var progress = Progress.none
    var status = 0
    var answerFraming = AnswerFraming.none
    var interimCount = 0
    var isRequestComplete = false
    /// The answer's head said that the connection ends.
    var hasAnnouncedClose = false
    /// The connection is not to be used again, whatever the client wants.
    var mustClose = false
    /// The answer is long-lived: it counts among the streams.
    var isStream = false
    /// What is known of a long-lived answer.
    var stream: StreamState?
    /// A handshake for WebSocket is under way.
    var isUpgrading = false
    /// Seconds since 1970 when the request came; 0 for those without a credential.
    private(set) var startedAt: Int64 = 0
    var hasRetried = false
    var triedServers = 0
    /// When the opaque token is asked about again at the earliest, in seconds since 1970; `Int64.max` while it is.
    var recheckAt: Int64 = 0
    /// The place among what the shard has under way; -1 while it is not.
    var watchPlace = -1
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
        worker.streams.forget(self)
        worker.buffers.give(from: &headBuffer)
        upstream = nil
        downstream = nil
        principal = nil
        refusal = nil
        whyInvalid = nil
        if endpoint != nil || !cookieToken.isEmpty || !answerLines.isEmpty { resetIdentity() }
        isWaiting = false
        hasRevoked = false
        head.reset()
        answer.reset()
        parser.reset()
        isHeadUnderWay = false
        requestID.removeAll(keepingCapacity: true)
        route = nil
        progress = .none
        status = 0
        interimCount = 0
        isRequestComplete = false
        hasAnnouncedClose = false
        isStream = false
        stream = nil
        isUpgrading = false
        mustClose = false
        policyLines.removeAll(keepingCapacity: true)
        messages = GRPCMessages()
        ticket = .none
        hasRetried = false
        recheckAt = 0
        triedServers = 0
        bytesIn = 0
        bytesOut = 0
        forwarded = MonotonicTime(nanoseconds: 0)
        answered = MonotonicTime(nanoseconds: 0)
        started = MonotonicTime(nanoseconds: 0)
    }

    /// Forgets what only some requests have; secrets are overwritten.
    private func resetIdentity() {
        endpoint = nil
        isCollecting = false
        stage = .request
        hasOwnerAnswer = false
        ownerBodyCount = 0
        for index in collected.indices { collected[index] = 0 }
        for index in cookieToken.indices { cookieToken[index] = 0 }
        collected = []
        cookieToken = []
        answerLines = []
    }

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
        guard let buffer = headBuffer, let client = downstream?.client else { return }
        let bytes = buffer.readable
        if answersLocally(bytes, client) { return }
        switch decide(bytes, client) {
        case .forward: forward()
        case .refuse(let refusal): refuse(refusal)
        case .serve: serveEndpoint()
        case .answer(let answer): answerLocally(answer)
        case .wait: isWaiting = true
        }
    }

    /// What becomes of a request.
    enum Decision {
        case forward
        case refuse(Refusal)
        /// The gateway is what it asks.
        case serve
        /// It is answered from here.
        case answer(LocalAnswer)
        /// Its credential is looked for elsewhere: `renewed` or `ticketSpent` goes on.
        case wait
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

    /// Runs the policy: path, route, credential, permission, bounds.
    private func decide(_ bytes: Span<UInt8>, _ client: ClientPeer) -> Decision {
        guard let hostRange = head.host else { return .refuse(.badRequest(field: "host", reason: "missing")) }
        let host = bytes.extracting(hostRange.range)
        let serving = serving
        if client.isMisdirected(host: host, serving: serving) { return .refuse(.misdirectedRequest) }
        if let error = PathNormalizer.normalize(bytes.extracting(head.path.range), into: &path) {
            return .refuse(error.refusal)
        }
        let path = path
        if let endpoint = serving.endpoints.match(path.span) {
            self.endpoint = endpoint
            guard endpoint.takes(head.method) else {
                return .refuse(.methodNotAllowed(allowed: endpoint.allowedMethods))
            }
            return endpoint.isPublic ? .serve : authenticate(bytes)
        }
        if serving.hasCrossOrigin, let answer = preflight(bytes, host: host, path: path.span) { return .answer(answer) }
        let outcome = serving.router.match(
            host: host, method: head.method, methodName: bytes.extracting(head.methodRange.range), path: path.span,
            into: &match)
        switch outcome {
        case .notFound: return .refuse(.notFound)
        case .methodNotAllowed(let allowed):
            if let cors = serving.policies[match.coveringIndex]?.cors { beginCrossOrigin(cors, bytes) }
            return .refuse(.methodNotAllowed(allowed: allowed))
        case .found: break
        }
        let route = serving.configuration.routes[match.routeIndex]
        self.route = route
        if let policy = serving.policies[route.index] {
            if let cors = policy.cors { beginCrossOrigin(cors, bytes) }
            if let refusal = limitByAddress(policy) { return .refuse(refusal) }
        }
        guard findTicket(route, bytes) else {
            return .refuse(.badRequest(field: "token", reason: "sent more than once"))
        }
        return route.isPublic ? admit() : authenticate(bytes)
    }

    /// The route is known otherwise than by the request's own method.
    func meet(_ match: RouteMatch) {
        self.match = match
        route = serving.configuration.routes[match.routeIndex]
    }

    private func authenticate(_ bytes: Span<UInt8>) -> Decision {
        let result: AuthenticationResult
        if let credential = head.authorization {
            result = worker.authenticator.authenticate(
                authorization: bytes.extracting(credential.range), now: worker.clock.update())
            whyInvalid = worker.authenticator.whyInvalid
        } else if case .one(_, let text) = ticket {
            return spendTicket(text, bytes)
        } else if let settings = serving.cookies {
            result = authenticateByCookie(bytes, settings)
            if isWaiting { return .wait }
        } else {
            return .refuse(.credentialsMissing)
        }
        switch result {
        case .refused(let refusal): return .refuse(refusal)
        case .keyUnknown(let issuer, let hasKeys): return awaitKeys(of: issuer, hasKeys: hasKeys)
        case .unknownToken: return introspect(bytes)
        case .principal(let principal):
            admitted(principal)
            return admit()
        }
    }

    /// It is known who asks, and since when.
    func admitted(_ principal: Principal) {
        self.principal = principal
        startedAt = worker.clock.seconds
    }

    /// Whether the request may go where it is to go, now that it is known who asks.
    func admit() -> Decision {
        if endpoint != nil {
            guard principal?.kind == .jwt else { return .refuse(.credentialNotAccepted(accepted: ["jwt"])) }
            return .serve
        }
        guard let route else { return .refuse(.notFound) }
        let path = path
        if let principal {
            if let refusal = Authorizer.authorize(principal, route: route, path: path.span, match: match) {
                tellLimits(to: principal)
                return .refuse(refusal)
            }
            if let refusal = limitRate(of: principal) { return .refuse(refusal) }
        }
        if let refusal = handshake(route) { return .refuse(refusal) }
        if case .length(let count) = head.framing, count > UInt64(route.maxBody), !head.isGRPC {
            return .refuse(.bodyTooLarge(limit: route.maxBody))
        }
        if let principal, let refusal = limitUse(by: principal) { return .refuse(refusal) }
        return .forward
    }

    /// Goes on with a request whose decision had to wait.
    func proceed() {
        isWaiting = false
        let request = serial
        switch admit() {
        case .refuse(let refusal): return refuse(refusal)
        case .serve: serveEndpoint()
        case .forward: forward()
        case .answer(let answer): answerLocally(answer)
        case .wait: return
        }
        // Answered already, this may be the next request of the connection.
        guard request == serial, let downstream, progress != .done else { return }
        if downstream.isUploadComplete {
            requestEnded(trailers: downstream.uploadTrailers)
            flushUpload()
        } else {
            downstream.resumeUpload()
            if request == serial { flushUpload() }
        }
    }
}
