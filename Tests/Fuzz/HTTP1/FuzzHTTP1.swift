import HTTP

/// Feeds one input to the HTTP/1 parsers and checks what must hold for every input. The first byte says to which parser
/// (`0` request head, `1` response head, `2` chunked body), the second where the input is cut in two: the outcome may
/// not depend on that.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHTTP1(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let start = unsafe start, count > 2 else { return 0 }
    let input = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    let bytes = Array(input[2...])
    let cut = bytes.count * Int(input[1]) / 256
    switch input[0] % 3 {
    case 0: checkRequest(bytes, cut)
    case 1: checkResponse(bytes, cut, answering: input[1] & 1 == 0 ? .get : .head)
    default: checkChunked(bytes, cut)
    }
    return 0
}

private func checkRequest(_ bytes: [UInt8], _ cut: Int) {
    var parser = RequestHeadParser(limits: HeadLimits())
    var head = RequestHead()
    let progress = parser.parse(bytes.span, into: &head)
    var second = RequestHeadParser(limits: HeadLimits())
    var again = RequestHead()
    let early = second.parse(bytes.span.extracting(first: cut), into: &again)
    let late = early == .incomplete ? second.parse(bytes.span, into: &again) : early
    precondition(late == progress, "the cut changes the outcome")
    guard progress == .complete else { return }
    precondition(again.length == head.length && again.fields.count == head.fields.count)
    check(head.fields, head.length)
    precondition(head.target.end < head.length && !head.path.isEmpty && !head.methodRange.isEmpty)
    precondition(head.host != nil || head.minorVersion == 0)

    // What goes on is assembled from the ranges; read again it must mean the same.
    var copy = Array(bytes[head.methodRange.range]) + [0x20] + bytes[head.target.range]
    copy += Array(" HTTP/1.\(head.minorVersion)\r\n".utf8)
    for field in head.fields { copy += bytes[field.line.range] }
    copy += [0x0d, 0x0a]
    var third = RequestHead()
    precondition(parser.parse(copy.span, into: &third) == .complete, "the copy is refused")
    precondition(third.length == copy.count && third.framing == head.framing && third.keepAlive == head.keepAlive)
}

private func checkResponse(_ bytes: [UInt8], _ cut: Int, answering method: Method) {
    var parser = ResponseHeadParser()
    var head = ResponseHead()
    let progress = parser.parse(bytes.span, answering: method, into: &head)
    var second = ResponseHeadParser()
    var again = ResponseHead()
    let early = second.parse(bytes.span.extracting(first: cut), answering: method, into: &again)
    let late = early == .incomplete ? second.parse(bytes.span, answering: method, into: &again) : early
    precondition(late == progress, "the cut changes the outcome")
    guard progress == .complete else { return }
    precondition(again.length == head.length && again.framing == head.framing)
    precondition(head.status >= 100 && head.status <= 599)
    precondition(head.framing != .untilClose || !head.keepAlive)
    check(head.fields, head.length)
}

/// Fields follow one another without gaps up to the empty line.
private func check(_ fields: [Field], _ length: Int) {
    var place = fields.first.map { Int($0.line.start) } ?? length - 2
    for field in fields {
        precondition(Int(field.line.start) == place && field.name.start == field.line.start)
        precondition(!field.name.isEmpty && field.name.end < field.line.end)
        precondition(Int(field.value.start) > field.name.end && field.value.end <= field.line.end - 2)
        place = field.line.end
    }
    precondition(place == length - 2)
}

private func checkChunked(_ bytes: [UInt8], _ cut: Int) {
    let whole = decode(bytes, [0..<bytes.count])
    precondition(decode(bytes, [0..<cut, cut..<bytes.count]) == whole, "the cut changes the outcome")
    precondition(whole.body.count <= bytes.count)
}

private struct Decoded: Equatable {
    var body: [UInt8] = []
    var trailers: [UInt8] = []
    var end: Int?
    var error: HeadError?
}

private func decode(_ bytes: [UInt8], _ pieces: [Range<Int>]) -> Decoded {
    var decoder = ChunkedDecoder()
    var result = Decoded()
    for piece in pieces {
        let span = bytes.span.extracting(piece)
        var offset = 0
        loop: while true {
            switch decoder.next(span, from: offset) {
            case .data(let range, let consumed):
                precondition(range.lowerBound >= offset && range.upperBound == consumed && !range.isEmpty)
                for place in range { result.body.append(span[place]) }
                offset = consumed
            case .needsMore(let consumed):
                precondition(consumed == span.count)
                break loop
            case .end(let consumed):
                result.end = piece.lowerBound + consumed
                result.trailers = decoder.trailers
                return result
            case .failed(let error):
                result.error = error
                return result
            }
        }
    }
    return result
}
