public import Configuration
internal import Dispatch
public import JOSE
internal import Synchronization
internal import Transport

/// Asks issuers about opaque tokens (RFC 7662), several at a time, and remembers what they said for a while.
///
/// Look-ups of one token that are under way are one. Nothing is guessed: an endpoint that cannot be asked, or answers what is
/// no answer, decides nothing. Bounds: `lookupsAtMost` of each block at once, `waitingAtMost` tokens that wait for that, and
/// `rememberedAtMost` answers.
public final class Introspector: Sendable {
    /// What is known of a token.
    public enum Finding: Sendable {
        /// Its issuer vouches for it until `until`, in unix seconds: then it is asked again.
        case active(VerifiedClaims, until: Int64)
        /// It was good until its `exp`.
        case failed(TokenFailure)
        /// Nobody knows it.
        case inactive
        /// The endpoint of this block could not be asked.
        case unavailable(name: String)
    }

    /// Where a finding goes, on any queue.
    public typealias Reply = @Sendable (Finding) -> Void

    /// Tokens that wait for a look-up at most.
    static let waitingAtMost = 1_024
    /// Answers that are remembered.
    static let rememberedAtMost = 16_384
    /// Seconds for which it is remembered that nobody knows a token.
    static let inactiveLife: Int64 = 5

    private struct Remembered {
        let finding: Finding
        let until: Int64
    }

    private struct Shared {
        var underWay: [Digest256: [Reply]] = [:]
        var waiting: [(digest: Digest256, token: [UInt8])] = []
        var remembered: [Digest256: Remembered] = [:]
        var free: [Lane]
        var isStopped = false
    }

    private let endpoints: [Introspection]
    private let report: @Sendable (Event) -> Void
    private let shared: Mutex<Shared>
    private let answers = Atomic(0)
    private let failures = Atomic(0)
    private let isFailing = Atomic(false)

    /// Something for the operator. No event holds a part of a token.
    public enum Event: Sendable {
        /// A token could not be asked about, the first time since one could.
        case failed(name: String, reason: String)
        /// Tokens can be asked about again.
        case recovered(name: String)
        /// A valid token named no user that may be told to an upstream.
        case unusable(name: String, reason: String)
    }

    /// An introspector for the blocks of a configuration.
    public init(_ endpoints: [Introspection], report: @escaping @Sendable (Event) -> Void) throws(ProviderFailure) {
        self.endpoints = endpoints
        self.report = report
        var lanes: [Lane] = []
        for index in 0..<(endpoints.map(\.lookupsAtMost).max() ?? 0) {
            lanes.append(try Lane(index, endpoints))
        }
        shared = Mutex(Shared(free: lanes.reversed()))
    }

    /// Look-ups so far that were answered, and that failed.
    public var counts: (answered: Int, failed: Int) {
        (answers.load(ordering: .relaxed), failures.load(ordering: .relaxed))
    }

    /// Finds out about a token. `now` is in unix seconds.
    public func look(_ token: [UInt8], now: Int64, reply: @escaping Reply) {
        let digest = SHA256().hash(token.span)
        enum Next { case answer(Finding), wait, ask(Lane) }
        let next: Next = shared.withLock { shared in
            if let known = shared.remembered[digest], known.until > now { return .answer(known.finding) }
            if shared.underWay[digest] != nil {
                shared.underWay[digest]?.append(reply)
                return .wait
            }
            guard !shared.isStopped, shared.waiting.count < Self.waitingAtMost else {
                return .answer(.unavailable(name: endpoints[0].name))
            }
            shared.underWay[digest] = [reply]
            if let lane = shared.free.popLast() { return .ask(lane) }
            shared.waiting.append((digest, token))
            return .wait
        }
        switch next {
        case .answer(let finding): reply(finding)
        case .wait: break
        case .ask(let lane): ask(lane, digest, token)
        }
    }

    /// Asks no more; those who wait hear that.
    public func stop() {
        let replies = shared.withLock { shared in
            shared.isStopped = true
            defer { shared.waiting = [] }
            return shared.waiting.flatMap { shared.underWay.removeValue(forKey: $0.digest) ?? [] }
        }
        for reply in replies { reply(.unavailable(name: endpoints[0].name)) }
    }

    private func ask(_ lane: Lane, _ digest: Digest256, _ token: [UInt8]) {
        lane.queue.async { [self] in
            let finding = find(token, by: lane)
            let now = WallClock.seconds()
            let (replies, next) = shared.withLock { shared in
                remember(finding, digest, now, &shared)
                let replies = shared.underWay.removeValue(forKey: digest) ?? []
                if shared.waiting.isEmpty {
                    shared.free.append(lane)
                    return (replies, nil as (digest: Digest256, token: [UInt8])?)
                }
                return (replies, shared.waiting.removeFirst())
            }
            for reply in replies { reply(finding) }
            if let next { ask(lane, next.digest, next.token) }
        }
    }

    private func remember(_ finding: Finding, _ digest: Digest256, _ now: Int64, _ shared: inout Shared) {
        let until: Int64
        switch finding {
        case .active(_, let end): until = end
        case .failed, .inactive: until = now + Self.inactiveLife
        case .unavailable: return
        }
        if shared.remembered.count >= Self.rememberedAtMost {
            shared.remembered = shared.remembered.filter { $0.value.until > now }
            if shared.remembered.count >= Self.rememberedAtMost { shared.remembered = [:] }
        }
        shared.remembered[digest] = Remembered(finding: finding, until: until)
    }

    /// Asks one block after the other; the first that knows the token decides. One that cannot be asked might have.
    private func find(_ token: [UInt8], by lane: Lane) -> Finding {
        var unavailable: Finding?
        for (index, endpoint) in endpoints.enumerated() {
            do throws(ProviderFailure) {
                let finding = try judge(try lane.ask(index, about: token), of: endpoint)
                answers.add(1, ordering: .relaxed)
                if isFailing.exchange(false, ordering: .relaxed) { report(.recovered(name: endpoint.name)) }
                if case .inactive = finding { continue }
                return finding
            } catch {
                failures.add(1, ordering: .relaxed)
                if !isFailing.exchange(true, ordering: .relaxed) {
                    report(.failed(name: endpoint.name, reason: error.description))
                }
                unavailable = unavailable ?? .unavailable(name: endpoint.name)
            }
        }
        return unavailable ?? .inactive
    }

    private func judge(_ answer: ProviderAnswer, of endpoint: Introspection) throws(ProviderFailure) -> Finding {
        guard answer.status == 200, answer.mediaType == "application/json" else {
            throw ProviderFailure("the answer is \(answer.status) with '\(answer.mediaType.prefix(64))'")
        }
        guard let object = (try? JSONReader.parse(answer.body.span))?.object,
            case .bool(let isActive) = object["active"]
        else { throw ProviderFailure("the answer has no member 'active' that is true or false") }
        guard isActive else { return .inactive }
        let now = WallClock.seconds()
        do throws(TokenFailure) {
            let claims = try VerifiedClaims.introspected(object, userIDClaims: endpoint.userIDClaims, now: now)
            return .active(claims, until: min(now + max(endpoint.cache.components.seconds, 1), claims.expiresAt))
        } catch {
            if case .invalid(let reason) = error { report(.unusable(name: endpoint.name, reason: "\(reason)")) }
            return .failed(error)
        }
    }

    /// One look-up at a time, with a kept connection to each endpoint.
    private final class Lane: @unchecked Sendable {
        let queue: DispatchQueue
        private let endpoints: [Introspection]
        private let authorizations: [String]
        // Confined to `queue`.
        private let connections: [ProviderConnection]

        init(_ index: Int, _ endpoints: [Introspection]) throws(ProviderFailure) {
            queue = DispatchQueue(label: "gatehouse.introspection.\(index)", qos: .userInitiated)
            self.endpoints = endpoints
            authorizations = endpoints.map { FormText.basic($0.clientID, $0.clientSecret) }
            var connections: [ProviderConnection] = []
            for endpoint in endpoints {
                do throws(TLSError) {
                    let context = try TLSClientContext(trust: endpoint.trust)
                    connections.append(ProviderConnection(endpoint.endpoint, context: context))
                } catch { throw ProviderFailure(error.message) }
            }
            self.connections = connections
        }

        func ask(_ index: Int, about token: [UInt8]) throws(ProviderFailure) -> ProviderAnswer {
            var request = ProviderRequest(url: endpoints[index].endpoint)
            request.form = Array("token=".utf8) + FormText.encoded(token)
            request.authorization = authorizations[index]
            return try connections[index].send(request)
        }
    }
}

/// `application/x-www-form-urlencoded` (RFC 6749 appendix B).
enum FormText {
    /// Bytes as a name or a value.
    static func encoded(_ bytes: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                output.append(byte)
            default:
                let digits = Array("0123456789ABCDEF".utf8)
                output += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return output
    }

    /// The value of `Authorization` by which a client names itself: RFC 6749 §2.3.1 encodes both parts before Basic does.
    static func basic(_ name: String, _ secret: [UInt8]) -> String {
        let pair = encoded(Array(name.utf8)) + [UInt8(ascii: ":")] + encoded(secret)
        return "Basic \(Base64.encode(pair, padded: true))"
    }
}
