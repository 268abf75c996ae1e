import Configuration
import HTTP
import Observability
import Policy
import Transport

/// WebSocket: the handshake goes through like any request; after a 101 that answers it, bytes go both ways as they are
/// (RFC 6455 §4; over HTTP/2, RFC 8441).
extension Exchange {
    /// Whether this is a handshake that the route lets pass; refused when it is a bad one.
    func handshake(_ route: Route) -> Refusal? {
        guard head.upgradesToWebSocket, let headBuffer else { return nil }
        guard route.webSocket else {
            // There an upgrade is left out; an extended CONNECT without one would mean nothing.
            return isStreamTunnel ? .badRequest(field: ":protocol", reason: "not allowed here") : nil
        }
        if let refusal = WebSocketHandshake.refusal(head, headBuffer.readable) { return refusal }
        isUpgrading = true
        return nil
    }

    /// The tunnel was asked for by extended CONNECT.
    private var isStreamTunnel: Bool { downstream?.isMultiplexed ?? false }

    /// A final answer that extended CONNECT would take for a tunnel (RFC 8441 §5), although the upstream has not switched.
    var answersTunnelWrongly: Bool { isUpgrading && isStreamTunnel && (200...299).contains(answer.status) }

    /// The upstream switches protocols; false when nobody asked for that, or not for this.
    func upgradeAnswered(_ bytes: Span<UInt8>) -> Bool {
        guard isUpgrading, progress == .none, stage == .request, let downstream, let headBuffer,
            WebSocketHandshake.isAnswered(answer, bytes, request: head, headBuffer.readable)
        else { return false }
        isUpgrading = false
        answered = worker.shard.now
        progress = .streaming
        status = downstream.isMultiplexed ? 200 : 101
        hasAnnouncedClose = true
        isStream = true
        worker.metrics.streamOpened()
        stream = StreamState(.tunnel(WebSocketFrames()), now: worker.shard.now)
        answerFraming = .identity
        isRequestComplete = false
        AnswerHead.appendUpgrade(self, bytes: bytes, isMultiplexed: downstream.isMultiplexed, to: downstream.takeHead())
        downstream.sendHead(.streamed)
        return true
    }

    /// The tunnel stands: what the client says goes through it.
    func tunnelOpened() {
        downstream?.beginTunnel()
        flushUpload()
    }

    /// Bytes go through as they are.
    var isTunnel: Bool { if case .tunnel = stream?.kind { true } else { false } }
}
