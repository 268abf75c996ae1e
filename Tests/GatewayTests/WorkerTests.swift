import Configuration
import Synchronization
import Testing
import Transport

@testable import Gateway

@Suite("Worker: requests through a whole shard over loopback", .serialized, .timeLimit(.minutes(2)))
struct WorkerTests {
    private static func get(_ path: String, _ more: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: a.example\r\n\(more)\r\n"
    }

    private static func echo() throws -> TinyUpstream {
        try TinyUpstream { request in String(request.split(separator: " ")[1]) }
    }

    @Test("a request goes to the upstream with the way it took, and its answer comes back")
    func forwards() throws {
        let upstream = try Self.echo()
        let gateway = try LoopbackGateway([upstream.address])
        let client = try gateway.connect()
        client.send(Self.get("/open/%61/../b?c=d", "X-User-Id: 1\r\nX-Forwarded-For: 9.9.9.9\r\nX-Other: kept\r\n"))
        let answer = try #require(client.readMessage())
        #expect(answer.status == 200 && answer.body == "/open/b?c=d")
        let request = try #require(upstream.requests.first)
        #expect(request.hasPrefix("GET /open/b?c=d HTTP/1.1\r\nHost: a.example\r\nX-Other: kept\r\n"))
        #expect(request.values("X-Forwarded-For") == ["127.0.0.1"] && request.values("X-User-Id") == [])
        #expect(
            request.values("X-Request-Id") == answer.values("X-Request-Id") && answer.values("X-Request-Id").count == 1)
    }

    static let refusals: [Row<String, (Int, String)>] = [
        Row("no credential", get("/closed/x"), (401, "credentials_missing")),
        Row("a bad credential", get("/closed/x", "Authorization: Bearer x\r\n"), (401, "token_invalid")),
        Row("no route", get("/nowhere"), (404, "not_found")),
        Row(
            "another method", "POST /closed/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            (405, "method_not_allowed")),
        Row("a path that hides a slash", get("/open/%2f"), (400, "bad_request")),
    ]

    @Test("a refused request never reaches the upstream, and the connection goes on", arguments: refusals)
    func refuses(_ row: Row<String, (Int, String)>) throws {
        let upstream = try Self.echo()
        let gateway = try LoopbackGateway([upstream.address])
        let client = try gateway.connect()
        client.send(row.input)
        let answer = try #require(client.readMessage())
        #expect(answer.status == row.expectation.0 && answer.contains("\"error\":\"\(row.expectation.1)\""))
        #expect(upstream.connections == 0)
        client.send(Self.get("/open/after"))
        #expect(client.readMessage()?.body == "/open/after")
    }

    @Test(
        "what cannot be framed is refused once, and what follows is not parsed",
        arguments: ["GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "\0\0\r\n\r\n", "GET /  HTTP/1.1\r\n\r\n"])
    func closes(request: String) throws {
        let upstream = try Self.echo()
        let gateway = try LoopbackGateway([upstream.address])
        let client = try gateway.connect()
        client.send(request + Self.get("/open/smuggled"))
        let answer = try #require(client.readMessage())
        #expect(answer.status == 400 && answer.values("Connection") == ["close"])
        #expect(client.isEnded && upstream.requests.isEmpty)
    }

    @Test("both sides keep their connections")
    func keepsAlive() throws {
        let upstream = try Self.echo()
        let gateway = try LoopbackGateway([upstream.address])
        let client = try gateway.connect()
        for number in 0..<50 {
            client.send(Self.get("/open/\(number)"))
            #expect(client.readMessage()?.body == "/open/\(number)")
        }
        #expect(upstream.connections == 1)
        #expect(gateway.ask { $0.connectionCount } == 1)
        client.send(Self.get("/open/last", "Connection: close\r\n"))
        #expect(client.readMessage()?.values("Connection") == ["close"])
        #expect(client.isEnded)
    }

    @Test(
        "pipelined requests, answered here or there, are answered in order, however they are cut",
        arguments: [1, 7, 1000])
    func pipelines(piece: Int) throws {
        let upstream = try Self.echo()
        let gateway = try LoopbackGateway([upstream.address])
        let client = try gateway.connect()
        var requests = ""
        for number in 0..<20 {
            requests += Self.get("/open/\(number)") + Self.get("/healthz") + Self.get("/closed/")
            requests +=
                "POST /open/p HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n"
                + String(repeating: "GET / HTTP", count: 3)
        }
        let bytes = Array(requests.utf8)
        for start in stride(from: 0, to: bytes.count, by: piece) {
            client.send(String(decoding: bytes[start..<min(start + piece, bytes.count)], as: UTF8.self))
        }
        for number in 0..<20 {
            #expect(client.readMessage()?.body == "/open/\(number)")
            #expect(client.readMessage()?.body == #"{"status":"ok"}"#)
            #expect(client.readMessage()?.status == 401)
            #expect(client.readMessage()?.body == "/open/p")
        }
        #expect(upstream.requests.count == 40 && upstream.connections == 1)
    }

    @Test("a chunked upload arrives whole")
    func uploads() throws {
        let upstream = try TinyUpstream { wire, upstream in
            guard let head = wire.readMessage() else { return }
            var body = ""
            while !body.hasSuffix("0\r\n\r\n") { body += wire.read(1) }
            upstream.note(head + body)
            wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        }
        let gateway = try LoopbackGateway([upstream.address])
        let client = try gateway.connect()
        client.send("POST /open/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nwiki\r\n")
        client.send("5\r\npedia\r\n0\r\nX-User-Id: 1\r\n\r\n")
        #expect(client.readMessage()?.status == 200)
        #expect(client.read(13) == "3\r\nabc\r\n0\r\n\r\n")
        let request = try #require(upstream.requests.first)
        // What came before there was a connection is one chunk.
        let pieces = ["4\r\nwiki\r\n5\r\npedia\r\n", "9\r\nwikipedia\r\n"].map { $0 + "0\r\n\r\n" }
        #expect(pieces.contains(request.body), "no extension and no trailer")
    }

    @Test("an answer that announced the end of the connection ends it, also when the upload was whole meanwhile")
    func announcedClose() throws {
        let upstream = try TinyUpstream { wire, _ in
            _ = wire.readMessage(hasBody: false)
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
            _ = wire.read(5)
            wire.send("cd")
            _ = wire.isEnded
        }
        let gateway = try LoopbackGateway([upstream.address])
        let client = try gateway.connect()
        client.send("POST /open/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
        let head = try #require(client.readMessage(hasBody: false))
        #expect(head.values("Connection") == ["close"])
        client.send("hello")
        #expect(client.read(4) == "abcd")
        #expect(client.isEnded, "RFC 9112 §9.6")
    }

    @Test("an upstream that ends within its answer is seen as cut, before the head as 502")
    func cut() throws {
        let upstream = try TinyUpstream { wire, upstream in
            let request = wire.readMessage() ?? ""
            if request.contains("/half") { wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf") }
        }
        let gateway = try LoopbackGateway([upstream.address])
        let client = try gateway.connect()
        client.send(Self.get("/open/half"))
        #expect(client.readMessage()?.body == "half" && client.isEnded)
        let other = try gateway.connect()
        other.send(Self.get("/open/none"))
        let answer = try #require(other.readMessage())
        #expect(answer.status == 502 && answer.body.contains("upstream_error"))
    }

    @Test("a server that is gone is passed by, and when none is left the answer says so")
    func unavailable() throws {
        let gone = try Sockets.listen(at: .ipv4([127, 0, 0, 1], port: 0))
        let dead = try #require(Sockets.localAddress(of: gone))
        Sockets.close(gone)
        let upstream = try Self.echo()
        let gateway = try LoopbackGateway([dead, upstream.address]) { $0.upstreams[0].balance = .roundRobin }
        let client = try gateway.connect()
        for number in 0..<20 {
            client.send(Self.get("/open/\(number)"))
            #expect(client.readMessage()?.body == "/open/\(number)")
        }
        let alone = try LoopbackGateway([dead])
        let other = try alone.connect()
        other.send(Self.get("/open/"))
        let answer = try #require(other.readMessage())
        #expect(answer.status == 503 && answer.body.contains("upstream_unavailable"))
    }
}
