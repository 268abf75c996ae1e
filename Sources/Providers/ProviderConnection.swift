internal import Configuration
internal import HTTP
internal import Transport

/// A connection to a provider, with the gateway's own TLS: name and chain are always verified. It blocks, so each belongs to a
/// queue of its own; it is kept for the next request as long as the provider likes.
///
/// Confined to its owner's queue.
final class ProviderConnection {
    private let context: TLSClientContext
    private let host: String
    private let port: UInt16
    private var socket: StreamSocket?
    /// It has served a request before.
    private var isKept = false
    /// The address that was connected to last.
    private var lastGood: SocketAddress?

    init(_ url: RemoteURL, context: TLSClientContext) {
        self.context = context
        host = url.host
        port = url.port
    }

    /// Asks, and waits for the answer. A kept connection that turns out to be closed is made anew once.
    func send(_ request: ProviderRequest) throws(ProviderFailure) -> ProviderAnswer {
        let deadline = MonotonicTime.now().advanced(byNanoseconds: ProviderRequest.timeAtMost)
        if isKept, !isQuiet { close() }
        if socket != nil, isKept {
            do throws(ProviderFailure) { return try exchange(request, deadline) } catch {
                close()
                if !error.isOfKept { throw error }
            }
        }
        do throws(ProviderFailure) {
            try connect(deadline)
            return try exchange(request, deadline)
        } catch {
            close()
            throw error
        }
    }

    /// Nothing has come on the kept connection since its last answer: what has would be taken for the next one. Session tickets
    /// of TLS 1.3 are nobody's answer.
    private var isQuiet: Bool {
        guard let socket else { return false }
        let buffer = ByteBuffer(capacity: 1024)
        return socket.read(into: buffer, limit: 1024) == .needsReadable && buffer.isEmpty
    }

    private func close() {
        socket?.reset()
        socket = nil
        isKept = false
    }

    // MARK: Connecting

    private func connect(_ deadline: MonotonicTime) throws(ProviderFailure) {
        let addresses = Resolver.lookUp(host: host, port: port)
        guard !addresses.isEmpty else { throw ProviderFailure("the name \(host) cannot be resolved") }
        var reason = ProviderFailure("")
        // The one that served last comes first, and none takes the time of all.
        let ordered = addresses.filter { $0 == lastGood } + addresses.filter { $0 != lastGood }
        for (index, address) in ordered.enumerated() {
            let now = MonotonicTime.now()
            let share = deadline.nanoseconds(since: now) / Int64(ordered.count - index)
            do throws(ProviderFailure) {
                try connect(address, now.advanced(byNanoseconds: share))
                lastGood = address
                return
            } catch { reason = error }
        }
        throw reason
    }

    private func connect(_ address: SocketAddress, _ deadline: MonotonicTime) throws(ProviderFailure) {
        let socket: StreamSocket
        let isReady: Bool
        do throws(SocketError) {
            let begun = try Sockets.connect(to: address)
            (socket, isReady) = (StreamSocket(descriptor: begun.descriptor), begun.ready)
        } catch { throw ProviderFailure(error.message) }
        if !isReady { try wait(socket, for: .writable, deadline) }
        self.socket = socket
        let number = socket.takeError()
        guard number == 0 else { throw ProviderFailure("connect to \(address): \(Sockets.text(ofError: number))") }
        guard socket.startTLS(client: context, serverName: host), let tls = socket.tls else {
            throw ProviderFailure("TLS to \(host) cannot be begun")
        }
        while true {
            switch tls.handshake() {
            case .complete: return
            case .needsReadable: try wait(socket, for: .readable, deadline)
            case .needsWritable: try wait(socket, for: .writable, deadline)
            case .failed(let reason): throw ProviderFailure("TLS to \(host): \(reason)")
            }
        }
    }

    private func wait(
        _ socket: StreamSocket, for readiness: Sockets.Wait, _ deadline: MonotonicTime
    ) throws(ProviderFailure) {
        let left = deadline.nanoseconds(since: .now())
        guard left > 0, Sockets.wait(socket.descriptor, for: readiness, milliseconds: Int(left / 1_000_000) + 1) else {
            throw ProviderFailure("\(host) did not answer within \(ProviderRequest.timeAtMost / 1_000_000_000) s")
        }
    }

    // MARK: Exchange

    private func exchange(_ request: ProviderRequest, _ deadline: MonotonicTime) throws(ProviderFailure)
        -> ProviderAnswer
    {
        guard let socket else { throw ProviderFailure("there is no connection to \(host)") }
        try write(request.bytes, to: socket, deadline)
        let buffer = ByteBuffer(capacity: 16 * 1024)
        let method: HTTP.Method = request.form == nil ? .get : .post
        var parser = ResponseHeadParser()
        var head = ResponseHead()
        while true {
            switch parser.parse(buffer.readable, answering: method, into: &head) {
            case .incomplete: try read(into: buffer, from: socket, deadline, isFirst: buffer.isEmpty)
            case .failed: throw ProviderFailure("\(host) answered what is no HTTP")
            case .complete where head.isInterim:
                buffer.consume(head.length)
                head.reset()
                parser = ResponseHeadParser()
            case .complete: return try finish(head, buffer, of: request, from: socket, deadline)
            }
        }
    }

    private func finish(
        _ head: ResponseHead, _ buffer: ByteBuffer, of request: ProviderRequest, from socket: StreamSocket,
        _ deadline: MonotonicTime
    ) throws(ProviderFailure) -> ProviderAnswer {
        let fields = AnswerFields(head, buffer.readable)
        if case .length(let count) = head.framing, count > UInt64(request.answerAtMost) { throw tooLong(request) }
        buffer.consume(head.length)
        let body = try body(head, buffer, of: request, from: socket, deadline)
        isKept = head.keepAlive && buffer.isEmpty && head.framing != .untilClose
        if !isKept { close() }
        return ProviderAnswer(
            status: head.status, mediaType: fields.mediaType, maxAge: fields.maxAge, location: fields.location,
            body: body)
    }

    private func body(
        _ head: ResponseHead, _ buffer: ByteBuffer, of request: ProviderRequest, from socket: StreamSocket,
        _ deadline: MonotonicTime
    ) throws(ProviderFailure) -> [UInt8] {
        var reader = BodyReader(head.framing)
        var body: [UInt8] = []
        while !reader.isComplete {
            if buffer.isEmpty {
                switch try receive(into: buffer, from: socket, deadline) {
                case .bytes: break
                case .ended where head.framing == .untilClose: return body
                default: throw ProviderFailure("\(host) ended within its answer")
                }
            }
            switch reader.next(buffer.readable) {
            case .data(let range, let consumed):
                body += buffer.readable.extracting(range).bytesCopy
                buffer.consume(consumed)
            case .needsMore(let consumed), .end(let consumed): buffer.consume(consumed)
            case .failed: throw ProviderFailure("\(host) answered what is no HTTP")
            }
            guard body.count <= request.answerAtMost else { throw tooLong(request) }
        }
        return body
    }

    private func tooLong(_ request: ProviderRequest) -> ProviderFailure {
        ProviderFailure("the answer of \(host) is longer than \(request.answerAtMost / 1024) KiB")
    }

    private func write(
        _ bytes: [UInt8], to socket: StreamSocket, _ deadline: MonotonicTime
    ) throws(ProviderFailure) {
        var place = 0
        while place < bytes.count {
            switch socket.write(bytes.span.extracting(place..<bytes.count)) {
            case .bytes(let count): place += count
            case .needsReadable: try wait(socket, for: .readable, deadline)
            case .needsWritable: try wait(socket, for: .writable, deadline)
            case .ended, .failed: throw ended
            }
        }
    }

    private func read(
        into buffer: ByteBuffer, from socket: StreamSocket, _ deadline: MonotonicTime, isFirst: Bool
    ) throws(ProviderFailure) {
        guard case .bytes = try receive(into: buffer, from: socket, deadline) else {
            throw isFirst ? ended : ProviderFailure("\(host) ended within its answer")
        }
    }

    /// A kept connection that the provider closed meanwhile looks so.
    private var ended: ProviderFailure { ProviderFailure("\(host) ended the connection without an answer") }

    private func receive(
        into buffer: ByteBuffer, from socket: StreamSocket, _ deadline: MonotonicTime
    ) throws(ProviderFailure) -> TransferOutcome {
        while true {
            switch socket.read(into: buffer, limit: 16 * 1024) {
            case .needsReadable: try wait(socket, for: .readable, deadline)
            case .needsWritable: try wait(socket, for: .writable, deadline)
            case let outcome: return outcome
            }
        }
    }
}

extension ProviderFailure {
    /// It is what a kept connection shows that was closed meanwhile.
    fileprivate var isOfKept: Bool { description.hasSuffix("ended the connection without an answer") }
}

/// What matters of an answer's fields.
private struct AnswerFields {
    var mediaType = ""
    var maxAge: Int64?
    var location: String?

    init(_ head: ResponseHead, _ bytes: Span<UInt8>) {
        func text(_ range: ByteRange) -> String {
            String(decoding: bytes.extracting(range.range).bytesCopy, as: UTF8.self)
        }
        for field in head.fields {
            switch field.id {
            case .contentType: mediaType = text(field.value).prefix { $0 != ";" && $0 != " " }.lowercased()
            case .location: location = text(field.value)
            case .cacheControl:
                for directive in text(field.value).lowercased().split(separator: ",") {
                    let word = directive.drop { $0 == " " }
                    if word.hasPrefix("max-age=") { maxAge = Int64(word.dropFirst(8).prefix { $0 != " " }) }
                    if word == "no-store" || word == "no-cache" { maxAge = 0 }
                }
            default: break
            }
        }
    }
}

extension Span where Element == UInt8 {
    /// A copy.
    var bytesCopy: [UInt8] {
        var copy: [UInt8] = []
        copy.reserveCapacity(count)
        for index in indices { copy.append(self[index]) }
        return copy
    }
}
