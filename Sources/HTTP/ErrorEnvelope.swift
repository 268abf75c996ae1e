public import Transport

/// Writes a refusal as a complete answer: the one place that knows the envelope and its header fields.
///
/// Made with a configuration; what does not depend on the request is rendered then.
public struct ErrorEnvelope: Sendable {
    private let bearer: String
    private let missing: [UInt8]
    private let invalidToken: [UInt8]
    private let invalidRequest: [UInt8]
    private let insufficientScope: [UInt8]
    private let basic: String

    /// `realm` is named in every challenge (RFC 6750 §3), and `resourceMetadata` too if there is one (RFC 9728 §5.1).
    public init(realm: String, resourceMetadata: String? = nil) {
        var bearer = "Bearer realm=\(ErrorEnvelope.quoted(realm))"
        if let resourceMetadata { bearer += ", resource_metadata=\(ErrorEnvelope.quoted(resourceMetadata))" }
        self.bearer = bearer
        basic = "Basic realm=\(ErrorEnvelope.quoted(realm)), charset=\"UTF-8\""
        missing = ErrorEnvelope.line(bearer)
        invalidToken = ErrorEnvelope.line("\(bearer), error=\"invalid_token\"")
        invalidRequest = ErrorEnvelope.line("\(bearer), error=\"invalid_request\"")
        insufficientScope = ErrorEnvelope.line("\(bearer), error=\"insufficient_scope\"")
    }

    /// Appends the whole HTTP/1.1 answer. `date` is the value of `Date`; `extra` holds further complete header lines;
    /// `close` announces that the connection ends; `headOnly` leaves the body out but not its length (HEAD). A refused
    /// gRPC call gets 200 with its status in the head ("trailers-only").
    public func append(
        _ refusal: Refusal, requestID: Span<UInt8>, date: Span<UInt8>, close: Bool, headOnly: Bool, isGRPC: Bool,
        extra: [UInt8], to buffer: ByteBuffer
    ) {
        let status = isGRPC ? 200 : refusal.status
        buffer.append("HTTP/1.1 ")
        buffer.append(decimal: status)
        buffer.append(" ")
        buffer.append(StatusText.phrase(status))
        buffer.append("\r\nDate: ")
        buffer.append(date)
        buffer.append("\r\nX-Request-Id: ")
        buffer.append(requestID)
        if isGRPC {
            appendStatus(refusal, to: buffer)
            appendEnd(extra, close: close, to: buffer)
            return
        }
        let content = body(refusal, requestID: requestID)
        buffer.append("\r\nContent-Type: application/json\r\nContent-Length: ")
        buffer.append(decimal: content.count)
        buffer.append("\r\nCache-Control: no-store\r\n")
        appendSpecificLines(refusal, to: buffer)
        appendEnd(extra, close: close, to: buffer)
        if !headOnly { buffer.append(content) }
    }

    /// The JSON alone: for the last event of a stream, for `explain`, for HTTP/2.
    public func body(_ refusal: Refusal, requestID: Span<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(256)
        output.append(literal: "{\"error\":\"")
        output.append(literal: refusal.code)
        output.append(literal: "\",\"message\":\"")
        output.append(literal: refusal.message)
        output.append(literal: "\",\"details\":{")
        refusal.appendDetails(to: &output)
        output.append(literal: "\"request_id\":\"")
        JSONText.appendEscaped(requestID, to: &output)
        output.append(literal: "\"}}")
        return output
    }

    /// The last event of an event stream.
    public func event(_ refusal: Refusal, requestID: Span<UInt8>) -> [UInt8] {
        Array("event: error\ndata: ".utf8) + body(refusal, requestID: requestID) + [0x0a, 0x0a]
    }

    /// The trailer lines by which a gRPC call ends.
    public func grpcTrailers(_ refusal: Refusal) -> [UInt8] {
        Array("grpc-status: \(refusal.grpcStatus)\r\ngrpc-message: \(grpcMessage(refusal))\r\n".utf8)
    }

    /// The value of `WWW-Authenticate`, for HTTP/2; nil if the refusal has none.
    public func challenge(_ refusal: Refusal) -> String? {
        switch refusal.challengeKind {
        case .none: nil
        case .basic: basic
        case .missing: bearer
        case .invalidToken: "\(bearer), error=\"invalid_token\""
        case .invalidRequest: "\(bearer), error=\"invalid_request\""
        case .insufficientScope(nil): "\(bearer), error=\"insufficient_scope\""
        case .insufficientScope(let scope?):
            "\(bearer), error=\"insufficient_scope\", scope=\(ErrorEnvelope.quoted(scope))"
        }
    }

    /// `grpc-message` of a refused call, for HTTP/2: `error: message`.
    public func grpcMessage(_ refusal: Refusal) -> String { "\(refusal.code): \(refusal.message)" }

    /// `WWW-Authenticate`, `Allow` and `Retry-After` lines, as far as the refusal has them.
    private func appendSpecificLines(_ refusal: Refusal, to buffer: ByteBuffer) {
        switch refusal.challengeKind {
        case .none: break
        case .basic: buffer.append(ErrorEnvelope.line(basic))
        case .missing: buffer.append(missing)
        case .invalidToken: buffer.append(invalidToken)
        case .invalidRequest: buffer.append(invalidRequest)
        case .insufficientScope(nil): buffer.append(insufficientScope)
        case .insufficientScope: buffer.append(ErrorEnvelope.line(challenge(refusal) ?? bearer))
        }
        if case .methodNotAllowed(let allowed) = refusal {
            buffer.append("Allow: ")
            buffer.append(allowed)
            buffer.append("\r\n")
        }
        if case .webSocketVersion = refusal { buffer.append("Sec-WebSocket-Version: 13\r\n") }
        if let seconds = refusal.retryAfter {
            buffer.append("Retry-After: ")
            buffer.append(decimal: seconds)
            buffer.append("\r\n")
        }
    }

    private func appendStatus(_ refusal: Refusal, to buffer: ByteBuffer) {
        buffer.append("\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\ngrpc-status: ")
        buffer.append(decimal: refusal.grpcStatus)
        buffer.append("\r\ngrpc-message: ")
        // Codes and messages are plain ASCII without `%`, so gRPC's percent-encoding leaves them as they are.
        buffer.append(refusal.code)
        buffer.append(": ")
        buffer.append(refusal.message)
        buffer.append("\r\n")
    }

    private func appendEnd(_ extra: [UInt8], close: Bool, to buffer: ByteBuffer) {
        buffer.append(extra)
        if close { buffer.append("Connection: close\r\n") }
        buffer.append("\r\n")
    }

    private static func line(_ challenge: String) -> [UInt8] {
        [UInt8]("WWW-Authenticate: \(challenge)\r\n".utf8)
    }

    /// A quoted-string (RFC 9110 §5.6.4). Control bytes and non-ASCII cannot stand in one that every client reads.
    private static func quoted(_ text: String) -> String {
        var output = "\""
        for scalar in text.unicodeScalars where scalar.value >= 0x20 && scalar.value < 0x7f {
            if scalar == "\"" || scalar == "\\" { output += "\\" }
            output.unicodeScalars.append(scalar)
        }
        return output + "\""
    }
}
