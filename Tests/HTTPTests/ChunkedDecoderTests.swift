import HTTP
import Testing

@Suite struct ChunkedDecoderTests {
    /// What a body came to: its bytes and the bytes left over, or the error.
    private static func outcome(_ bytes: [UInt8], pieces: [Range<Int>]) -> String {
        var decoder = ChunkedDecoder(extensionLimit: 16, trailerLimit: 64)
        var body: [UInt8] = []
        for piece in pieces {
            let span = bytes.span.extracting(piece)
            var offset = 0
            loop: while true {
                switch decoder.next(span, from: offset) {
                case .data(let range, let consumed):
                    for place in range { body.append(span[place]) }
                    offset = consumed
                case .needsMore(let consumed):
                    #expect(consumed == span.count)
                    break loop
                case .end(let consumed):
                    let rest = String(decoding: bytes[(piece.lowerBound + consumed)...], as: UTF8.self)
                    var text = "'\(String(decoding: body, as: UTF8.self))' end"
                    if !decoder.trailers.isEmpty {
                        text += " trailers=\(String(decoding: decoder.trailers, as: UTF8.self))"
                    }
                    return rest.isEmpty ? text : "\(text) rest=\(rest)"
                case .failed(let error): return "failed: \(error)"
                }
            }
        }
        return "'\(String(decoding: body, as: UTF8.self))' incomplete"
    }

    private func outcome(_ input: String) -> String {
        let bytes = [UInt8](input.utf8)
        let whole = Self.outcome(bytes, pieces: [0..<bytes.count])
        #expect(Self.outcome(bytes, pieces: (0..<bytes.count).map { $0..<($0 + 1) }) == whole, "fed byte by byte")
        for cut in 1..<max(2, bytes.count) {
            #expect(Self.outcome(bytes, pieces: [0..<cut, cut..<bytes.count]) == whole, "cut at \(cut)")
        }
        return whole
    }

    static let accepted: [Row<String>] = [
        Row("one chunk, RFC 9112 §7.1", "5\r\nhello\r\n0\r\n\r\n", "'hello' end"),
        Row("several chunks", "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "'abc' end"),
        Row("an empty body", "0\r\n\r\n", "'' end"),
        Row(
            "hexadecimal in both cases", "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "'01234567890123456789' end"
        ),
        Row("CRLF inside a chunk is data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "'\r\n\r\n' end"),
        Row("leading zeros up to 16 digits", "0000000000000001\r\na\r\n00\r\n\r\n", "'a' end"),
        Row("the next request is left alone", "1\r\na\r\n0\r\n\r\nGET /", "'a' end rest=GET /"),
        Row("an extension is dropped, RFC 9112 §7.1.1", "1;a=b\r\na\r\n0;c\r\n\r\n", "'a' end"),
        Row("an extension as long as the limit", "1;\(String(repeating: "a", count: 15))\r\na\r\n0\r\n\r\n", "'a' end"),
        Row("not whole", "5\r\nhel", "'hel' incomplete"),
        Row("no last chunk", "5\r\nhello\r\n", "'hello' incomplete"),
        Row("last chunk without the end of the trailers", "0\r\n", "'' incomplete"),
        Row(
            "trailers, RFC 9112 §7.1.2", "0\r\ngrpc-status: 0\r\nA: b\r\n\r\n",
            "'' end trailers=grpc-status: 0\r\nA: b\r\n"),
        Row(
            "framing trailers are dropped, RFC 9110 §6.5.1",
            "0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\nA: b\r\n\r\n", "'' end trailers=A: b\r\n"),
        Row(
            "identity trailers are dropped, threats.md",
            "0\r\nX-User-Id: 1\r\nx_agent_id: 2\r\nX-Forwarded-For: 3\r\n\r\n", "'' end"),
        Row(
            "Host and credentials are dropped, contract \"Protocol\"",
            "0\r\nHost: y\r\nAuthorization: b\r\nCookie: c\r\nConnection: d\r\n\r\n", "'' end"),
    ]

    @Test(arguments: accepted) func accepts(_ row: Row<String>) {
        #expect(outcome(row.input) == row.expectation)
    }

    static let refused: [Row<String>] = [
        Row("size with plus", "+1\r\na\r\n0\r\n\r\n", "invalid chunk size"),
        Row("size with minus", "-1\r\na\r\n0\r\n\r\n", "invalid chunk size"),
        Row("size with 0x", "0x1\r\na\r\n0\r\n\r\n", "invalid chunk size"),
        Row("size with an underscore", "1_0\r\na\r\n0\r\n\r\n", "invalid chunk size"),
        Row("no size", "\r\n\r\n", "invalid chunk size"),
        Row("only an extension", ";a\r\n\r\n", "invalid chunk size"),
        Row("space before the size", " 1\r\na\r\n0\r\n\r\n", "invalid chunk size"),
        Row("space behind the size, RFC 9112 §7.1.1", "1 \r\na\r\n0\r\n\r\n", "invalid chunk size"),
        Row("bare LF behind the size", "1\na\r\n0\r\n\r\n", "invalid chunk size"),
        Row("bare CR behind the size", "1\ra\r\n0\r\n\r\n", "bare carriage return in a chunk size line"),
        Row("17 digits", "00000000000000001\r\na\r\n0\r\n\r\n", "chunk size is too large"),
        Row("2^63", "8000000000000000\r\n", "chunk size is too large"),
        Row("2^64", "10000000000000000\r\n", "chunk size is too large"),
        Row("2^64 - 1", "ffffffffffffffff\r\n", "chunk size is too large"),
        Row("bare LF in an extension, TERM.EXT", "1;a\na\r\n0\r\n\r\n", "control byte in a chunk extension"),
        Row("bare CR in an extension", "1;a\rb\r\na\r\n0\r\n\r\n", "bare carriage return in a chunk size line"),
        Row(
            "an extension of 1 MiB", "1;\(String(repeating: "a", count: 100))\r\na\r\n", "chunk extensions are too long"
        ),
        Row(
            "many small extensions, CVE-2023-39326", "1;abcdef\r\na\r\n1;abcdef\r\na\r\n1;abcdef\r\n",
            "chunk extensions are too long"),
        Row("a chunk longer than its size", "1\r\nab\r\n0\r\n\r\n", "no CRLF after a chunk"),
        Row("bare LF behind a chunk", "1\r\na\n0\r\n\r\n", "no CRLF after a chunk"),
        Row("bare CR behind a chunk", "1\r\na\r0\r\n\r\n", "no CRLF after a chunk"),
        Row("no CRLF behind a chunk", "1\r\na0\r\n\r\n", "no CRLF after a chunk"),
        Row("bare LF ends the trailers", "0\r\n\n", "bare line feed"),
        Row("bare LF behind a trailer", "0\r\nA: b\n\r\n", "bare line feed"),
        Row("folded trailer, RFC 9112 §5.2", "0\r\nA: b\r\n c\r\n\r\n", "folded or indented field line"),
        Row("trailer without a name", "0\r\n: b\r\n\r\n", "empty field name"),
        Row("bare CR in a trailer", "0\r\nA: b\rc\r\n\r\n", "bare carriage return"),
    ]

    @Test(arguments: refused) func refuses(_ row: Row<String>) {
        #expect(outcome(row.input) == "failed: malformed(\"\(row.expectation)\")")
    }

    @Test func boundsTrailers() {
        #expect(outcome("0\r\nA: \(String(repeating: "a", count: 80))\r\n\r\n") == "failed: headTooLarge(limit: 64)")
        #expect(outcome("0\r\n\(String(repeating: "A: b\r\n", count: 20))\r\n") == "failed: headTooLarge(limit: 64)")
    }

    @Test func theLargestSizeIsReadAsData() {
        var decoder = ChunkedDecoder()
        let bytes = [UInt8]("7fffffffffffffff\r\nabc".utf8)
        #expect(decoder.next(bytes.span, from: 0) == .data(18..<21, consumed: 21))
    }
}
