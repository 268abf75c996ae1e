import Configuration
import Glibc
import Synchronization
import Testing
import Transport

@testable import Gateway

@Suite("Worker: what slow and absent peers cost", .serialized, .timeLimit(.minutes(3)))
struct WorkerBoundsTests {
    private static func get(_ path: String) -> String { "GET \(path) HTTP/1.1\r\nHost: a.example\r\n\r\n" }

    @Test("a client that asks and does not read is not read any more, and is answered in full when it reads")
    func asksWithoutReading() throws {
        let gateway = try LoopbackGateway([])
        let client = try gateway.connect()
        let requests = String(repeating: Self.get("/healthz"), count: 500)
        let taken = client.stuff(requests, most: 64 << 20)
        #expect(taken < 48 << 20, "kernel buffers, 64 KiB of answers and 64 KiB of requests")
        let whole = taken / Self.get("/healthz").utf8.count
        for number in 0..<whole {
            guard client.readMessage()?.status == 200 else {
                Issue.record("answer \(number) of \(whole) is missing")
                return
            }
        }
    }

    @Test("a long answer to a client that does not read stops the upstream, and arrives whole")
    func backpressure() throws {
        let size = 48 << 20
        let sent = Mutex(0)
        let upstream = try TinyUpstream { wire, _ in
            _ = wire.readMessage()
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
            let piece = String(repeating: "0123456789abcdef", count: 4096)
            while sent.withLock({ $0 }) < size, wire.send(piece) { sent.withLock { $0 += piece.utf8.count } }
        }
        let gateway = try LoopbackGateway([upstream.address])
        let client = try gateway.connect()
        client.send(Self.get("/open/"))
        usleep(700_000)
        #expect(sent.withLock { $0 } < 32 << 20)
        #expect(client.readMessage(hasBody: false)?.status == 200)
        var left = size
        while left > 0 {
            let got = client.read(min(left, 1 << 16))
            guard got.utf8.count == min(left, 1 << 16), got.hasPrefix("0123456789abcdef") else {
                Issue.record("\(left) bytes are missing or wrong")
                return
            }
            left -= got.utf8.count
        }
    }

    @Test("when the client leaves, the upstream's connection ends")
    func clientLeaves() throws {
        let ended = Mutex(false)
        let upstream = try TinyUpstream { wire, upstream in
            upstream.note(wire.readMessage() ?? "")
            ended.withLock { $0 = wire.isEnded }
        }
        let gateway = try LoopbackGateway([upstream.address])
        do {
            let client = try gateway.connect()
            client.send(Self.get("/open/"))
            for _ in 0..<500 where upstream.requests.isEmpty { usleep(5000) }
        }
        for _ in 0..<200 where !ended.withLock({ $0 }) { usleep(5000) }
        #expect(ended.withLock { $0 })
        #expect(gateway.ask { $0.connectionCount } == 0 && gateway.ask { $0.pools[0].activeCount } == 0)
    }

    @Test("a head that does not come whole is 408 in time, an idle connection just ends")
    func slowHead() throws {
        let gateway = try LoopbackGateway([]) { $0.limits.headTimeout = .milliseconds(150) }
        let slow = try gateway.connect()
        slow.send("GET /open/ HTTP/1.1\r\nHo")
        let answer = try #require(slow.readMessage())
        #expect(answer.status == 408 && answer.body.contains("request_timeout"))
        #expect(slow.isEnded)
        let patient = try LoopbackGateway([]) { $0.limits.keepaliveTimeout = .milliseconds(150) }
        let idle = try patient.connect()
        idle.send(Self.get("/healthz"))
        #expect(idle.readMessage()?.status == 200)
        #expect(idle.isEnded)
    }

    @Test("an upstream that does not answer is 504 in time")
    func slowUpstream() throws {
        let upstream = try TinyUpstream { wire, _ in while wire.readMessage() != nil {} }
        let gateway = try LoopbackGateway([upstream.address]) { $0.upstreams[0].responseTimeout = .milliseconds(100) }
        let client = try gateway.connect()
        client.send(Self.get("/open/"))
        #expect(client.readMessage()?.status == 504)
        #expect(gateway.ask { $0.pools[0].activeCount } == 0)
    }

    @Test("a drain ends idle connections at once and the others with their request")
    func drains() throws {
        let release = Mutex(false)
        let upstream = try TinyUpstream { request in
            while !release.withLock({ $0 }) { usleep(2000) }
            return "done"
        }
        let gateway = try LoopbackGateway([upstream.address])
        let (idle, busy) = (try gateway.connect(), try gateway.connect())
        idle.send(Self.get("/healthz"))
        #expect(idle.readMessage()?.status == 200)
        busy.send(Self.get("/open/"))
        for _ in 0..<500 where upstream.requests.isEmpty { usleep(5000) }
        let drained = Mutex(false)
        gateway.ask {
            $0.onDrained = { drained.withLock { $0 = true } }
            $0.drain()
        }
        #expect(idle.isEnded && !drained.withLock { $0 })
        release.withLock { $0 = true }
        #expect(busy.readMessage()?.body == "done")
        #expect(busy.isEnded)
        for _ in 0..<500 where !drained.withLock({ $0 }) { usleep(2000) }
        #expect(drained.withLock { $0 } && gateway.ask { $0.connectionCount } == 0)
    }
}
