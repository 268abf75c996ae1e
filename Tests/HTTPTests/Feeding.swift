import HTTP
import Testing

/// A row of a table of heads or bodies.
struct Row<Expectation: Sendable>: Sendable, CustomTestStringConvertible {
    /// The rule, with the RFC section or the CVE that it comes from.
    let name: String
    let input: String
    let expectation: Expectation

    init(_ name: String, _ input: String, _ expectation: Expectation) {
        self.name = name
        self.input = input
        self.expectation = expectation
    }

    var testDescription: String { name }
}

func text(_ bytes: [UInt8], _ range: ByteRange) -> String {
    String(decoding: bytes[range.range], as: UTF8.self)
}

/// What a request came to, as one comparable line.
struct RequestOutcome: Equatable, Sendable, CustomStringConvertible {
    var description: String

    static func failed(_ error: HeadError) -> RequestOutcome { RequestOutcome(description: "failed: \(error)") }

    init(description: String) { self.description = description }

    init(_ progress: HeadProgress, _ head: RequestHead, _ bytes: [UInt8]) {
        switch progress {
        case .incomplete: description = "incomplete"
        case .failed(let error): description = "failed: \(error)"
        case .complete:
            var parts = [text(bytes, head.methodRange), text(bytes, head.path)]
            if let query = head.query { parts.append("?\(text(bytes, query))") }
            parts.append("1.\(head.minorVersion)")
            if let host = head.host { parts.append("host=\(text(bytes, host))") }
            if let authority = head.authority { parts.append("authority=\(text(bytes, authority))") }
            switch head.framing {
            case .none: break
            case .length(let length): parts.append("length=\(length)")
            case .chunked: parts.append("chunked")
            case .untilClose: parts.append("until close")
            }
            parts.append(head.keepAlive ? "keeps" : "closes")
            if head.expectsContinue { parts.append("expects") }
            if head.isUpgrade { parts.append(head.upgradesToWebSocket ? "websocket" : "upgrade") }
            if let value = head.authorization { parts.append("authorization=\(text(bytes, value))") }
            if let value = head.requestID { parts.append("id=\(text(bytes, value))") }
            if head.isGRPC { parts.append("grpc") }
            for field in head.fields {
                if field.nominated { parts.append("nominated=\(text(bytes, field.name))") }
                if field.isAlias { parts.append("alias=\(text(bytes, field.name))~\(field.id)") }
            }
            description = parts.joined(separator: " ")
        }
    }
}

/// Feeds bytes to a parser in one piece, byte by byte, and in every two pieces; all must agree.
func requestOutcome(_ input: String, limits: HeadLimits = HeadLimits()) -> RequestOutcome {
    let bytes = [UInt8](input.utf8)
    let whole = requestOutcome(bytes, cuts: [bytes.count], limits)
    #expect(requestOutcome(bytes, cuts: Array(1...max(1, bytes.count)), limits) == whole, "fed byte by byte")
    if bytes.count < 2000 {
        for cut in 1..<max(2, bytes.count) {
            #expect(requestOutcome(bytes, cuts: [cut, bytes.count], limits) == whole, "cut at \(cut)")
        }
    }
    return whole
}

private func requestOutcome(_ bytes: [UInt8], cuts: [Int], _ limits: HeadLimits) -> RequestOutcome {
    var parser = RequestHeadParser(limits: limits)
    var head = RequestHead()
    for cut in cuts {
        let progress = parser.parse(bytes.span.extracting(first: min(cut, bytes.count)), into: &head)
        if progress != .incomplete { return RequestOutcome(progress, head, bytes) }
    }
    return RequestOutcome(.incomplete, head, bytes)
}
