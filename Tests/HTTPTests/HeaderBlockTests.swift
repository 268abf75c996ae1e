import HTTP
import Testing
import Transport

@Suite struct HeaderBlockTests {
    typealias Fields = [(String, String)]

    static func block(_ fields: Fields, limit: Int = 1024) -> HeaderBlock {
        var block = HeaderBlock(limit: limit)
        block.begin()
        for (name, value) in fields {
            let (name, value) = ([UInt8](name.utf8), [UInt8](value.utf8))
            block.add(name.span, value.span)
        }
        return block
    }

    static func text(_ block: HeaderBlock) -> String {
        let buffer = ByteBuffer(capacity: 256)
        block.appendRequest(webSocketKey: [UInt8]("KEY".utf8), to: buffer)
        var bytes: [UInt8] = []
        let readable = buffer.readable
        for index in readable.indices { bytes.append(readable[index]) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let get: Fields = [
        (":method", "GET"), (":scheme", "https"), (":authority", "a.example"), (":path", "/x?y=1"),
    ]

    static let heads: [(rule: String, fields: Fields, text: String)] = [
        (
            "pseudo-header fields become the request line and Host", get,
            "GET /x?y=1 HTTP/1.1\r\nhost: a.example\r\n\r\n"
        ),
        (
            "their order does not matter, RFC 9113 §8.3",
            [(":path", "/"), (":authority", "a"), (":scheme", "https"), (":method", "PUT")],
            "PUT / HTTP/1.1\r\nhost: a\r\n\r\n"
        ),
        (
            "several cookie fields are one, RFC 9113 §8.2.3", get + [("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")],
            "GET /x?y=1 HTTP/1.1\r\nhost: a.example\r\nx: y\r\ncookie: a=1; b=2\r\n\r\n"
        ),
        (
            "the same host as :authority is written once", get + [("host", "A.example")],
            "GET /x?y=1 HTTP/1.1\r\nhost: a.example\r\n\r\n"
        ),
        (
            "another host stays, so that the parser refuses two", get + [("host", "b.example")],
            "GET /x?y=1 HTTP/1.1\r\nhost: a.example\r\nhost: b.example\r\n\r\n"
        ),
        (
            "extended CONNECT is an upgrade, RFC 8441 §5",
            [
                (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/c"),
                (":authority", "a"), ("sec-websocket-version", "13"),
            ],
            "GET /c HTTP/1.1\r\nhost: a\r\nsec-websocket-version: 13\r\n"
                + "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: KEY\r\n\r\n"
        ),
    ]

    @Test("blocks become heads", arguments: heads)
    func becomesText(rule: String, fields: Fields, text: String) {
        let block = Self.block(fields)
        #expect(block.fault == nil, "\(rule)")
        #expect(Self.text(block) == text, "\(rule)")
    }

    static let faults: [(rule: String, fields: Fields, fault: HeaderBlock.Fault)] = [
        ("a line feed in a value would be a line of its own", get + [("x", "a\nX-User-Id: 1")], .malformed),
        ("a carriage return too", get + [("x", "a\rb")], .malformed),
        ("NUL, RFC 9113 §8.2.1", get + [("x", "a\0b")], .malformed),
        ("a colon in a name would be another name", get + [("x:y", "z")], .malformed),
        ("a blank in a name", get + [("x y", "z")], .malformed),
        ("upper case in a name, RFC 9113 §8.2.1", get + [("X-Y", "z")], .malformed),
        ("a blank at a value's end, RFC 9113 §8.2.1", get + [("x", "y ")], .malformed),
        ("a blank in the path would end the target", [(":method", "GET"), (":path", "/a HTTP/1.1")], .malformed),
        ("a line feed in the method", [(":method", "GET\n"), (":path", "/")], .malformed),
        ("a line feed in the authority", [(":authority", "a\r\nx: y")], .malformed),
        ("an unknown pseudo-header field, RFC 9113 §8.3", get + [(":other", "x")], .malformed),
        ("a list beyond the limit", get + [("x", String(repeating: "a", count: 6000))], .tooLarge),
        (
            "a list far beyond it (HPACK bomb)",
            get + [(String, String)](repeating: ("x", String(repeating: "a", count: 4000)), count: 300), .flood
        ),
    ]

    @Test("faulty blocks", arguments: faults)
    func fault(rule: String, fields: Fields, fault: HeaderBlock.Fault) {
        #expect(Self.block(fields).fault == fault, "\(rule)")
    }

    @Test("a block begins with nothing of the one before")
    func beginsAnew() {
        var block = Self.block(Self.get + [("cookie", "a=1"), ("x", "a\nb")])
        block.begin()
        #expect(block.fault == nil)
        #expect(Self.text(block) == "  HTTP/1.1\r\n\r\n")
    }

    @Test("trailers lose what could frame, route or identify, RFC 9110 §6.5.1")
    func trailers() {
        let block = Self.block([("grpc-status", "0"), ("content-length", "5"), ("x-user-id", "1"), ("x_user_id", "1")])
        #expect(block.trailers == [UInt8]("grpc-status: 0\r\n".utf8))
    }
}
