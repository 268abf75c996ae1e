import Configuration
import HTTP
import Transport

/// One health check: a request, and whether its answer is 2xx; over HTTP/2 where the server speaks that.
final class HealthProbe: Channel, HTTP2StreamOwner {
    private let worker: Worker
    private let check: Upstream.HealthCheck
    private let host: String
    private let tls: (context: TLSClientContext, name: String)?
    private let limit: Int64
    private var completion: ((Bool) -> Void)?
    private var socket: StreamSocket?
    private var isConnected = false
    private var isHTTP2: Bool
    private var session: HTTP2Session?
    private let buffer = ByteBuffer(capacity: 4096)
    private var parser = ResponseHeadParser()
    private var head = ResponseHead()
    private var timer: ShardTimer { self }

    init(
        worker: Worker, check: Upstream.HealthCheck, host: String, tls: (context: TLSClientContext, name: String)?,
        isHTTP2: Bool, limit: Int64, completion: @escaping (Bool) -> Void
    ) {
        self.worker = worker
        self.check = check
        self.host = host
        self.tls = tls
        self.isHTTP2 = isHTTP2
        self.limit = limit
        self.completion = completion
    }

    func begin(_ address: SocketAddress) {
        do throws(SocketError) {
            let (descriptor, _) = try Sockets.connect(to: address)
            let socket = StreamSocket(descriptor: descriptor)
            self.socket = socket
            worker.shard.add(self, descriptor: descriptor, interest: .writable, precedence: .answers)
            worker.shard.set(timer, after: limit)
        } catch {
            finish(false)
        }
    }

    override func timerFired(_ timer: ShardTimer) { finish(false) }

    override func ready(_ readiness: Readiness) {
        guard let socket else { return }
        if !isConnected {
            if socket.tls == nil {
                guard socket.takeError() == 0 else { return finish(false) }
                if let tls, !socket.startTLS(client: tls.context, serverName: tls.name, offersHTTP2: true) {
                    return finish(false)
                }
            }
            if let session = socket.tls {
                switch session.handshake() {
                case .complete: isHTTP2 = session.isHTTP2
                case .needsReadable: return worker.shard.setInterest(.readable, of: self)
                case .needsWritable: return worker.shard.setInterest(.writable, of: self)
                case .failed: return finish(false)
                }
            }
            isConnected = true
            return isHTTP2 ? askByStream(socket) : ask(socket)
        }
        read(socket)
    }

    private func ask(_ socket: StreamSocket) {
        let request =
            "\(check.method) \(check.path) HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: gatehouse\r\nConnection: close\r\n\r\n"
        let bytes = Array(request.utf8)
        guard socket.write(bytes.span) == .bytes(bytes.count) else { return finish(false) }
        worker.shard.setInterest(.readable, of: self)
    }

    private func read(_ socket: StreamSocket) {
        let buffer = buffer
        switch socket.read(into: buffer, limit: 4096) {
        case .bytes where session != nil: take(socket)
        case .bytes:
            switch parser.parse(buffer.readable, answering: .get, into: &head) {
            case .incomplete: return
            case .failed: finish(false)
            case .complete: finish((200..<300).contains(head.status))
            }
        case .needsReadable, .needsWritable: return
        case .ended, .failed: finish(false)
        }
    }

    // MARK: HTTP/2

    private func askByStream(_ socket: StreamSocket) {
        let session = HTTP2Session(isServer: false, settings: HTTP2Settings(), now: worker.shard.now.nanoseconds)
        self.session = session
        let text = ByteBuffer(capacity: 256)
        text.append("\(check.method) \(check.path) HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: gatehouse\r\n\r\n")
        guard let stream = session.submitRequest(text: text, scheme: tls == nil ? "http" : "https", isEnd: true) else {
            return finish(false)
        }
        session.attach(self, to: stream)
        send(session, socket)
        worker.shard.setInterest(.readable, of: self)
    }

    private func send(_ session: HTTP2Session, _ socket: StreamSocket) {
        let output = ByteBuffer(capacity: 1024)
        guard session.send(into: output, limit: 1 << 16, now: worker.shard.now.nanoseconds) else {
            return finish(false)
        }
        if !output.isEmpty, socket.write(output.readable) != .bytes(output.readableCount) { finish(false) }
    }

    private func take(_ socket: StreamSocket) {
        guard let session else { return }
        do throws(HTTP2Session.Failure) {
            let buffer = buffer
            try session.receive(buffer.readable, now: worker.shard.now.nanoseconds)
        } catch { return finish(false) }
        buffer.removeAll()
        if completion != nil { send(session, socket) }
    }

    func answerBegan(isEnd: Bool) {
        guard let session else { return }
        let text = ByteBuffer(capacity: 256)
        session.block.appendResponse(to: text)
        guard parser.parse(text.readable, answering: .get, into: &head) == .complete else { return finish(false) }
        if !head.isInterim { finish((200..<300).contains(head.status)) }
    }

    func received(_ bytes: Span<UInt8>) {}
    func receivedEnd(trailers: [UInt8]) {}
    var pendingOutput: ByteBuffer? { nil }
    var outputEnd: HTTP2OutputEnd { .ended }
    func sent(_ count: Int) {}
    func sentEnd() {}
    func closed(_ error: HTTP2Error) { finish(false) }

    private func finish(_ isHealthy: Bool) {
        guard let completion else { return }
        self.completion = nil
        worker.shard.remove(timer)
        worker.shard.remove(self)
        socket?.reset()
        socket = nil
        completion(isHealthy)
    }
}
