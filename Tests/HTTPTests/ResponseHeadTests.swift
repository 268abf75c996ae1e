import HTTP
import Testing

@Suite struct ResponseHeadTests {
    struct Answer: Sendable, CustomTestStringConvertible {
        let name: String
        let method: HTTP.Method
        let input: String
        let expectation: String

        init(_ name: String, _ input: String, _ expectation: String, to method: HTTP.Method = .get) {
            self.name = name
            self.method = method
            self.input = input
            self.expectation = expectation
        }

        var testDescription: String { name }
    }

    private static func outcome(_ bytes: [UInt8], _ method: HTTP.Method, cuts: [Int]) -> String {
        var parser = ResponseHeadParser(limit: 256, fields: 4)
        var head = ResponseHead()
        for cut in cuts {
            switch parser.parse(bytes.span.extracting(first: min(cut, bytes.count)), answering: method, into: &head) {
            case .incomplete: continue
            case .failed(let error): return "failed: \(error)"
            case .complete: return describe(head, bytes)
            }
        }
        return "incomplete"
    }

    private static func describe(_ head: ResponseHead, _ bytes: [UInt8]) -> String {
        var parts = ["1.\(head.minorVersion) \(head.status)"]
        if !head.reason.isEmpty { parts.append("'\(text(bytes, head.reason))'") }
        switch head.framing {
        case .none: parts.append("none")
        case .length(let length): parts.append("length=\(length)")
        case .chunked: parts.append("chunked")
        case .untilClose: parts.append("until close")
        }
        parts.append(head.keepAlive ? "keeps" : "closes")
        if head.isUpgrade { parts.append("upgrade") }
        if head.isInterim { parts.append("interim") }
        if head.isGRPC { parts.append("grpc") }
        if head.isEventStream { parts.append("events") }
        for field in head.fields where field.nominated { parts.append("nominated=\(text(bytes, field.name))") }
        return parts.joined(separator: " ")
    }

    static let accepted: [Answer] = [
        Answer(
            "Content-Length, RFC 9112 §6.3", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "1.1 200 'OK' length=5 keeps"),
        Answer("chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1.1 200 'OK' chunked keeps"),
        Answer(
            "no framing reads until close, RFC 9112 §6.3 rule 8", "HTTP/1.1 200 OK\r\n\r\n",
            "1.1 200 'OK' until close closes"),
        Answer("no reason, RFC 9112 §4", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "1.1 200 length=0 keeps"),
        Answer("no reason and no space", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "1.1 200 length=0 keeps"),
        Answer(
            "a reason with blanks and obs-text", "HTTP/1.1 404 Not\tFound é\r\nContent-Length: 0\r\n\r\n",
            "1.1 404 'Not\tFound é' length=0 keeps"),
        Answer(
            "HEAD has no body, RFC 9110 §9.3.2", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            "1.1 200 'OK' none keeps", to: .head),
        Answer(
            "HEAD, chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1.1 200 'OK' none keeps",
            to: .head),
        Answer(
            "HEAD without framing keeps the connection", "HTTP/1.1 200 OK\r\n\r\n", "1.1 200 'OK' none keeps", to: .head
        ),
        Answer(
            "204 has no body, RFC 9112 §6.3 rule 1", "HTTP/1.1 204 No Content\r\n\r\n",
            "1.1 204 'No Content' none keeps"),
        Answer(
            "204 that announces one is not used again", "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n",
            "1.1 204 'No' none closes"),
        Answer(
            "304 has no body, whatever it announces", "HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n",
            "1.1 304 'Not' none keeps"),
        Answer("100", "HTTP/1.1 100 Continue\r\n\r\n", "1.1 100 'Continue' none keeps interim"),
        Answer(
            "103, reports 21", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: Link\r\n\r\n",
            "1.1 103 'Early Hints' none keeps interim nominated=Link"),
        Answer(
            "101", "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            "1.1 101 'S' none closes upgrade interim"),
        Answer(
            "close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "1.1 200 'OK' length=0 closes"
        ),
        Answer("HTTP/1.0 closes", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "1.0 200 'OK' length=0 closes"),
        Answer(
            "HTTP/1.0 keep-alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
            "1.0 200 'OK' length=0 keeps"),
        Answer(
            "HTTP/1.0 keep-alive without a length ends with the connection",
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", "1.0 200 'OK' until close closes"),
        Answer(
            "an event stream",
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n",
            "1.1 200 'OK' chunked keeps events"),
        Answer(
            "gRPC", "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n",
            "1.1 200 'OK' length=0 keeps grpc"),
    ]

    static let refused: [Answer] = [
        Answer(
            "two CLs, RFC 9112 §6.3", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            "more than one Content-Length"),
        Answer(
            "CL and TE, RFC 9112 §6.3", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "Content-Length and Transfer-Encoding together"),
        Answer(
            "CL and TE to HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
            "Content-Length and Transfer-Encoding together", to: .head),
        Answer("CL with a sign", "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", "invalid Content-Length"),
        Answer(
            "TE gzip, chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "Transfer-Encoding other than chunked"),
        Answer(
            "two TEs", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "more than one Transfer-Encoding"),
        Answer(
            "TE in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding in HTTP/1.0"),
        Answer(
            "bare LF in the status line", "HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\n",
            "control byte in the status line"),
        Answer("bare LF after a field", "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 5\r\n\r\n", "bare line feed"),
        Answer("bare CR: header injection", "HTTP/1.1 200 OK\r\nA: b\rSet-Cookie: c\r\n\r\n", "bare carriage return"),
        Answer("bare CR in the status line", "HTTP/1.1 200 O\rK\r\n\r\n", "bare carriage return"),
        Answer("NUL in a value", "HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n", "control byte in a field value"),
        Answer("obs-fold, RFC 9112 §5.2", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "folded or indented field line"),
        Answer(
            "space before the colon, RFC 9112 §5.1", "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n",
            "blank in a field name"),
        Answer("invalid name", "HTTP/1.1 200 OK\r\nA(: b\r\n\r\n", "invalid byte in a field name"),
        Answer("status 000", "HTTP/1.1 000 OK\r\n\r\n", "status outside 100 to 599"),
        Answer("status 099", "HTTP/1.1 099 OK\r\n\r\n", "status outside 100 to 599"),
        Answer("status 600", "HTTP/1.1 600 OK\r\n\r\n", "status outside 100 to 599"),
        Answer("status of two digits", "HTTP/1.1 20 OK\r\n\r\n", "status is not three digits"),
        Answer("status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", "status is not three digits"),
        Answer("status with a sign", "HTTP/1.1 +20 OK\r\n\r\n", "status is not three digits"),
        Answer("two spaces", "HTTP/1.1  200 OK\r\n\r\n", "status is not three digits"),
        Answer("HTTP/2", "HTTP/2 200 OK\r\n\r\n", "no HTTP/1 status line"),
        Answer("HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n", "version other than 1.0 and 1.1"),
        Answer("HTTP/0.9", "<html>hello</html>", "no HTTP/1 status line"),
        Answer("CRLF before the status line", "\r\nHTTP/1.1 200 OK\r\n\r\n", "no HTTP/1 status line"),
        Answer("101 with a body", "HTTP/1.1 101 S\r\nContent-Length: 5\r\n\r\n", "body announced by a 101"),
        Answer(
            "1xx with a body, RFC 9112 §6.3 rule 1", "HTTP/1.1 103 E\r\nContent-Length: 5\r\n\r\n",
            "body announced by a 1xx"),
        Answer(
            "1xx with chunks, RFC 9112 §6.1", "HTTP/1.1 100 C\r\nTransfer-Encoding: chunked\r\n\r\n",
            "body announced by a 1xx"),
    ]

    private func outcome(_ row: Answer) -> String {
        let bytes = [UInt8](row.input.utf8)
        let whole = Self.outcome(bytes, row.method, cuts: [bytes.count])
        #expect(Self.outcome(bytes, row.method, cuts: Array(1...bytes.count)) == whole, "fed byte by byte")
        for cut in 1..<bytes.count {
            #expect(Self.outcome(bytes, row.method, cuts: [cut, bytes.count]) == whole, "cut at \(cut)")
        }
        return whole
    }

    @Test(arguments: accepted) func accepts(_ row: Answer) {
        #expect(outcome(row) == row.expectation)
    }

    @Test(arguments: refused) func refuses(_ row: Answer) {
        #expect(outcome(row) == "failed: malformed(\"\(row.expectation)\")")
    }

    static let bounds: [Answer] = [
        Answer(
            "a head above the limit", "HTTP/1.1 200 OK\r\nA: \(String(repeating: "a", count: 300))\r\n\r\n",
            "failed: headTooLarge(limit: 256)"),
        Answer(
            "a reason without an end", "HTTP/1.1 200 \(String(repeating: "a", count: 300))",
            "failed: headTooLarge(limit: 256)"),
        Answer(
            "a field too many", "HTTP/1.1 200 OK\r\n\(String(repeating: "A: b\r\n", count: 5))\r\n",
            "failed: tooManyFields(limit: 4)"),
        Answer(
            "as many fields as the limit", "HTTP/1.1 200 OK\r\n\(String(repeating: "A: b\r\n", count: 4))\r\n",
            "1.1 200 'OK' until close closes"),
    ]

    @Test(arguments: bounds) func holdsBounds(_ row: Answer) {
        #expect(outcome(row) == row.expectation)
    }
}
