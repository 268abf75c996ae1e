import Foundation
import Testing

@testable import Observability

@Suite("An access log line")
struct AccessLogRendererTests {
    /// One line with whatever `add` puts into it.
    static func line(_ add: (inout AccessLogRenderer) -> Void) -> String {
        var renderer = AccessLogRenderer()
        renderer.begin(wallClockNanoseconds: 1_705_314_600_123_456_789)
        add(&renderer)
        renderer.end()
        return String(decoding: renderer.takeChunk(), as: UTF8.self)
    }

    static func member(_ name: String, of line: String) throws -> String? {
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
        return (object as? [String: Any])?[name] as? String
    }

    @Test("has the members of the contract in its order")
    func wholeLine() {
        let line = Self.line { renderer in
            renderer.add(.requestID, "0f3c9a".utf8.span)
            renderer.add(.address, "203.0.113.7".utf8.span)
            renderer.add(.method, "POST".utf8.span)
            renderer.addPath("/api/agents/a1/query/?stream=1&token=abc".utf8.span)
            renderer.add(.protocol, "HTTP/1.1".utf8.span)
            renderer.add(.status, 403)
            renderer.add(.error, "agent_mismatch".utf8.span)
            renderer.add(.route, "POST /api/agents/{agent_id}/query/")
            renderer.add(.userID, "7b0e")
            renderer.add(.apiKeyID, "k1")
            renderer.add(.agentID, "a1")
            renderer.add(.upstream, "127.0.0.1:9000")
            renderer.add(.duration, nanoseconds: 12_345_678)
            renderer.add(.upstreamDuration, nanoseconds: 1_000)
            renderer.add(.bytesIn, 0)
            renderer.add(.bytesOut, 1_234_567_890_123)
            renderer.add(.traceID, TraceID(traceparent: "00-\(TraceIDTests.trace)-\(TraceIDTests.parent)-01".utf8.span))
        }
        let expected = """
            {"time":"2024-01-15T10:30:00.123Z","request_id":"0f3c9a","address":"203.0.113.7","method":"POST",\
            "path":"/api/agents/a1/query/?stream=1&token=***","protocol":"HTTP/1.1","status":403,"error":"agent_mismatch",\
            "route":"POST /api/agents/{agent_id}/query/","user_id":"7b0e","api_key_id":"k1","agent_id":"a1",\
            "upstream":"127.0.0.1:9000","duration_ms":12.345,"upstream_ms":0.001,"bytes_in":0,\
            "bytes_out":1234567890123,"trace_id":"0af7651916cd43dd8448eb211c80319c"}

            """
        #expect(line == expected)
    }

    @Test("leaves out what is empty")
    func absent() {
        let line = Self.line { renderer in
            renderer.add(.requestID, "".utf8.span)
            renderer.addPath("".utf8.span)
            renderer.add(.status, 200)
            renderer.add(.route, "")
            renderer.add(.userID, nil as String?)
            renderer.add(.upstreamDuration, nanoseconds: -1)
            renderer.add(.traceID, nil as TraceID?)
        }
        #expect(line == "{\"time\":\"2024-01-15T10:30:00.123Z\",\"status\":200}\n")
    }

    @Test(
        "has its time in ISO 8601",
        arguments: [
            ("the epoch", 0, "1970-01-01T00:00:00.000Z"),
            ("a leap day", 1_709_251_199_999_999_999, "2024-02-29T23:59:59.999Z"),
            ("after a leap day", 1_709_251_200_000_000_000, "2024-03-01T00:00:00.000Z"),
            ("no leap day in 2100", 4_107_542_400_000_000_000, "2100-03-01T00:00:00.000Z"),
            ("a leap day in 2000", 951_782_400_001_000_000, "2000-02-29T00:00:00.001Z"),
            ("before the epoch", -1, "1970-01-01T00:00:00.000Z"),
        ] as [(String, Int64, String)])
    func time(name: String, nanoseconds: Int64, expected: String) {
        var text = TimestampText()
        var bytes = LineBuffer(capacity: 64)
        text.append(nanoseconds, to: &bytes)
        #expect(String(decoding: bytes.take(), as: UTF8.self) == expected, "\(name)")
    }

    @Test("has a new time with a new second, also when the clock steps back")
    func timeMoves() {
        var text = TimestampText()
        var bytes = LineBuffer(capacity: 64)
        for second in [10, 11, 11, 9] as [Int64] { text.append(second * 1_000_000_000, to: &bytes) }
        let times = ["10", "11", "11", "09"].map { "1970-01-01T00:00:\($0).000Z" }
        #expect(String(decoding: bytes.take(), as: UTF8.self) == times.joined())
    }

    @Test(
        "stays valid JSON whatever a client sent",
        arguments: [
            ("quotes and backslashes", Array(#"a"b\c"#.utf8), #"a"b\c"#),
            ("control bytes", [0, 1, 9, 10, 13, 31, 127], "\u{0}\u{1}\t\n\r\u{1F}\u{7F}"),
            ("UTF-8", Array("zażółć 🦊".utf8), "zażółć 🦊"),
            ("a lone continuation byte", [0x61, 0x80, 0x62], "a\u{FFFD}b"),
            ("an overlong form", [0xC0, 0xAF], "\u{FFFD}\u{FFFD}"),
            ("a surrogate", [0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"),
            ("beyond U+10FFFF", [0xF4, 0x90, 0x80, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"),
            ("a sequence that ends early", [0x61, 0xE2, 0x82], "a\u{FFFD}\u{FFFD}"),
            ("a new line that forges a line", Array("x\"}\n{\"status\":200".utf8), "x\"}\n{\"status\":200"),
            ("too long", Array(repeating: 0x61, count: 300), String(repeating: "a", count: 256)),
            (
                "cut at a whole character", Array(repeating: 0x61, count: 255) + [0xC3, 0xA9],
                String(repeating: "a", count: 255)
            ),
        ] as [(String, [UInt8], String)])
    func escapes(name: String, bytes: [UInt8], expected: String) throws {
        let line = Self.line { $0.add(.userID, bytes.span) }
        #expect(line.utf8.count { $0 == 10 } == 1, "\(name): one line")
        #expect(try Self.member("user_id", of: line) == expected, "\(name)")
    }

    @Test("fits its bound when every byte of every member has to be escaped")
    func lineBound() {
        let worst = Array(repeating: UInt8(1), count: 5000)
        let line = Self.line { renderer in
            for member in AccessLogMember.allCases.dropFirst() {
                if member == .path { renderer.addPath(worst.span) } else { renderer.add(member, worst.span) }
            }
        }
        #expect(line.utf8.count <= AccessLogRenderer.lineBound)
        #expect(AccessLogRenderer.lineBound < AccessLogRenderer.chunkCapacity)
    }

    @Test("does not make the chunk grow when it is handed over once it is full")
    func chunk() {
        var renderer = AccessLogRenderer()
        var lines = 0
        while !renderer.isFull {
            renderer.begin(wallClockNanoseconds: 0)
            renderer.add(.userID, "somebody")
            renderer.end()
            lines += 1
        }
        let chunk = renderer.takeChunk()
        #expect(chunk.count <= AccessLogRenderer.chunkCapacity)
        #expect(chunk.count { $0 == 10 } == lines)
        #expect(renderer.pendingCount == 0)
        renderer.begin(wallClockNanoseconds: 0)
        renderer.end()
        #expect(renderer.takeChunk().capacity < 256, "a small chunk does not hold 64 KiB while it waits")
    }
}
