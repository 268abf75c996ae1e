import HTTP
import Testing

@Suite struct StreamBoundaryTests {
    static let events: [(rule: String, text: String, isBetween: Bool)] = [
        ("nothing was sent", "", true),
        ("a line without its end", "data: a", false),
        ("a line alone is no event", "data: a\n", false),
        ("an empty line ends the event", "data: a\n\n", true),
        ("with CRLF", "data: a\r\n\r\n", true),
        ("with CR", "data: a\r\r", true),
        ("with a mixture", "data: a\r\n\n", true),
        ("the LF of a CRLF is no empty line", "data: a\r\n", false),
        ("a comment is a line", ": hello\n", false),
        ("the next event has begun", "data: a\n\nd", false),
        ("several empty lines", "\n\n\n", true),
    ]

    @Test("events end at empty lines, WHATWG HTML 9.2.6", arguments: events)
    func eventsEnd(rule: String, text: String, isBetween: Bool) {
        let bytes = [UInt8](text.utf8)
        for cut in 0...bytes.count {
            var boundary = EventBoundary()
            boundary.advance(bytes.span, 0..<cut)
            boundary.advance(bytes.span, cut..<bytes.count)
            #expect(boundary.isBetweenEvents == isBetween, "\(rule), cut at \(cut)")
        }
    }

    @Test(
        "the event under way ends where the next may begin",
        arguments: [("a: b", nil), ("\nx", 1), ("\n\n\ny", 1), ("c\r\n\r\nd", 5), ("c\n\r\nd", 4)] as [(String, Int?)])
    func nextBoundary(text: String, place: Int?) {
        let start = [UInt8]("data: x\n".utf8)
        let bytes = [UInt8](text.utf8)
        var boundary = EventBoundary()
        boundary.advance(start.span, 0..<start.count)
        #expect(boundary.advanceToBoundary(bytes.span, 0..<bytes.count) == place)
    }

    static func frame(_ length: Int, mask: Bool = false, opcode: UInt8 = 2) -> [UInt8] {
        var bytes: [UInt8] = [0x80 | opcode]
        let bit: UInt8 = mask ? 0x80 : 0
        if length < 126 {
            bytes.append(bit | UInt8(length))
        } else if length < 65536 {
            bytes += [bit | 126, UInt8(length >> 8), UInt8(length & 255)]
        } else {
            bytes += [bit | 127] + (0..<8).reversed().map { UInt8(length >> ($0 * 8) & 255) }
        }
        if mask { bytes += [1, 2, 3, 4] }
        return bytes + [UInt8](repeating: 0x88, count: length)
    }

    @Test("frames end after their payload, RFC 6455 §5.2", arguments: [0, 1, 125, 126, 65535, 65536], [false, true])
    func frames(length: Int, mask: Bool) {
        let bytes = Self.frame(length, mask: mask)
        for cut in Set([0, 1, 2, 3, 6, 9, 10, 13, bytes.count - 1, bytes.count]) where cut <= bytes.count && cut >= 0 {
            var frames = WebSocketFrames()
            frames.advance(bytes.span, 0..<cut)
            #expect(frames.isBetweenFrames == (cut == 0 || cut == bytes.count), "length \(length), cut \(cut)")
            frames.advance(bytes.span, cut..<bytes.count)
            #expect(frames.isBetweenFrames && !frames.hasClosed)
        }
    }

    @Test("the end of the frame under way is found, and a close is noticed")
    func frameBoundary() {
        let bytes = Self.frame(10) + Self.frame(0, opcode: 8)
        var frames = WebSocketFrames()
        frames.advance(bytes.span, 0..<5)
        #expect(frames.advanceToBoundary(bytes.span, 5..<8) == nil)
        #expect(frames.advanceToBoundary(bytes.span, 8..<bytes.count) == 12)
        frames.advance(bytes.span, 12..<bytes.count)
        #expect(frames.hasClosed)
    }

    @Test("messages of a gRPC call are bounded one by one", arguments: [1, 3, 7, 1000])
    func messages(piece: Int) {
        func message(_ length: Int) -> [UInt8] {
            [0, 0, 0, UInt8(length >> 8), UInt8(length & 255)] + [UInt8](repeating: 9, count: length)
        }
        func isWithin(_ bytes: [UInt8]) -> Bool {
            var messages = GRPCMessages()
            return stride(from: 0, to: bytes.count, by: piece).allSatisfy {
                messages.advance(bytes.span, $0..<min($0 + piece, bytes.count), limit: 300)
            }
        }
        #expect(isWithin(message(300) + message(0) + message(1) + message(300)))
        #expect(!isWithin(message(300) + message(301)))
        #expect(!isWithin([0, 255, 255, 255, 255]))
        #expect(isWithin([UInt8]("hello".utf8)), "no frame of gRPC: as a whole")
        #expect(!isWithin([UInt8](repeating: 0x68, count: 301)))
    }

    @Test("a close frame says why, RFC 6455 §5.5.1")
    func close() {
        #expect(
            WebSocketFrames.close(code: 4401, reason: "token_expired") == [0x88, 15, 0x11, 0x31] + "token_expired".utf8)
    }
}
