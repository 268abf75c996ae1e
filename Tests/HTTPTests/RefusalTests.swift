import Foundation
import HTTP
import Testing
import Transport

@Suite struct RefusalTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let refusal: Refusal
        let status: Int
        let code: String
        let details: String
        let challenge: String?

        init(_ refusal: Refusal, _ status: Int, _ code: String, _ details: String = "", _ challenge: String? = nil) {
            self.refusal = refusal
            self.status = status
            self.code = code
            self.details = details
            self.challenge = challenge
        }

        var testDescription: String { "\(refusal)" }
    }

    private static let invalid = ", error=\"invalid_token\""
    private static let scope = ", error=\"insufficient_scope\""
    private static let time: Int64 = 1_705_314_600

    /// The contract's table, row by row.
    static let table: [Case] = [
        Case(.credentialsMissing, 401, "credentials_missing", "", ""),
        Case(.tokenInvalid, 401, "token_invalid", "", invalid),
        Case(.tokenExpired(at: time), 401, "token_expired", #""expired_at":"2024-01-15T10:30:00Z","#, invalid),
        Case(
            .tokenNotYetValid(from: time), 401, "token_not_yet_valid", #""valid_from":"2024-01-15T10:30:00Z","#, invalid
        ),
        Case(.tokenRevoked, 401, "token_revoked", "", invalid),
        Case(.tokenWrongType(expected: "access"), 401, "token_wrong_type", #""expected":"access","#, invalid),
        Case(.apiKeyInvalid, 401, "api_key_invalid", "", invalid),
        Case(.apiKeyExpired(at: time), 401, "api_key_expired", #""expired_at":"2024-01-15T10:30:00Z","#, invalid),
        Case(.apiKeyRevoked(at: time), 401, "api_key_revoked", #""revoked_at":"2024-01-15T10:30:00Z","#, invalid),
        Case(.apiKeyRevoked(at: nil), 401, "api_key_revoked", "", invalid),
        Case(.loginFailed, 401, "login_failed"),
        Case(
            .permissionDenied(required: "scope query", scope: "query"), 403, "permission_denied",
            #""required":"scope query","#, scope + ", scope=\"query\""),
        Case(
            .permissionDenied(required: "role admin", scope: nil), 403, "permission_denied",
            #""required":"role admin","#, scope),
        Case(.agentMismatch(agentID: "a\"1"), 403, "agent_mismatch", #""agent_id":"a\"1","#, scope),
        Case(
            .credentialNotAccepted(accepted: ["jwt", "api_key"]), 403, "credential_not_accepted",
            #""accepted":["jwt","api_key"],"#, scope),
        Case(.csrfFailed, 403, "csrf_failed"),
        Case(.httpsRequired, 403, "https_required"),
        Case(.badRequest(field: nil, reason: "r"), 400, "bad_request", #""reason":"r","#),
        Case(
            .badRequest(field: "email", reason: "missing"), 400, "bad_request", #""field":"email","reason":"missing","#),
        Case(
            .badRequest(field: "authorization", reason: "sent more than once", aboutCredential: true), 400,
            "bad_request",
            #""field":"authorization","reason":"sent more than once","#, ", error=\"invalid_request\""),
        Case(
            .expectationFailed, 417, "bad_request",
            #""field":"expect","reason":"an expectation other than 100-continue","#),
        Case(.notFound, 404, "not_found"),
        Case(.methodNotAllowed(allowed: "GET, POST"), 405, "method_not_allowed", #""allowed":["GET","POST"],"#),
        Case(.requestTimeout(limit: "10s"), 408, "request_timeout", #""limit":"10s","#),
        Case(.bodyTooLarge(limit: 10), 413, "body_too_large", #""limit":10,"#),
        Case(.uriTooLong(limit: 8192), 414, "uri_too_long", #""limit":8192,"#),
        Case(.unsupportedMediaType, 415, "unsupported_media_type"),
        Case(.headersTooLarge(limit: 32768), 431, "headers_too_large", #""limit":32768,"#),
        Case(.misdirectedRequest, 421, "misdirected_request"),
        Case(.rateLimited(retryAfter: 7), 429, "rate_limited", #""retry_after":7,"#),
        Case(.quotaExceeded(retryAfter: 60), 429, "quota_exceeded", #""retry_after":60,"#),
        Case(.upstreamError(upstream: "backend"), 502, "upstream_error", #""upstream":"backend","#),
        Case(.upstreamUnavailable(upstream: "backend"), 503, "upstream_unavailable", #""upstream":"backend","#),
        Case(.upstreamTimeout(upstream: "backend"), 504, "upstream_timeout", #""upstream":"backend","#),
        Case(.draining, 503, "draining"),
        Case(.keysUnavailable(issuer: "https://idp"), 503, "keys_unavailable", #""issuer":"https://idp","#),
        Case(.storeUnavailable, 503, "store_unavailable"),
    ]

    private static let envelope = ErrorEnvelope(realm: "gatehouse")
    private static let date = [UInt8]("Mon, 15 Jan 2024 10:30:00 GMT".utf8)
    private static let requestID = [UInt8]("0f3c9a".utf8)

    private func answer(
        _ refusal: Refusal, close: Bool = false, headOnly: Bool = false, isGRPC: Bool = false, extra: String = ""
    ) -> String {
        let buffer = ByteBuffer(capacity: 64)
        Self.envelope.append(
            refusal, requestID: Self.requestID.span, date: Self.date.span, close: close, headOnly: headOnly,
            isGRPC: isGRPC, extra: [UInt8](extra.utf8), to: buffer)
        var bytes: [UInt8] = []
        let readable = buffer.readable
        for place in 0..<readable.count { bytes.append(readable[place]) }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(arguments: table) func isAsInTheContract(_ row: Case) throws {
        let body =
            #"{"error":"\#(row.code)","message":"\#(row.refusal.message)","details":{\#(row.details)"request_id":"0f3c9a"}}"#
        #expect(
            String(decoding: Self.envelope.body(row.refusal, requestID: Self.requestID.span), as: UTF8.self) == body)
        let parsed = try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]
        #expect(parsed.map { Set($0.keys) } == ["error", "message", "details"])

        let parts = answer(row.refusal).split(separator: "\r\n\r\n", maxSplits: 1).map(String.init)
        #expect(parts.last == body)
        let lines = parts[0].components(separatedBy: "\r\n")
        #expect(lines[0].hasPrefix("HTTP/1.1 \(row.status) "))
        #expect(lines[0].count > "HTTP/1.1 400 ".count, "every status has a phrase")
        #expect(lines.contains("Content-Type: application/json"))
        #expect(lines.contains("Content-Length: \(body.utf8.count)"))
        #expect(lines.contains("Cache-Control: no-store"))
        #expect(lines.contains("X-Request-Id: 0f3c9a"))
        #expect(lines.contains("Date: Mon, 15 Jan 2024 10:30:00 GMT"))
        let challenges = lines.filter { $0.hasPrefix("WWW-Authenticate:") }
        #expect(challenges == (row.challenge.map { ["WWW-Authenticate: Bearer realm=\"gatehouse\"\($0)"] } ?? []))
        #expect(Self.envelope.challenge(row.refusal) == row.challenge.map { "Bearer realm=\"gatehouse\"\($0)" })
        #expect(lines.contains { $0.hasPrefix("Retry-After: ") } == (row.status == 429))
        #expect(lines.contains { $0.hasPrefix("Allow: ") } == (row.status == 405))
        #expect(!lines.contains("Connection: close"))
    }

    @Test func isTheExampleOfTheSeed() {
        #expect("\(Refusal.tokenExpired(at: 0).message)" == "Access token has expired")
    }

    @Test func writesAWholeAnswer() {
        #expect(
            answer(.methodNotAllowed(allowed: "GET, POST"), close: true, extra: "Vary: Origin\r\n")
                == "HTTP/1.1 405 Method Not Allowed\r\nDate: Mon, 15 Jan 2024 10:30:00 GMT\r\nX-Request-Id: 0f3c9a\r\n"
                + "Content-Type: application/json\r\nContent-Length: 132\r\nCache-Control: no-store\r\nAllow: GET, POST\r\n"
                + "Vary: Origin\r\nConnection: close\r\n\r\n"
                + #"{"error":"method_not_allowed","message":"The method is not allowed here","#
                + #""details":{"allowed":["GET","POST"],"request_id":"0f3c9a"}}"#)
    }

    @Test(arguments: table) func headHasTheSameHeadWithoutABody(_ row: Case) {
        let whole = answer(row.refusal)
        let head = answer(row.refusal, headOnly: true)
        #expect(head.hasSuffix("\r\n\r\n"))
        #expect(whole.hasPrefix(head))
    }

    @Test(arguments: [
        (401, 16), (403, 7), (429, 8), (502, 14), (503, 14), (504, 4), (404, 12), (400, 13), (405, 12), (408, 4),
        (413, 8),
        (414, 8), (415, 13), (417, 13), (421, 14), (431, 8),
    ])
    func grpcGetsTrailersOnly(_ status: Int, _ code: Int) throws {
        let row = try #require(Self.table.first { $0.status == status })
        let text = answer(row.refusal, isGRPC: true)
        #expect(
            text
                == "HTTP/1.1 200 OK\r\nDate: Mon, 15 Jan 2024 10:30:00 GMT\r\nX-Request-Id: 0f3c9a\r\nContent-Type: application/grpc\r\n"
                + "Content-Length: 0\r\ngrpc-status: \(code)\r\ngrpc-message: \(row.code): \(row.refusal.message)\r\n\r\n"
        )
    }

    @Test(arguments: table) func messagesNeedNoEscaping(_ row: Case) {
        let text = "\(row.refusal.code)\(row.refusal.message)"
        #expect(text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f && $0 != 0x22 && $0 != 0x5c && $0 != 0x25 })
    }

    @Test func realmIsQuoted() {
        let envelope = ErrorEnvelope(
            realm: "a\"b\\c\r\nd", resourceMetadata: "https://x/.well-known/oauth-protected-resource")
        #expect(
            envelope.challenge(.credentialsMissing)
                == #"Bearer realm="a\"b\\cd", resource_metadata="https://x/.well-known/oauth-protected-resource""#)
    }
}
