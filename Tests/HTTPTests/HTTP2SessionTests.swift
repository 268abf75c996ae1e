import Testing
import Transport

@testable import HTTP

/// One end of a connection in memory: everything that happens is written down.
private final class End: HTTP2SessionOwner {
    final class Stream: HTTP2StreamOwner {
        var received: [UInt8] = []
        var head = ""
        var ended: [UInt8]?
        var closedWith: HTTP2Error?
        var pendingOutput: ByteBuffer?
        var outputEnd = HTTP2OutputEnd.open
        var block: () -> String = { "" }
        var hasSentEnd = false

        func answerBegan(isEnd: Bool) { head = block() }
        func received(_ bytes: Span<UInt8>) { for index in bytes.indices { received.append(bytes[index]) } }
        func receivedEnd(trailers: [UInt8]) { ended = trailers }
        func sent(_ count: Int) { pendingOutput?.consume(count) }
        func sentEnd() { hasSentEnd = true }
        func closed(_ error: HTTP2Error) { closedWith = error }
    }

    let session: HTTP2Session
    var streams: [Int32: Stream] = [:]
    var goAway: Int32?

    init(isServer: Bool, settings: HTTP2Settings = HTTP2Settings()) {
        session = HTTP2Session(isServer: isServer, settings: settings, now: 0)
        session.owner = self
    }

    func open(_ id: Int32) -> Stream {
        let stream = Stream()
        stream.block = { [unowned self] in
            text(ofBytes: { session.block.appendResponse(to: $0) })
        }
        streams[id] = stream
        session.attach(stream, to: id)
        return stream
    }

    func requestBegan(_ stream: Int32, isEnd: Bool) {
        open(stream).head = text(ofBytes: { session.block.appendRequest(webSocketKey: [], to: $0) })
    }
    func goAwayReceived(last: Int32) { goAway = last }
    func settingsReceived() {}
}

private func text(ofBytes fill: (ByteBuffer) -> Void) -> String {
    let buffer = ByteBuffer(capacity: 1024)
    fill(buffer)
    let readable = buffer.readable
    return String(decoding: readable.indices.map { readable[$0] }, as: UTF8.self)
}

private func buffer(_ text: String) -> ByteBuffer {
    let buffer = ByteBuffer(capacity: 256)
    buffer.append(text)
    return buffer
}

@Suite struct HTTP2SessionTests {
    private let client = End(isServer: false)
    private let server = End(isServer: true)

    /// Carries bytes to and fro until nobody has any.
    private func pump(now: Int64 = 0) throws {
        let wire = ByteBuffer(capacity: 4096)
        for _ in 0..<64 {
            var isQuiet = true
            for (from, to) in [(client, server), (server, client)] {
                #expect(from.session.send(into: wire, limit: 1 << 20, now: now))
                if wire.isEmpty { continue }
                isQuiet = false
                try to.session.receive(wire.readable, now: now)
                wire.removeAll()
            }
            if isQuiet { return }
        }
    }

    private func ask(_ head: String, isEnd: Bool = true) throws -> (id: Int32, End.Stream) {
        let id = try #require(client.session.submitRequest(text: buffer(head), scheme: "https", isEnd: isEnd))
        return (id, client.open(id))
    }

    @Test("a request and its answer keep their fields, lose those of one hop, and end")
    func roundTrip() throws {
        let (id, asked) = try ask(
            "POST /a?b HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nConnection: close\r\n\r\n", isEnd: false)
        asked.pendingOutput = buffer("body")
        asked.outputEnd = .ended
        try pump()
        let served = try #require(server.streams[id])
        #expect(served.head == "POST /a?b HTTP/1.1\r\nhost: h\r\nx-one: 1\r\n\r\n")
        #expect(String(decoding: served.received, as: UTF8.self) == "body")
        #expect(served.ended == [])
        served.pendingOutput = buffer("answer")
        served.outputEnd = .trailers([UInt8]("grpc-status: 0\r\n".utf8))
        server.session.submitResponse(
            id, text: buffer("HTTP/1.1 200 OK\r\nX-Two: 2\r\nTransfer-Encoding: chunked\r\n\r\n"), isEnd: false)
        try pump()
        #expect(asked.head == "HTTP/1.1 200 \r\nx-two: 2\r\n\r\n")
        #expect(String(decoding: asked.received, as: UTF8.self) == "answer")
        #expect(asked.ended == [UInt8]("grpc-status: 0\r\n".utf8))
        #expect(asked.closedWith == .noError && served.closedWith == .noError && served.hasSentEnd)
    }

    @Test("windows: what is not given back is not sent, and given back it is")
    func windows() throws {
        let (id, asked) = try ask("POST / HTTP/1.1\r\nHost: h\r\n\r\n", isEnd: false)
        asked.pendingOutput = ByteBuffer(capacity: 1 << 20)
        asked.pendingOutput?.append([UInt8](repeating: 7, count: 600_000))
        asked.outputEnd = .ended
        try pump()
        let served = try #require(server.streams[id])
        #expect(served.received.count == HTTP2Settings().window, "no more than the stream's window")
        server.session.consume(id, served.received.count)
        try pump()
        #expect(served.received.count == 2 * HTTP2Settings().window)
        server.session.consume(id, HTTP2Settings().window)
        try pump()
        #expect(served.received.count == 600_000 && served.ended == [])
    }

    @Test("resets beyond the budget end the connection, RFC 9113 §10.5, CVE-2023-44487")
    func rapidReset() throws {
        try pump()
        var failure: HTTP2Session.Failure?
        for _ in 0..<150 where failure == nil {
            let (id, _) = try ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n", isEnd: false)
            do {
                try pump()
                client.session.reset(id, .cancel)
                try pump()
            } catch let error as HTTP2Session.Failure { failure = error }
        }
        #expect(failure == .abuse)
        #expect(server.session.exceededResets)
    }

    @Test("the budget comes back with time")
    func budgetRefills() throws {
        for second in 0..<30 {
            for _ in 0..<8 {
                let (id, _) = try ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n", isEnd: false)
                try pump(now: Int64(second) * 1_000_000_000)
                client.session.reset(id, .cancel)
                try pump(now: Int64(second) * 1_000_000_000)
            }
        }
        #expect(server.session.streamCount == 0)
    }

    @Test(
        "bytes that are no HTTP/2 end the connection",
        arguments: ["GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"])
    func badPreface(text: String) {
        #expect(throws: HTTP2Session.Failure.connection) {
            try server.session.receive(buffer(text).readable, now: 0)
        }
    }
}

@Suite struct FrameScanTests {
    @Test("every frame's head is found, however the bytes are cut", arguments: [1, 2, 5, 9, 10, 1000])
    func finds(piece: Int) {
        let frames: [FrameScan.Head] = [
            .init(type: 4, flags: 0, length: 0), .init(type: 1, flags: 5, length: 300),
            .init(type: 0xee, flags: 255, length: 1),
            .init(type: 9, flags: 0, length: 0), .init(type: 0, flags: 1, length: 0x10203),
        ]
        var bytes = [UInt8](repeating: 0xff, count: 24)
        for frame in frames {
            bytes += [UInt8(frame.length >> 16), UInt8(frame.length >> 8 & 255), UInt8(frame.length & 255)]
            bytes += [frame.type, frame.flags, 0xff, 0xff, 0xff, 0xff] + [UInt8](repeating: 0xff, count: frame.length)
        }
        var scan = FrameScan(preface: 24)
        var found: [FrameScan.Head] = []
        for start in stride(from: 0, to: bytes.count, by: piece) {
            let span = bytes.span.extracting(start..<min(start + piece, bytes.count))
            var place = 0
            while let head = scan.next(span, from: &place) { found.append(head) }
            #expect(place == span.count)
        }
        #expect(found == frames)
    }

    @Test("a header block is under way from its first byte to the last of the frame with END_HEADERS")
    func blocks() {
        var scan = FrameScan(preface: 0)
        func feed(_ bytes: [UInt8]) -> Bool {
            var place = 0
            while scan.next(bytes.span, from: &place) != nil {}
            return scan.isWithinBlock
        }
        #expect(!feed([0, 0, 1, 0, 0, 0, 0, 0, 1, 7]))
        #expect(feed([0, 0, 2, 1, 0, 0, 0, 0, 1, 7]))
        #expect(feed([7]), "CONTINUATION is to follow")
        #expect(feed([0, 0, 2, 9, 4, 0, 0, 0, 1, 7]))
        #expect(!feed([7]))
        #expect(!feed([0, 0, 0, 1, 5, 0, 0, 0, 3]))
    }
}
