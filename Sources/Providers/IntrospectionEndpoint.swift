internal import Configuration
internal import Dispatch
internal import JOSE
internal import Synchronization
internal import Transport

/// One block's endpoint: look-ups of one token that are under way are one, several tokens are asked about at once, and answers
/// are remembered for a while.
///
/// Bounds: `max_lookups` at once, `waitingAtMost` tokens that wait for that, of which `waitingOfOne` for one client,
/// `rememberedAtMost` answers of `rememberedBytes` in all.
final class IntrospectionEndpoint: Sendable {
    static let waitingAtMost = 1_024
    static let waitingOfOne = 64
    static let rememberedAtMost = 16_384
    static let rememberedBytes = 32 << 20
    /// Seconds for which it is remembered that nobody knows a token.
    static let inactiveLife: Int64 = 5
    /// Nanoseconds for which an endpoint that failed is not asked.
    static let pauseAfterFailure: Int64 = 1_000_000_000

    private struct Remembered {
        let finding: Introspector.Finding
        let until: Int64
        let weight: Int
    }

    private struct Waiting {
        let digest: Digest256
        let token: [UInt8]
        let client: UInt64
    }

    private struct Shared {
        var underWay: [Digest256: [Introspector.Reply]] = [:]
        var waiting: [Waiting] = []
        var waitingOf: [UInt64: Int] = [:]
        var remembered: [Digest256: Remembered] = [:]
        var weight = 0
        var free: [Lane] = []
        var lanes = 0
        var pausedUntil: MonotonicTime?
        var isFailing = false
    }

    let definition: Introspection
    private let context: TLSClientContext
    private let authorization: String
    private let report: @Sendable (Introspector.Event) -> Void
    private let shared = Mutex(Shared())
    private let answers = Atomic(0)
    private let failures = Atomic(0)

    init(_ definition: Introspection, report: @escaping @Sendable (Introspector.Event) -> Void) throws(ProviderFailure)
    {
        self.definition = definition
        self.report = report
        authorization = FormText.basic(definition.clientID, definition.clientSecret)
        do throws(TLSError) { context = try TLSClientContext(trust: definition.trust) } catch {
            throw ProviderFailure(error.message)
        }
    }

    var counts: (answered: Int, failed: Int) {
        (answers.load(ordering: .relaxed), failures.load(ordering: .relaxed))
    }

    private var unavailable: Introspector.Finding { .unavailable(name: definition.name) }

    private enum Next {
        case answer(Introspector.Finding)
        case wait
        case ask(Lane)
    }

    /// Finds out about a token; `client` tells those who ask apart.
    func look(_ token: [UInt8], client: UInt64, now: Int64, reply: @escaping Introspector.Reply) {
        let digest = SHA256().hash(token.span)
        let next = shared.withLock { shared in
            self.next(Waiting(digest: digest, token: token, client: client), now, reply, &shared)
        }
        switch next {
        case .answer(let finding): reply(finding)
        case .wait: break
        case .ask(let lane): ask(lane, digest, token)
        }
    }

    private func next(
        _ wish: Waiting, _ now: Int64, _ reply: @escaping Introspector.Reply, _ shared: inout Shared
    ) -> Next {
        if let known = shared.remembered[wish.digest], known.until > now { return .answer(known.finding) }
        if shared.underWay[wish.digest] != nil {
            shared.underWay[wish.digest]?.append(reply)
            return .wait
        }
        if let pausedUntil = shared.pausedUntil, pausedUntil > .now() { return .answer(unavailable) }
        if shared.free.isEmpty, shared.lanes < definition.lookupsAtMost {
            shared.free.append(Lane(shared.lanes, definition, context))
            shared.lanes += 1
        }
        if let lane = shared.free.popLast() {
            shared.underWay[wish.digest] = [reply]
            return .ask(lane)
        }
        guard shared.waiting.count < Self.waitingAtMost, shared.waitingOf[wish.client, default: 0] < Self.waitingOfOne
        else { return .answer(unavailable) }
        shared.underWay[wish.digest] = [reply]
        shared.waiting.append(wish)
        shared.waitingOf[wish.client, default: 0] += 1
        return .wait
    }

    private func ask(_ lane: Lane, _ digest: Digest256, _ token: [UInt8]) {
        lane.queue.async { [self] in
            let (finding, weight) = find(token, by: lane)
            let now = WallClock.seconds()
            let (replies, next) = shared.withLock { shared in
                remember(finding, weight, digest, now, &shared)
                let replies = shared.underWay.removeValue(forKey: digest) ?? []
                return (replies, self.next(for: lane, &shared))
            }
            for reply in replies { reply(finding) }
            if let next { ask(lane, next.digest, next.token) }
        }
    }

    /// The next token that waits; without one the lane is free.
    private func next(for lane: Lane, _ shared: inout Shared) -> Waiting? {
        guard !shared.waiting.isEmpty else {
            shared.free.append(lane)
            return nil
        }
        let next = shared.waiting.removeFirst()
        let left = shared.waitingOf[next.client, default: 1] - 1
        shared.waitingOf[next.client] = left > 0 ? left : nil
        return next
    }

    private func remember(
        _ finding: Introspector.Finding, _ weight: Int, _ digest: Digest256, _ now: Int64, _ shared: inout Shared
    ) {
        let until: Int64
        switch finding {
        case .active(_, let end, _): until = end
        case .failed, .inactive: until = now + Self.inactiveLife
        case .unavailable: return
        }
        if let old = shared.remembered.removeValue(forKey: digest) { shared.weight -= old.weight }
        if shared.remembered.count >= Self.rememberedAtMost || shared.weight + weight > Self.rememberedBytes {
            shared.remembered = shared.remembered.filter { $0.value.until > now }
            shared.weight = shared.remembered.values.reduce(0) { $0 + $1.weight }
            if shared.remembered.count >= Self.rememberedAtMost || shared.weight + weight > Self.rememberedBytes {
                (shared.remembered, shared.weight) = ([:], 0)
            }
        }
        shared.remembered[digest] = Remembered(finding: finding, until: until, weight: weight)
        shared.weight += weight
    }

    private func find(_ token: [UInt8], by lane: Lane) -> (Introspector.Finding, weight: Int) {
        do throws(ProviderFailure) {
            let answer = try lane.ask(token, authorization)
            let finding = try judge(answer)
            answers.add(1, ordering: .relaxed)
            setFailing(nil)
            return (finding, answer.body.count * IntrospectionEndpoint.bytesPerAnswerByte + 512)
        } catch {
            failures.add(1, ordering: .relaxed)
            setFailing(error)
            return (unavailable, 0)
        }
    }

    /// Parsed claims take a multiple of their text.
    static let bytesPerAnswerByte = 12

    private func setFailing(_ failure: ProviderFailure?) {
        let wasFailing = shared.withLock { shared in
            defer { shared.isFailing = failure != nil }
            shared.pausedUntil = failure == nil ? nil : .now().advanced(byNanoseconds: Self.pauseAfterFailure)
            return shared.isFailing
        }
        if let failure, !wasFailing { report(.failed(name: definition.name, reason: failure.description)) }
        if failure == nil, wasFailing { report(.recovered(name: definition.name)) }
    }

    private func judge(_ answer: ProviderAnswer) throws(ProviderFailure) -> Introspector.Finding {
        guard answer.status == 200, answer.mediaType == "application/json" else {
            throw ProviderFailure("the answer is \(answer.status) with '\(answer.mediaType.prefix(64))'")
        }
        guard let object = (try? JSONReader.parse(answer.body.span))?.object,
            case .bool(let isActive) = object["active"]
        else { throw ProviderFailure("the answer has no member 'active' that is true or false") }
        guard isActive else { return .inactive }
        let now = WallClock.seconds()
        do throws(TokenFailure) {
            let claims = try VerifiedClaims.introspected(object, userIDClaims: definition.userIDClaims, now: now)
            let until = min(now + max(definition.cache.components.seconds, 1), claims.expiresAt)
            return .active(claims, until: until, weight: answer.body.count * Self.bytesPerAnswerByte)
        } catch {
            if case .invalid(let reason) = error { report(.unusable(name: definition.name, reason: "\(reason)")) }
            return .failed(error)
        }
    }

    /// One look-up at a time, with a kept connection.
    private final class Lane: @unchecked Sendable {
        let queue: DispatchQueue
        private let url: RemoteURL
        // Confined to `queue`.
        private let connection: ProviderConnection

        init(_ index: Int, _ definition: Introspection, _ context: TLSClientContext) {
            queue = DispatchQueue(label: "gatehouse.introspection.\(definition.name).\(index)", qos: .userInitiated)
            url = definition.endpoint
            connection = ProviderConnection(url, context: context)
        }

        func ask(_ token: [UInt8], _ authorization: String) throws(ProviderFailure) -> ProviderAnswer {
            var request = ProviderRequest(url: url, answerAtMost: ProviderRequest.introspectionAtMost)
            request.form = Array("token=".utf8) + FormText.encoded(token)
            request.authorization = authorization
            return try connection.send(request)
        }
    }
}
