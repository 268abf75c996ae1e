import Configuration
import HTTP
import Identity
import Policy
import Transport

/// A request that the gateway serves itself: its body, the work on other queues, and the answer.
extension Exchange {
    /// Bytes of a body that an endpoint takes at most.
    static let collectAtMost = 64 * 1024

    /// The head was accepted: answers, or waits for the body.
    func serveEndpoint() {
        switch endpoint {
        case .jwks:
            var answer = LocalAnswer.json(200, serving.mint?.jwks ?? [])
            answer.cacheControl = "public, max-age=300"
            answerLocally(answer)
        case .resource:
            var answer = LocalAnswer.json(200, serving.resourceMetadata)
            answer.cacheControl = "public, max-age=300"
            answerLocally(answer)
        case .console(let asset):
            guard let console = serving.console else { return refuse(.notFound) }
            answerLocally(console.answer(asset))
        case .login, .refresh:
            // Whoever is logged in by a foreign page would work in somebody else's account.
            if serving.cookies != nil, let headBuffer,
                SameOrigin.evidence(head, headBuffer.readable, isSecure: isSecure) == .foreign
            {
                return refuse(.csrfFailed)
            }
            collectBody()
        case .introspection, .revocation: isFromClient ? collectBody() : refuse(.clientUnknown)
        default: collectBody()
        }
    }

    /// A form where that is what the endpoint's clients send, else JSON.
    private func takes(_ type: ByteRange?, _ bytes: Span<UInt8>) -> Bool {
        switch endpoint {
        case .introspection, .revocation:
            type.map { MediaType.matches(bytes, $0.range, "application/x-www-form-urlencoded") } ?? false
        default: type.map { MediaType.matches(bytes, $0.range, "application/json") } ?? true
        }
    }

    private var isSecure: Bool { downstream?.client.isSecure ?? false }

    /// From now on body bytes are kept here.
    private func collectBody() {
        guard let headBuffer else { return }
        if case .length(let count) = head.framing, count > UInt64(Self.collectAtMost) {
            return refuse(.bodyTooLarge(limit: Self.collectAtMost))
        }
        if head.framing != .none, !takes(head.contentType, headBuffer.readable) {
            return refuse(.unsupportedMediaType)
        }
        isCollecting = true
        if head.expectsContinue { inviteBody() }
    }

    /// Keeps a piece of the body; false when it is too large.
    func collect(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard progress == .none else { return true }
        guard collected.count + range.count <= Self.collectAtMost else {
            requestFailed(.bodyTooLarge(limit: Self.collectAtMost))
            return false
        }
        for index in range { collected.append(bytes[index]) }
        return true
    }

    /// The request is here as a whole.
    func bodyCollected() {
        isCollecting = false
        guard progress == .none, let downstream, let identity = worker.identity else {
            return refuse(.storeUnavailable)
        }
        switch endpoint {
        case .login:
            guard let mint = serving.mint else { return refuse(.notFound) }
            let address = ClientAddress.of(self, downstream.client)
            identity.login(body: collected, address: address, mint: mint, reply: later { $0.replied($1) })
        case .refresh:
            guard let mint = serving.mint else { return refuse(.notFound) }
            refresh(identity, mint)
        case .logout:
            guard let principal, let mint = serving.mint else { return refuse(.credentialsMissing) }
            identity.revoke(principal, accessTTL: mint.settings.accessTTL, reply: later { $0.replied($1) })
        case .ticket:
            guard let mint = serving.mint else { return refuse(.notFound) }
            giveTicket(identity, mint)
        case .introspection, .revocation:
            guard let mint = serving.mint else { return refuse(.notFound) }
            serveClient(identity, mint)
        case .keys, .key, .rotation: checkOwner()
        case .jwks, .resource, .console, nil: refuse(.notFound)
        }
    }

    /// In cookie mode the token may come in its cookie, from the page that holds the session.
    private func refresh(_ identity: IdentityService, _ mint: TokenMint) {
        var cookie: RefreshCookie?
        if let cookies = serving.cookies, let headBuffer {
            let bytes = headBuffer.readable
            if case .one(let range) = head.cookie(cookies.refreshName, in: bytes) {
                cookie = RefreshCookie(token: bytes.copy(range), isFromOwnPage: isFromOwnPage(bytes, cookies))
            }
        }
        identity.refresh(body: collected, cookie: cookie, mint: mint, reply: later { $0.replied($1) })
    }

    /// The owner of the agent asks: what he asks is done.
    func performKeyRequest() {
        guard let identity = worker.identity, let principal else { return refuse(.storeUnavailable) }
        let request: KeyRequest
        let agent: Range<Int>
        switch endpoint {
        case .keys(let range):
            agent = range
            request = head.method == .post ? .create : .list
        case .key(let range, let id):
            agent = range
            request = .revoke(keyID: text(id))
        case .rotation(let range, let id):
            agent = range
            request = .rotate(keyID: text(id))
        default: return refuse(.notFound)
        }
        identity.perform(
            request, agentID: text(agent), userID: principal.userID, body: collected,
            prefix: serving.configuration.keyPrefix, reply: later { $0.replied($1) })
    }

    /// A piece of the normalised path.
    func text(_ range: Range<Int>) -> String { String(decoding: path[range], as: UTF8.self) }

    /// What brings a reply back to this request, if it is still there.
    func later(_ body: @escaping @Sendable (Exchange, IdentityReply) -> Void) -> IdentityService.Reply {
        let shard = worker.shard
        let resumption = ExchangeResumption(self)
        return { reply in shard.post { resumption.resume { body($0, reply) } } }
    }

    /// The identity service has done its work.
    func replied(_ reply: IdentityReply) {
        switch reply {
        case .tokens(let tokens, let body):
            if let cookies = serving.cookies { answerLines = cookies.set(tokens) }
            answerLocally(.json(200, body))
        case .json(let status, let body): answerLocally(.json(status, body))
        case .noContent:
            if case .logout = endpoint, let cookies = serving.cookies { answerLines = cookies.clear() }
            answerLocally(.noContent)
        case .refused(let refusal):
            clearCookies(after: refusal)
            refuse(refusal)
        }
    }

    /// Only what says that the session is over clears its cookies: the loser of a race must not take the winner's.
    func clearCookies(after refusal: Refusal) {
        guard let cookies = serving.cookies, head.authorization == nil else { return }
        switch refusal {
        case .tokenRevoked, .tokenExpired: answerLines = cookies.clear()
        default: break
        }
    }
}

/// The media type of requests to endpoints.
enum MediaType {
    /// Whether a `Content-Type` is `name`, whatever its parameters.
    static func matches(_ bytes: Span<UInt8>, _ range: Range<Int>, _ name: String) -> Bool {
        let end = range.lowerBound + name.utf8.count
        guard end <= range.upperBound, TextMatch.equalsIgnoringCase(bytes, range.lowerBound..<end, name) else {
            return false
        }
        guard end < range.upperBound else { return true }
        let next = bytes[end]
        return next == UInt8(ascii: ";") || next == UInt8(ascii: " ") || next == UInt8(ascii: "\t")
    }
}

extension Span where Element == UInt8 {
    /// A copy of a piece.
    func copy(_ range: Range<Int>) -> [UInt8] { range.map { self[$0] } }
}
