import HTTP
import Observability
import Policy
import Transport

/// Heads, paths, HPACK and the access log.
enum HTTPBenchmarks {
    static let all = [requestHead, responseHead, plainPath, dottedPath, http2, accessLog]

    private static let request = [UInt8]([
        "GET /api/agents/123e4567-e89b-12d3-a456-426614174000/documents/?page=2&size=50 HTTP/1.1",
        "Host: api.example.com", "Authorization: Bearer \(sampleToken)", "Accept: application/json, text/plain, */*",
        "Accept-Encoding: gzip, deflate, br", "Accept-Language: en-US,en;q=0.9,de;q=0.8",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
        "Referer: https://app.example.com/agents/", "Origin: https://app.example.com", "Cookie: theme=dark; locale=en",
        "X-Requested-With: XMLHttpRequest", "Connection: keep-alive",
    ])

    private static let response = [UInt8]([
        "HTTP/1.1 200 OK", "Server: uvicorn", "Date: Mon, 15 Jan 2024 10:30:00 GMT", "Content-Type: application/json",
        "Content-Length: 0", "Cache-Control: private, max-age=0", "Vary: Accept-Encoding",
        "ETag: \"33a64df551425fcc\"",
    ])

    private static let requestHead = Benchmark(name: "request-head", bytes: request.count) {
        { times in
            var parser = RequestHeadParser(limits: HeadLimits())
            var head = RequestHead()
            var sum: UInt64 = 0
            for _ in 0..<times {
                guard parser.parse(request.span, into: &head) == .complete else { preconditionFailure("no head") }
                sum &+= UInt64(head.fields.count &+ head.length)
                head.reset()
                parser.reset()
            }
            return sum
        }
    }

    private static let responseHead = Benchmark(name: "response-head", bytes: response.count) {
        { times in
            var parser = ResponseHeadParser()
            var head = ResponseHead()
            var sum: UInt64 = 0
            for _ in 0..<times {
                guard parser.parse(response.span, answering: .get, into: &head) == .complete else {
                    preconditionFailure("no head")
                }
                sum &+= UInt64(head.fields.count &+ head.length)
                head.reset()
            }
            return sum
        }
    }

    private static func path(_ name: String, _ text: String) -> Benchmark {
        let bytes = Array(text.utf8)
        return Benchmark(name: name, bytes: bytes.count, times: 1_000_000) {
            { times in
                var out: [UInt8] = []
                var sum: UInt64 = 0
                for _ in 0..<times {
                    guard PathNormalizer.normalize(bytes.span, into: &out) == nil else {
                        preconditionFailure("no path")
                    }
                    sum &+= UInt64(out.count)
                }
                return sum
            }
        }
    }

    private static let plainPath = path("path-plain", "/api/agents/123e4567-e89b-12d3-a456-426614174000/documents/")
    private static let dottedPath = path("path-dotted", "/api/./agents//%61bc/../123e4567%2De89b/documents/caf%C3%A9/")

    private static let http2 = Benchmark(name: "http2-round-trip", times: 50_000) {
        let pair = HTTP2Pair(request: request, response: response)
        return { times in
            for _ in 0..<times { pair.exchange() }
            return UInt64(pair.answers)
        }
    }

    private static let accessLog = Benchmark(name: "access-log", times: 500_000) {
        { times in
            var log = AccessLogRenderer()
            let id = Array("0f3c9a77e24b41d5a3d0c2f1e5b6a798".utf8)
            let address = Array("203.0.113.7".utf8)
            let method = Array("GET".utf8)
            let target = Array("/api/agents/123e4567-e89b-12d3-a456-426614174000/documents/?page=2".utf8)
            let route = Array("/api/agents/{agent_id}/".utf8)
            var sum: UInt64 = 0
            for index in 0..<times {
                log.begin(wallClockNanoseconds: 1_700_000_000_000_000_000 + Int64(index) * 1_000)
                log.add(.requestID, id.span)
                log.add(.address, address.span)
                log.add(.method, method.span)
                log.addPath(target.span)
                log.add(.protocol, "HTTP/1.1")
                log.add(.status, 200)
                log.add(.route, route.span)
                log.add(.userID, "123e4567-e89b-12d3-a456-426614174000")
                log.add(.duration, nanoseconds: 1_234_567)
                log.add(.bytesIn, 0)
                log.add(.bytesOut, 1_024)
                log.end()
                if log.isFull { sum &+= UInt64(log.takeChunk().count) }
            }
            return sum &+ UInt64(log.pendingCount)
        }
    }
}

/// A client and a server that talk in memory.
private final class HTTP2Pair {
    private final class End: HTTP2SessionOwner, HTTP2StreamOwner {
        let session: HTTP2Session
        let answer: ByteBuffer
        let text = ByteBuffer(capacity: 4096)
        var answers = 0

        init(isServer: Bool, answer: [UInt8]) {
            session = HTTP2Session(isServer: isServer, settings: HTTP2Settings(), now: 0)
            self.answer = ByteBuffer(capacity: 1024)
            self.answer.append(answer)
            session.owner = self
        }

        func requestBegan(_ stream: Int32, isEnd: Bool) {
            session.attach(self, to: stream)
            session.block.appendRequest(webSocketKey: [], to: text)
            text.removeAll()
            session.submitResponse(stream, text: answer, isEnd: true)
        }

        func answerBegan(isEnd: Bool) {
            session.block.appendResponse(to: text)
            text.removeAll()
            answers += 1
        }

        func goAwayReceived(last: Int32) {}
        func settingsReceived() {}
        func received(_ bytes: Span<UInt8>) {}
        func receivedEnd(trailers: [UInt8]) {}
        var pendingOutput: ByteBuffer? { nil }
        var outputEnd: HTTP2OutputEnd { .ended }
        func sent(_ count: Int) {}
        func sentEnd() {}
        func closed(_ error: HTTP2Error) {}
    }

    private let client: End
    private let server: End
    private let request = ByteBuffer(capacity: 1024)
    private let wire = ByteBuffer(capacity: 4096)

    init(request: [UInt8], response: [UInt8]) {
        client = End(isServer: false, answer: [])
        server = End(isServer: true, answer: response)
        self.request.append(request)
        for _ in 0..<2 { carry() }
    }

    var answers: Int { client.answers }

    func exchange() {
        guard let stream = client.session.submitRequest(text: request, scheme: "https", isEnd: true) else {
            preconditionFailure("no stream")
        }
        client.session.attach(client, to: stream)
        let before = answers
        carry()
        precondition(answers == before + 1, "no answer")
    }

    private func carry() {
        deliver(client.session, to: server.session, over: wire)
        deliver(server.session, to: client.session, over: wire)
    }

    private func deliver(_ from: HTTP2Session, to other: HTTP2Session, over wire: ByteBuffer) {
        guard from.send(into: wire, limit: 1 << 20, now: 0) else { preconditionFailure("cannot send") }
        guard receive(wire.readable, other) else { preconditionFailure("cannot receive") }
        wire.removeAll()
    }

    private func receive(_ bytes: Span<UInt8>, _ session: HTTP2Session) -> Bool {
        do throws(HTTP2Session.Failure) { try session.receive(bytes, now: 0) } catch { return false }
        return true
    }
}
