import Configuration
import HTTP
import Policy
import Transport

/// Whether the user may manage the agent of the path: the upstream is asked, as this user, before anything is done.
extension Exchange {
    var ownerCheck: OwnerCheck? { serving.configuration.keyEndpoints?.ownerCheck }

    /// The method of the question.
    var ownerCheckMethod: HTTP.Method { ownerCheck?.method == "HEAD" ? .head : .get }

    /// Asks; `ownerAnswered` or `ownerCheckFailed` goes on.
    func checkOwner() {
        guard let ownerCheck else { return refuse(.notFound) }
        stage = .ownerCheck
        forwarded = worker.shard.now
        isRequestComplete = true
        guard let connection = worker.pool(forUpstream: ownerCheck.upstream, in: serving)?.lease(for: self) else {
            return ownerCheckFailed()
        }
        upstream = connection
        connection.begin(self)
        writeHead(to: connection)
        connection.requestComplete()
        connection.flush()
    }

    /// Bytes of the answer's body that are waited for, so that the connection can be used again; what is longer is cut off.
    private static let ownerBodyAtMost = 64 * 1024

    /// The head of the answer is here: what follows of it is of no interest.
    func ownerAnswered() { hasOwnerAnswer = true }

    /// A piece of the answer's body came.
    func ownerBody(_ count: Int) {
        let before = ownerBodyCount
        ownerBodyCount += count
        guard before <= Self.ownerBodyAtMost, ownerBodyCount > Self.ownerBodyAtMost else { return }
        // Not from within the connection that is reading it.
        let resumption = ExchangeResumption(self)
        worker.shard.later { resumption.resume { $0.ownerCheckEnded() } }
    }

    /// The answer is complete, or as much of it came as matters.
    func ownerCheckEnded() {
        guard stage == .ownerCheck else { return }
        let status = answer.status
        dropUpstream()
        let name = upstreamName
        stage = .request
        answer.reset()
        switch status {
        case 200...299: performKeyRequest()
        case 400...499: refuse(.permissionDenied(required: "to own the agent", scope: nil))
        default: refuse(.upstreamUnavailable(upstream: name))
        }
    }

    /// Nobody can say: nothing is done.
    func ownerCheckFailed() {
        let name = upstreamName
        stage = .request
        refuse(.upstreamUnavailable(upstream: name))
    }
}

/// Writes the head of the question to the upstream.
enum OwnerCheckHead {
    static func append(
        _ exchange: Exchange, bytes: Span<UInt8>, from client: ClientPeer, to output: ByteBuffer
    ) {
        guard let check = exchange.ownerCheck, let principal = exchange.principal else { return }
        output.append(check.method)
        output.append(" ")
        output.append(path(check.pattern, exchange))
        output.append(" HTTP/1.1\r\nAccept: application/json\r\n")
        if let host = exchange.head.host {
            output.append("Host: ")
            output.append(bytes, host.range)
            output.append("\r\n")
        }
        UpstreamHead.appendCredential(exchange, bytes, to: output)
        UpstreamHead.appendWay(exchange, bytes, from: client, to: output)
        output.append(principal.headerLines)
        output.append("X-Request-Id: ")
        output.append(exchange.requestID)
        output.append("\r\n\r\n")
    }

    private static func path(_ pattern: PathPattern, _ exchange: Exchange) -> String {
        var path = ""
        for segment in pattern.segments {
            switch segment {
            case .literal(let text): path += "/" + text
            case .parameter: path += "/" + agent(exchange)
            }
        }
        return pattern.isPrefix || path.isEmpty ? path + "/" : path
    }

    private static func agent(_ exchange: Exchange) -> String {
        switch exchange.endpoint {
        case .keys(let agent), .key(let agent, _), .rotation(let agent, _): exchange.text(agent)
        default: ""
        }
    }
}
