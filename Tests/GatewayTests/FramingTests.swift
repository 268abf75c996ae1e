import Configuration
import HTTP
import Testing
import Transport

@testable import Gateway

@Suite("BodyReader, AnswerFraming: where a body ends")
struct FramingTests {
    /// What a body in these pieces comes to: its bytes, then how it stands, then what is left over.
    private func read(_ framing: BodyFraming, _ pieces: [String]) -> String {
        var state = BodyReader(framing)
        return run(pieces, isComplete: { state.isComplete }, next: { state.next($0) })
    }

    private func run(
        _ pieces: [String], isComplete: () -> Bool, next: (Span<UInt8>) -> ChunkedDecoder.Step
    ) -> String {
        var body: [UInt8] = []
        var left: [UInt8] = []
        for piece in pieces {
            left += Array(piece.utf8)
            loop: while !left.isEmpty, !isComplete() {
                switch next(left.span) {
                case .data(let range, let consumed):
                    body += left[range]
                    left.removeFirst(consumed)
                case .needsMore(let consumed):
                    left.removeFirst(consumed)
                    break loop
                case .end(let consumed): left.removeFirst(consumed)
                case .failed: return "'\(String(decoding: body, as: UTF8.self))' failed"
                }
            }
        }
        let rest = left.isEmpty ? "" : " rest=\(String(decoding: left, as: UTF8.self))"
        return "'\(String(decoding: body, as: UTF8.self))' \(isComplete() ? "complete" : "open")\(rest)"
    }

    static let bodies: [Row<(BodyFraming, [String]), String>] = [
        Row("none", (.none, ["GET"]), "'' complete rest=GET"),
        Row("a length of nothing", (.length(0), ["GET"]), "'' complete rest=GET"),
        Row("a length", (.length(5), ["hello"]), "'hello' complete"),
        Row("a length in pieces", (.length(5), ["h", "el", "lo"]), "'hello' complete"),
        Row("the next message stays", (.length(5), ["hel", "loGET"]), "'hello' complete rest=GET"),
        Row("not whole", (.length(6), ["hello"]), "'hello' open"),
        Row("the largest length", (.length(UInt64(Int64.max)), ["x"]), "'x' open"),
        Row("chunks", (.chunked, ["2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\nGET"]), "'hello' complete rest=GET"),
        Row("chunks in pieces", (.chunked, ["2", "\r\nh", "e\r\n0\r", "\n", "\r\n"]), "'he' complete"),
        Row("chunks, not whole", (.chunked, ["2\r\nhe\r\n"]), "'he' open"),
        Row("a bad chunk", (.chunked, ["2\r\nhe\r\nx"]), "'he' failed"),
    ]

    @Test("bodies; only one that ended in order is complete", arguments: bodies)
    func reads(_ row: Row<(BodyFraming, [String]), String>) {
        #expect(read(row.input.0, row.input.1) == row.expectation)
    }

    @Test("an answer until the end of the connection takes all and is never complete, so never reusable")
    func untilClose() {
        #expect(read(.untilClose, ["any", "thing"]) == "'anything' open")
    }

    @Test("an upload whose end cannot be told is not complete and takes nothing more")
    func broken() {
        var upload = BodyReader.broken
        #expect(!upload.isComplete)
        let bytes = Array("x".utf8)
        let step = upload.next(bytes.span)
        #expect(step == .end(consumed: 0))
    }

    @Test("long bodies are read in larger pieces", arguments: [(16_384, false), (16_385, true)] as [(UInt64, Bool)])
    func long(count: UInt64, isLong: Bool) {
        #expect(BodyReader(.length(count)).isLong == isLong)
        #expect(!BodyReader(.chunked).isLong && !BodyReader(.untilClose).isLong)
    }

    private func text(_ write: (ByteBuffer) -> Void) -> String {
        let buffer = ByteBuffer(capacity: 64)
        write(buffer)
        return buffer.text
    }

    @Test("chunks are written with their size in hexadecimal, an empty piece is no chunk, RFC 9112 §7.1")
    func encodes() {
        let bytes = [UInt8](repeating: UInt8(ascii: "x"), count: 300)
        #expect(text { ChunkedEncoder.append(bytes.span, 5..<5, to: $0) } == "", "it would be the end")
        #expect(text { ChunkedEncoder.append(bytes.span, 0..<3, to: $0) } == "3\r\nxxx\r\n")
        #expect(text { ChunkedEncoder.append(bytes.span, 0..<300, to: $0) }.hasPrefix("12c\r\nxxx"))
        #expect(text { ChunkedEncoder.appendEnd(trailers: [], to: $0) } == "0\r\n\r\n")
    }

    @Test(
        "an answer's body as the client gets it",
        arguments: [
            Row("none", .none, "|"), Row("identity", .identity, "ell|"), Row("until the end", .untilClose, "ell|"),
            Row("chunked", .chunked, "3\r\nell\r\n|0\r\n\r\n"),
        ] as [Row<AnswerFraming, String>])
    func answers(_ row: Row<AnswerFraming, String>) {
        let bytes = Array("hello".utf8)
        let written = text { buffer in
            row.input.append(bytes.span, 1..<4, to: buffer)
            buffer.append("|")
            row.input.appendEnd(trailers: [], to: buffer)
        }
        #expect(written == row.expectation)
    }
}

extension ByteBuffer {
    /// What can be read, as text.
    var text: String {
        let bytes = readable
        return String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
    }
}
