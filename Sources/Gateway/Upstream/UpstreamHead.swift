import Configuration
import HTTP
import Policy
import Transport

/// Writes the head of a request for an HTTP/1.1 upstream: the normalised path, kept lines as they came, and what only the
/// gateway may say (identity, way of the request, framing).
enum UpstreamHead {
    static func append(
        _ exchange: Exchange, _ route: Route, bytes: Span<UInt8>, from client: ClientPeer, to output: ByteBuffer
    ) {
        let serving = exchange.serving
        let context = HeaderPolicy.RequestContext(
            route: route, principal: exchange.principal, trustsPeer: client.isTrusted, isGRPC: exchange.head.isGRPC)
        appendRequestLine(exchange, bytes, to: output)
        let hasInjected = !serving.injectedNames.isEmpty
        var run = LineRun()
        var sent = SentByProxy()
        for field in exchange.head.fields {
            if hasInjected, serving.isInjected(bytes.extracting(field.name.range)) { continue }
            switch HeaderPolicy.disposition(of: field, in: bytes, context) {
            case .copy where field.id == .cookie && serving.cookies != nil:
                run.flush(bytes, to: output)
                serving.cookies?.appendForwarded(field.value.range, bytes, to: output)
            case .copy:
                run.add(field.line.range, bytes, to: output)
                if field.id.isForwarding { sent.note(field.id) }
            case .drop: break
            case .extend: sent.hasAddresses = true
            }
        }
        run.flush(bytes, to: output)
        if context.forwardsAuthorization, !exchange.cookieToken.isEmpty { appendCookieToken(exchange, to: output) }
        appendWay(exchange, bytes, from: client, sent, to: output)
        if let principal = exchange.principal {
            output.append(principal.headerLines)
            for injection in route.injections { append(injection, of: principal, to: output) }
        }
        output.append("X-Request-Id: ")
        output.append(exchange.requestID)
        if exchange.isUpgrading { output.append("\r\nConnection: Upgrade\r\nUpgrade: websocket") }
        appendFraming(exchange.head.framing, to: output)
    }

    private static func append(_ injection: ClaimInjection, of principal: Principal, to output: ByteBuffer) {
        guard let value = principal.header(for: injection) else { return }
        output.append(Array(injection.name.utf8))
        output.append(": ")
        output.append(value)
        output.append("\r\n")
    }

    /// What a trusted proxy has said already.
    private struct SentByProxy {
        var hasAddresses = false
        var hasScheme = false
        var hasHost = false

        mutating func note(_ id: FieldName) {
            if id == .xForwardedProto { hasScheme = true }
            if id == .xForwardedHost { hasHost = true }
        }
    }

    private static func appendRequestLine(_ exchange: Exchange, _ bytes: Span<UInt8>, to output: ByteBuffer) {
        output.append(bytes, exchange.head.methodRange.range)
        output.append(" ")
        output.append(exchange.path)
        if let query = exchange.head.query { appendQuery(query, without: exchange.ticket, bytes, to: output) }
        output.append(" HTTP/1.1\r\n")
    }

    /// The query byte for byte; a ticket is not for the upstream, and leaves no trace.
    private static func appendQuery(
        _ query: ByteRange, without ticket: QueryTicket, _ bytes: Span<UInt8>, to output: ByteBuffer
    ) {
        guard case .one(let ticket, _) = ticket else {
            output.append("?")
            return output.append(bytes, query.range)
        }
        let before = Int(query.start)..<Int(ticket.start)
        let after = min(ticket.end + 1, query.end)..<query.end
        if before.isEmpty && after.isEmpty { return }
        output.append("?")
        // One of the two `&` around the ticket goes with it.
        output.append(bytes, ticket.end < query.end ? before : before.lowerBound..<before.upperBound - 1)
        output.append(bytes, after)
    }

    /// The credential of a request of the gateway's own, as the user sent it.
    static func appendCredential(_ exchange: Exchange, _ bytes: Span<UInt8>, to output: ByteBuffer) {
        if let field = exchange.head.first(.authorization) {
            output.append(bytes, field.line.range)
        } else {
            appendCookieToken(exchange, to: output)
        }
    }

    /// A token that came in a cookie goes on as one in `Authorization` does.
    private static func appendCookieToken(_ exchange: Exchange, to output: ByteBuffer) {
        output.append("Authorization: Bearer ")
        output.append(exchange.cookieToken)
        output.append("\r\n")
    }

    /// The way of a request as `append` writes it.
    static func appendWay(
        _ exchange: Exchange, _ bytes: Span<UInt8>, from client: ClientPeer, to output: ByteBuffer
    ) {
        appendWay(exchange, bytes, from: client, SentByProxy(), to: output)
    }

    private static func appendWay(
        _ exchange: Exchange, _ bytes: Span<UInt8>, from client: ClientPeer, _ sent: SentByProxy,
        to output: ByteBuffer
    ) {
        if sent.hasAddresses || sent.hasScheme {
            appendAddresses(exchange.head, bytes, from: client, to: output)
            if !sent.hasScheme {
                output.append(client.isSecure ? "X-Forwarded-Proto: https\r\n" : "X-Forwarded-Proto: http\r\n")
            }
        } else {
            output.append(client.way)
        }
        if !sent.hasHost, let host = exchange.head.host {
            output.append("X-Forwarded-Host: ")
            output.append(bytes, host.range)
            output.append("\r\n")
        }
    }

    /// Each address that came, and the one that the request came from.
    private static func appendAddresses(
        _ head: RequestHead, _ bytes: Span<UInt8>, from client: ClientPeer, to output: ByteBuffer
    ) {
        output.append("X-Forwarded-For: ")
        for field in head.fields where field.id == .xForwardedFor && !field.isAlias && !field.value.isEmpty {
            output.append(bytes, field.value.range)
            output.append(", ")
        }
        output.append(client.address)
        output.append("\r\n")
    }

    /// A request without a body gets no invented length.
    private static func appendFraming(_ framing: BodyFraming, to output: ByteBuffer) {
        switch framing {
        case .none, .untilClose: output.append("\r\n\r\n")
        case .length(let count):
            output.append("\r\nContent-Length: ")
            output.append(decimal: Int(clamping: count))
            output.append("\r\n\r\n")
        case .chunked: output.append("\r\nTransfer-Encoding: chunked\r\n\r\n")
        }
    }
}
