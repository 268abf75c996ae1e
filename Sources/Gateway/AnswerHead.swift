import Configuration
import HTTP
import Policy
import Transport

/// Writes the head of an upstream's answer for an HTTP/1.1 client: kept lines as they came, framing and connection anew.
enum AnswerHead {
    /// Appends the final head and decides how the body is framed. `closes` announces that the connection ends.
    static func append(
        _ exchange: Exchange, bytes: Span<UInt8>, closes: Bool, isMultiplexed: Bool, to output: ByteBuffer
    ) {
        let answer = exchange.answer
        appendStatusLine(answer, bytes, to: output)
        // RFC 9111 §7.3: a cache would give one user's tokens to the next.
        let setsCookies = !exchange.answerLines.isEmpty
        appendKept(
            answer, bytes, withoutCaching: setsCookies, ownsOrigins: exchange.route?.cors != nil, to: output)
        var closes = closes
        switch answer.framing {
        case .none:
            exchange.answerFraming = .none
        case .length: exchange.answerFraming = .identity
        case .chunked, .untilClose:
            if isMultiplexed {
                exchange.answerFraming = .identity
            } else if exchange.head.minorVersion == 0 {
                exchange.answerFraming = .untilClose
                closes = true
            } else {
                exchange.answerFraming = .chunked
                output.append("Transfer-Encoding: chunked\r\n")
            }
        }
        if setsCookies {
            output.append(exchange.answerLines)
            output.append("Cache-Control: no-store\r\n")
        }
        if !exchange.policyLines.isEmpty { output.append(exchange.policyLines) }
        output.append("X-Request-Id: ")
        output.append(exchange.requestID)
        if closes {
            output.append("\r\nConnection: close\r\n\r\n")
        } else {
            // A client of HTTP/1.0 has to be told that the connection stays.
            output.append(exchange.head.minorVersion == 0 ? "\r\nConnection: keep-alive\r\n\r\n" : "\r\n\r\n")
        }
    }

    /// Appends the head of an event stream of the gateway's own.
    static func appendEvents(
        isMultiplexed: Bool, minorVersion: UInt8, requestID: [UInt8], date: [UInt8], extra: [UInt8],
        to output: ByteBuffer
    ) -> AnswerFraming {
        output.append("HTTP/1.1 200 OK\r\nDate: ")
        output.append(date)
        output.append("\r\nContent-Type: text/event-stream\r\nCache-Control: no-store, no-transform\r\n")
        output.append(extra)
        output.append("X-Request-Id: ")
        output.append(requestID)
        if isMultiplexed {
            output.append("\r\n\r\n")
            return .identity
        }
        if minorVersion == 0 {
            output.append("\r\nConnection: close\r\n\r\n")
            return .untilClose
        }
        output.append("\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        return .chunked
    }

    /// Appends the head by which a tunnel begins: 101, or what stands for it in HTTP/2 (RFC 8441 §5).
    static func appendUpgrade(_ exchange: Exchange, bytes: Span<UInt8>, isMultiplexed: Bool, to output: ByteBuffer) {
        output.append(isMultiplexed ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 101 Switching Protocols\r\n")
        var run = LineRun()
        for field in exchange.answer.fields where HeaderPolicy.disposition(ofResponse: field) == .copy {
            if field.id == .contentLength || isMultiplexed && field.id == .secWebSocketAccept { continue }
            run.add(field.line.range, bytes, to: output)
        }
        run.flush(bytes, to: output)
        if !isMultiplexed { output.append("Upgrade: websocket\r\nConnection: Upgrade\r\n") }
        output.append(exchange.furtherLines)
        output.append("X-Request-Id: ")
        output.append(exchange.requestID)
        output.append("\r\n\r\n")
    }

    /// Appends an interim head (1xx) without what is meant for one hop.
    static func appendInterim(_ exchange: Exchange, bytes: Span<UInt8>, to output: ByteBuffer) {
        appendStatusLine(exchange.answer, bytes, to: output)
        appendKept(exchange.answer, bytes, withoutCaching: false, ownsOrigins: false, to: output)
        output.append("\r\n")
    }

    private static func appendStatusLine(_ answer: ResponseHead, _ bytes: Span<UInt8>, to output: ByteBuffer) {
        output.append("HTTP/1.1 ")
        output.append(decimal: answer.status)
        output.append(" ")
        output.append(bytes, answer.reason.range)
        output.append("\r\n")
    }

    /// Neighbouring kept lines leave in one copy. `ownsOrigins`: what origins may read the answer is said by the gateway.
    private static func appendKept(
        _ answer: ResponseHead, _ bytes: Span<UInt8>, withoutCaching: Bool, ownsOrigins: Bool, to output: ByteBuffer
    ) {
        var run = LineRun()
        for index in answer.fields.indices where HeaderPolicy.disposition(ofResponse: answer.fields[index]) == .copy {
            if withoutCaching, answer.fields[index].id == .cacheControl { continue }
            if ownsOrigins, TextMatch.hasPrefixIgnoringCase(bytes, answer.fields[index].name.range, "access-control-") {
                continue
            }
            run.add(answer.fields[index].line.range, bytes, to: output)
        }
        run.flush(bytes, to: output)
    }
}

/// Collects lines that lie side by side, so that they are copied at once.
struct LineRun {
    private var start = 0
    private var end = 0

    @inline(__always)
    mutating func add(_ line: Range<Int>, _ bytes: Span<UInt8>, to output: ByteBuffer) {
        if line.lowerBound == end {
            end = line.upperBound
        } else {
            flush(bytes, to: output)
            start = line.lowerBound
            end = line.upperBound
        }
    }

    @inline(__always)
    mutating func flush(_ bytes: Span<UInt8>, to output: ByteBuffer) {
        if end > start { output.append(bytes, start..<end) }
        start = end
    }
}
