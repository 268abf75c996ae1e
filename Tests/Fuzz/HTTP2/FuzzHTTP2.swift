import HTTP
import Transport

/// Feeds one input to what reads HTTP/2 and streams, and checks what must hold for every input. The first byte says to what
/// (`0` a whole connection, `1` the fields of a block, `2` an event stream, `3` WebSocket frames, `4` trailer lines), the
/// second where the input is cut in two: the outcome may not depend on that.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHTTP2(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let start = unsafe start, count > 2 else { return 0 }
    let input = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    let bytes = Array(input[2...])
    let cut = bytes.count * Int(input[1]) / 256
    switch input[0] % 5 {
    case 0: checkConnection(bytes, cut)
    case 1: checkBlock(bytes)
    case 2: checkEvents(bytes, cut)
    case 3: checkFrames(bytes, cut)
    default: checkTrailers(bytes)
    }
    return 0
}

/// A server that answers every request.
private final class Server: HTTP2SessionOwner {
    final class Stream: HTTP2StreamOwner {
        var received = 0
        func answerBegan(isEnd: Bool) {}
        func received(_ bytes: Span<UInt8>) { received += bytes.count }
        func receivedEnd(trailers: [UInt8]) {
            precondition(trailers.isEmpty || trailers.suffix(2) == [0x0d, 0x0a])
        }
        var pendingOutput: ByteBuffer? { nil }
        var outputEnd: HTTP2OutputEnd { .ended }
        func sent(_ count: Int) {}
        func sentEnd() {}
        func closed(_ error: HTTP2Error) {}
    }

    let session = HTTP2Session(isServer: true, settings: HTTP2Settings(), now: 0)
    var heads: [[UInt8]] = []

    init() { session.owner = self }

    func requestBegan(_ stream: Int32, isEnd: Bool) {
        session.attach(Stream(), to: stream)
        checkText(session.block)
        let text = ByteBuffer(capacity: 256)
        session.block.appendRequest(webSocketKey: [0x41], to: text)
        let readable = text.readable
        heads.append(readable.indices.map { readable[$0] })
        let answer = ByteBuffer(capacity: 64)
        answer.append("HTTP/1.1 200 OK\r\nX: y\r\n\r\n")
        session.submitResponse(stream, text: answer, isEnd: true)
    }
    func goAwayReceived(last: Int32) {}
    func settingsReceived() {}

    func receive(_ bytes: Span<UInt8>) -> Bool {
        do { try session.receive(bytes, now: 0) } catch { return false }
        return session.send(into: ByteBuffer(capacity: 4096), limit: 1 << 20, now: 0)
    }
}

private func checkConnection(_ bytes: [UInt8], _ cut: Int) {
    let whole = Server()
    _ = whole.receive(bytes.span)
    let pieces = Server()
    if pieces.receive(bytes.span.extracting(first: cut)) {
        _ = pieces.receive(bytes.span.extracting(cut..<bytes.count))
    }
    // What a failing connection had said before it failed depends on what was read with it.
    let common = min(whole.heads.count, pieces.heads.count)
    precondition(whole.heads.prefix(common) == pieces.heads.prefix(common), "the cut changes a request")
}

/// The text of a block is one head and nothing behind it, whatever the fields say: else a client could write a second
/// request.
private func checkText(_ block: HeaderBlock) {
    guard block.fault == nil, !block.isTunnelRequest else { return }
    let text = ByteBuffer(capacity: 256)
    block.appendRequest(webSocketKey: [0x41], to: text)
    var limits = HeadLimits()
    limits.head = 1 << 20
    limits.target = 1 << 20
    limits.fields = 100_000
    var parser = RequestHeadParser(limits: limits)
    var head = RequestHead()
    switch parser.parse(text.readable, into: &head) {
    case .complete: precondition(head.length == text.readableCount, "something lies behind the head")
    case .failed: break
    case .incomplete: preconditionFailure("a block is no whole head")
    }
}

/// Fields as a byte of length, the name, a byte of length, the value.
private func checkBlock(_ bytes: [UInt8]) {
    var block = HeaderBlock(limit: 32 * 1024)
    block.begin()
    var place = 0
    func piece() -> Range<Int> {
        guard place < bytes.count else { return place..<place }
        let start = place + 1
        place = min(start + Int(bytes[place]), bytes.count)
        return start..<place
    }
    while place < bytes.count {
        let name = piece()
        let value = piece()
        block.add(bytes.span.extracting(name), bytes.span.extracting(value))
    }
    checkText(block)
    if block.fault == nil { checkTrailers(block.trailers) }
}

private func checkEvents(_ bytes: [UInt8], _ cut: Int) {
    var whole = EventBoundary()
    whole.advance(bytes.span, 0..<bytes.count)
    var pieces = EventBoundary()
    pieces.advance(bytes.span, 0..<cut)
    pieces.advance(bytes.span, cut..<bytes.count)
    precondition(whole.isBetweenEvents == pieces.isBetweenEvents, "the cut changes the outcome")
    var boundary = EventBoundary()
    boundary.advance(bytes.span, 0..<cut)
    if let place = boundary.advanceToBoundary(bytes.span, cut..<bytes.count) {
        precondition(place > cut && place <= bytes.count && boundary.isBetweenEvents)
    }
}

private func checkFrames(_ bytes: [UInt8], _ cut: Int) {
    var whole = WebSocketFrames()
    whole.advance(bytes.span, 0..<bytes.count)
    var pieces = WebSocketFrames()
    pieces.advance(bytes.span, 0..<cut)
    pieces.advance(bytes.span, cut..<bytes.count)
    precondition(whole.isBetweenFrames == pieces.isBetweenFrames && whole.hasClosed == pieces.hasClosed)
    var messages = GRPCMessages()
    let isWithin = messages.advance(bytes.span, 0..<bytes.count, limit: 1000)
    var cutMessages = GRPCMessages()
    let first = cutMessages.advance(bytes.span, 0..<cut, limit: 1000)
    precondition(isWithin == (first && cutMessages.advance(bytes.span, cut..<bytes.count, limit: 1000)))
}

private func checkTrailers(_ bytes: [UInt8]) {
    let kept = TrailerLines.kept(bytes.span)
    precondition(kept.count <= bytes.count)
    precondition(TrailerLines.kept(kept.span) == kept, "what goes on once goes on again")
}
