extension Refusal {
    /// Which challenge goes with the refusal (RFC 6750 §3.1).
    enum Challenge {
        case none, missing, invalidToken, invalidRequest
        /// Basic (RFC 7617 §2), as all others are Bearer.
        case basic
        case insufficientScope(String?)
    }

    var challengeKind: Challenge {
        switch self {
        case .credentialsMissing: .missing
        case .clientUnknown: .basic
        case .tokenInvalid, .tokenExpired, .tokenNotYetValid, .tokenRevoked, .tokenWrongType, .apiKeyInvalid,
            .apiKeyExpired, .apiKeyRevoked:
            .invalidToken
        case .permissionDenied(_, let scope): .insufficientScope(scope)
        case .agentMismatch, .credentialNotAccepted: .insufficientScope(nil)
        case .badRequest(_, _, aboutCredential: true): .invalidRequest
        default: .none
        }
    }

    /// Seconds for `Retry-After`, if the refusal has it.
    public var retryAfter: Int? {
        switch self {
        case .rateLimited(let seconds), .quotaExceeded(let seconds), .loginBusy(let seconds): seconds
        default: nil
        }
    }

    /// Appends the refusal's own members of `details`, each with a comma behind it: `request_id` always follows.
    func appendDetails(to output: inout [UInt8]) {
        switch self {
        case .tokenExpired(let time), .apiKeyExpired(let time): append("expired_at", time: time, to: &output)
        case .tokenNotYetValid(let time): append("valid_from", time: time, to: &output)
        case .apiKeyRevoked(let time?): append("revoked_at", time: time, to: &output)
        case .tokenWrongType(let expected): append("expected", expected, to: &output)
        case .permissionDenied(let required, _): append("required", required, to: &output)
        case .agentMismatch(let agentID): append("agent_id", agentID, to: &output)
        case .credentialNotAccepted(let accepted): append("accepted", list: accepted, to: &output)
        case .badRequest(let field, let reason, _):
            if let field { append("field", field, to: &output) }
            append("reason", reason, to: &output)
        case .expectationFailed:
            append("field", "expect", to: &output)
            append("reason", "an expectation other than 100-continue", to: &output)
        case .webSocketVersion:
            append("field", "sec-websocket-version", to: &output)
            append("reason", "a version other than 13", to: &output)
        case .methodNotAllowed(let allowed):
            let methods = allowed.split { $0 == "," || $0 == " " }.map(String.init)
            append("allowed", list: methods, to: &output)
        case .requestTimeout(let limit): append("limit", limit, to: &output)
        case .bodyTooLarge(let limit), .uriTooLong(let limit), .headersTooLarge(let limit):
            append("limit", number: limit, to: &output)
        case .rateLimited(let seconds), .quotaExceeded(let seconds), .loginBusy(let seconds):
            append("retry_after", number: seconds, to: &output)
        case .upstreamError(let upstream), .upstreamUnavailable(let upstream), .upstreamTimeout(let upstream):
            append("upstream", upstream, to: &output)
        case .keysUnavailable(let issuer): append("issuer", issuer, to: &output)
        case .credentialsMissing, .tokenInvalid, .tokenRevoked, .apiKeyInvalid, .apiKeyRevoked(nil), .loginFailed,
            .clientUnknown, .csrfFailed, .httpsRequired, .notFound, .unsupportedMediaType, .misdirectedRequest,
            .draining,
            .storeUnavailable:
            break
        }
    }

    private func append(name: StaticString, to output: inout [UInt8]) {
        output.append(literal: "\"")
        output.append(literal: name)
        output.append(literal: "\":")
    }

    private func append(_ name: StaticString, _ text: String, to output: inout [UInt8]) {
        append(name: name, to: &output)
        JSONText.appendQuoted(text, to: &output)
        output.append(literal: ",")
    }

    private func append(_ name: StaticString, time: Int64, to output: inout [UInt8]) {
        append(name: name, to: &output)
        output.append(literal: "\"")
        HTTPDate.appendISO8601(time, to: &output)
        output.append(literal: "\",")
    }

    private func append(_ name: StaticString, number: Int, to output: inout [UInt8]) {
        append(name: name, to: &output)
        output += "\(number)".utf8
        output.append(literal: ",")
    }

    private func append(_ name: StaticString, list: [String], to output: inout [UInt8]) {
        append(name: name, to: &output)
        output.append(literal: "[")
        for (index, text) in list.enumerated() {
            if index > 0 { output.append(literal: ",") }
            JSONText.appendQuoted(text, to: &output)
        }
        output.append(literal: "],")
    }
}
