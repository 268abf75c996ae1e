import Configuration
import HTTP
import Observability
import Policy
import Transport

/// A client's HTTP/1.1 connection: bytes in, requests to exchanges, answers out, in order.
///
/// Confined to its shard's queue. One exchange at a time; further pipelined requests wait in `input`. An idle connection
/// holds no buffer and no exchange. Bounds: `input` holds at most a head and `pipelineLimit`, `output` at most
/// `outputLimit` and what one event adds.
final class DownstreamConnection: Channel {
    enum Phase {
        /// Waits for the PROXY header.
        case proxyHeader
        /// The TLS handshake is under way.
        case handshake
        /// Between requests, or within a head.
        case head
        /// The head was accepted, its body comes in.
        case body
        /// The whole request is here, its answer is not complete.
        case answering
        /// The last answer is out; what still comes is read and dropped, so that the client can read the answer.
        case lingering
        case closed
    }

    /// Bytes asked of the socket at once: a TLS record.
    static let readSize = 16 * 1024
    /// Bytes of later requests that are taken while one is answered.
    private static let pipelineLimit = 64 * 1024
    /// Bytes that wait for the client before the upstream is no longer read.
    static let outputLimit = 64 * 1024
    /// A refused upload is read on for so many bytes and nanoseconds.
    private static let lingerBytes = 256 * 1024
    private static let lingerTime: Int64 = 1_000_000_000

    let worker: Worker
    let socket: StreamSocket
    let listener: Listener
    /// The listener is `admin`.
    let isAdmin: Bool
    private let label: Int
    /// Who is connected, or whom the PROXY header names.
    private(set) var peer: SocketAddress
    private(set) var isTrustedPeer: Bool
    /// The server name of the handshake, where it chose among certificates.
    private var serverName: String?
    private(set) var phase: Phase
    private var input: ByteBuffer?
    private var output: ByteBuffer?
    private var exchange: Exchange?
    private var upload = UploadFraming.none
    private var isProcessing = false
    private var closesAfterOutput = false
    private var lingered = 0
    private var windowBytes = 0
    private lazy var readTimer = ShardTimer(channel: self)
    private lazy var writeTimer = ShardTimer(channel: self)
    /// The client's address as logged and forwarded.
    private(set) var address: [UInt8] = []

    init(descriptor: Int32, peer: SocketAddress, listener: Listener, label: Int, isAdmin: Bool, worker: Worker) {
        self.worker = worker
        self.listener = listener
        self.isAdmin = isAdmin
        self.label = label
        self.peer = peer
        isTrustedPeer = false
        socket = StreamSocket(descriptor: descriptor)
        phase = listener.proxyProtocol ? .proxyHeader : listener.kind == .tls ? .handshake : .head
        super.init()
        setPeer(peer)
    }

    private func setPeer(_ peer: SocketAddress) {
        self.peer = peer
        address = Array(peer.hostText.utf8)
        isTrustedPeer = worker.serving.configuration.trustedProxies.contains { $0.contains(peer) }
    }

    /// Begins to read.
    func start() {
        guard worker.shard.add(self, descriptor: socket.descriptor, interest: .readable) else { return close() }
        let limits = worker.serving.configuration.limits
        let isHandshake = listener.kind == .tls || listener.proxyProtocol
        worker.shard.set(readTimer, after: (isHandshake ? limits.handshakeTimeout : limits.headTimeout).nanoseconds)
        if listener.proxyProtocol, !isTrustedPeer { return close() }
        if phase == .handshake { startTLS() }
    }

    private func startTLS() {
        phase = .handshake
        guard let context = worker.serving.tls, socket.startTLS(server: context) else { return close() }
    }

    // MARK: Events

    override func ready(_ readiness: Readiness) {
        switch phase {
        case .closed: return
        case .proxyHeader: return readProxyHeader()
        case .handshake:
            advanceHandshake()
            // Early bytes may already be inside the TLS layer.
            guard phase == .head, socket.hasPending else { return }
        default: break
        }
        if readiness.contains(.writable) { flush() }
        guard phase != .closed else { return }
        if interest.contains(.readable) {
            if !readiness.isDisjoint(with: [.readable, .failed, .hungUp]) || socket.hasPending { receive() }
        } else if !readiness.isDisjoint(with: [.peerClosed, .failed, .hungUp]) {
            clientLeft()
        }
        exchange?.flushUpload()
    }

    private func receive() {
        repeat {
            let buffer = takeInput()
            switch socket.read(into: buffer, limit: Self.readSize) {
            case .bytes(let count):
                windowBytes &+= count
                process()
            case .needsReadable, .needsWritable:
                if buffer.isEmpty { giveInput() }
                return
            case .ended, .failed: return clientLeft()
            }
        } while phase != .closed && socket.hasPending && interest.contains(.readable)
    }

    @inline(__always)
    private func takeInput() -> ByteBuffer {
        if let input { return input }
        let fresh = worker.shard.buffers.take()
        input = fresh
        return fresh
    }

    @inline(__always)
    private func giveInput() {
        guard let held = input else { return }
        input = nil
        worker.shard.buffers.give(held)
    }

    private func advanceHandshake() {
        guard let tls = socket.tls else { return close() }
        switch tls.handshake() {
        case .complete:
            worker.shard.setInterest(.readable, of: self)
            worker.metrics.recordHandshake(isVersion13: tls.isVersion13, isResumed: tls.isResumed)
            if let serving = worker.serving.tls, serving.identities.count > 1 { serverName = tls.serverName }
            phase = .head
            worker.shard.set(readTimer, after: worker.serving.configuration.limits.headTimeout.nanoseconds)
        case .needsReadable: worker.shard.setInterest(.readable, of: self)
        case .needsWritable: worker.shard.setInterest(.writable, of: self)
        case .failed: close()
        }
    }

    private func readProxyHeader() {
        let buffer = takeInput()
        switch ProxyHeader.receive(from: socket.descriptor, scratch: buffer) {
        case .incomplete: return
        case .invalid: return close()
        case .address(let named):
            giveInput()
            if let named { setPeer(named) }
            if listener.kind == .tls { startTLS() } else { phase = .head }
        }
    }

    /// The client speaks TLS.
    var isSecure: Bool { socket.tls != nil }

    // MARK: Requests

    /// Takes what is there: heads to exchanges, bodies to upstreams, until more bytes or an answer are needed.
    func process() {
        guard !isProcessing else { return }
        isProcessing = true
        defer { isProcessing = false }
        while let input, !input.isEmpty {
            switch phase {
            case .head:
                guard (output?.readableCount ?? 0) < Self.outputLimit else {
                    // A client that asks without reading the answers.
                    if input.readableCount >= Self.pipelineLimit { pauseReading() }
                    return
                }
                guard parseHead(input) else { return }
            case .body: guard feedBody(input) else { return }
            case .answering:
                if input.readableCount >= Self.pipelineLimit { pauseReading() }
                return
            case .lingering: return drop(input)
            case .proxyHeader, .handshake, .closed: return
            }
        }
        giveInput()
    }

    /// Reads a head; false when more bytes are needed.
    private func parseHead(_ input: ByteBuffer) -> Bool {
        let exchange = self.exchange ?? beginExchange()
        switch exchange.parser.parse(input.readable, into: &exchange.head) {
        case .incomplete:
            if !exchange.isHeadUnderWay {
                exchange.isHeadUnderWay = true
                let limit = exchange.serving.configuration.limits.headTimeout
                worker.shard.set(readTimer, after: limit.nanoseconds)
            }
            return false
        case .failed(let error):
            phase = .answering
            upload = .broken
            exchange.keepPrefix(of: input)
            self.input = nil
            exchange.refuse(error.refusal)
        case .complete: acceptHead(exchange, input)
        }
        return phase != .closed
    }

    private func beginExchange() -> Exchange {
        let fresh = worker.takeExchange()
        fresh.downstream = self
        exchange = fresh
        return fresh
    }

    /// Gives the exchange a buffer that begins with its head. The smaller of the head and what lies behind it moves to
    /// another buffer, so that many pipelined requests cost no more than their bytes.
    private func acceptHead(_ exchange: Exchange, _ input: ByteBuffer) {
        let length = exchange.head.length
        let rest = input.readableCount - length
        var held = input
        if rest > length {
            held = worker.shard.buffers.take()
            held.append(input.readable, 0..<length)
            input.consume(length)
        } else if rest > 0 {
            let fresh = worker.shard.buffers.take()
            fresh.append(input.readable, length..<length + rest)
            self.input = fresh
        } else {
            self.input = nil
        }
        exchange.headBuffer = held
        upload = UploadFraming(exchange.head.framing, limits: exchange.serving.configuration.limits)
        worker.shard.clear(readTimer)
        if upload.isComplete {
            phase = .answering
        } else {
            phase = .body
            windowBytes = rest
            worker.shard.set(readTimer, after: exchange.serving.configuration.limits.bodyRateWindow.nanoseconds)
        }
        exchange.headComplete()
        if upload.isComplete { exchange.requestEnded(trailers: []) }
    }

    /// Passes body bytes on; false when more bytes or more room are needed.
    private func feedBody(_ input: ByteBuffer) -> Bool {
        guard let exchange else { return false }
        if exchange.isUploadBackedUp {
            pauseReading()
            return false
        }
        switch upload.next(input.readable) {
        case .data(let range, let consumed):
            guard exchange.requestBody(input.readable, range) else { return phase != .closed }
            input.consume(consumed)
        case .needsMore(let consumed):
            input.consume(consumed)
            return false
        case .end(let consumed):
            input.consume(consumed)
        case .failed(let error):
            upload = .broken
            exchange.requestFailed(error.refusal)
            return phase != .closed
        }
        if upload.isComplete, phase == .body {
            phase = .answering
            worker.shard.clear(readTimer)
            exchange.requestEnded(trailers: upload.trailers)
        }
        return true
    }

    /// The upstream takes more of the upload.
    func resumeUpload() {
        guard phase == .body, !interest.contains(.readable) else { return }
        resumeReading()
        process()
        exchange?.flushUpload()
    }

    private func pauseReading() {
        var wanted = interest
        wanted.remove(.readable)
        wanted.insert(.peerClosed)
        worker.shard.setInterest(wanted, of: self)
    }

    private func resumeReading() {
        guard phase != .closed, !interest.contains(.readable) else { return }
        var wanted = interest
        wanted.insert(.readable)
        wanted.remove(.peerClosed)
        worker.shard.setInterest(wanted, of: self)
        if socket.hasPending {
            worker.shard.later { [weak self] in
                guard let self, phase != .closed, interest.contains(.readable) else { return }
                receive()
                exchange?.flushUpload()
            }
        }
    }

    private func drop(_ input: ByteBuffer) {
        lingered += input.readableCount
        input.removeAll()
        giveInput()
        if lingered > Self.lingerBytes { close() }
    }

    /// Whether the `Host` of a request names another certificate than the one that the server name chose (421).
    func isMisdirected(host: Span<UInt8>, serving: Serving) -> Bool {
        guard let serverName, let tls = serving.tls, tls.identities.count > 1 else { return false }
        let name = HostName.withoutPort(host)
        if name == serverName || tls.identities[tls.identityIndex(for: serverName) ?? 0].covers(name) { return false }
        return tls.identityIndex(for: name) != nil
    }

    // MARK: Answers

    /// The bytes that go to the client next.
    @inline(__always)
    func takeOutput() -> ByteBuffer {
        if let output { return output }
        let fresh = worker.shard.buffers.take()
        output = fresh
        return fresh
    }

    /// Too much waits for the client: the upstream should not be read.
    @inline(__always)
    var isBackedUp: Bool { (output?.readableCount ?? 0) > Self.outputLimit }

    /// The request has come in whole.
    var isUploadComplete: Bool { upload.isComplete }

    /// Sends what the socket takes.
    func flush() {
        guard let output, phase != .closed else { return }
        while !output.isEmpty {
            switch socket.write(output.readable) {
            case .bytes(let count):
                output.consume(count)
                if !interest.contains(.writable) { continue }
                worker.shard.set(writeTimer, after: worker.serving.configuration.limits.writeTimeout.nanoseconds)
            case .needsWritable, .needsReadable: return waitForWriting()
            case .ended, .failed: return clientLeft()
            }
        }
        self.output = nil
        worker.shard.buffers.give(output)
        if interest.contains(.writable) { wroteAll() }
        // `wroteAll` may have begun the next answer.
        if closesAfterOutput, self.output == nil { finishClosing() }
    }

    private func waitForWriting() {
        guard !interest.contains(.writable) else { return }
        var wanted = interest
        wanted.insert(.writable)
        worker.shard.setInterest(wanted, of: self)
        worker.shard.set(writeTimer, after: worker.serving.configuration.limits.writeTimeout.nanoseconds)
    }

    private func wroteAll() {
        var wanted = interest
        wanted.remove(.writable)
        worker.shard.setInterest(wanted, of: self)
        worker.shard.clear(writeTimer)
        exchange?.downstreamDrained()
        if phase == .head {
            resumeReading()
            process()
            exchange?.flushUpload()
        }
    }

    /// The answer is complete. `reusable` tells that the client knows where it ended.
    func answerComplete(reusable: Bool) {
        guard phase != .closed else { return }
        let isWhole = upload.isComplete
        releaseExchange()
        if reusable && isWhole && !worker.isDraining {
            phase = .head
            upload = .none
            worker.shard.set(readTimer, after: worker.serving.configuration.limits.keepaliveTimeout.nanoseconds)
            flush()
            if phase == .head {
                resumeReading()
                process()
                exchange?.flushUpload()
            }
        } else {
            phase = .lingering
            closesAfterOutput = true
            if output == nil { finishClosing() } else { flush() }
        }
    }

    /// Ends after the last byte: at once when nothing unread could turn the end into a reset, else after lingering.
    private func finishClosing() {
        closesAfterOutput = false
        guard phase == .lingering else { return close() }
        if upload.isComplete && (input?.isEmpty ?? true) { return close() }
        socket.shutDownWriting()
        resumeReading()
        worker.shard.set(readTimer, after: Self.lingerTime)
        if let input { drop(input) }
    }

    private func releaseExchange() {
        guard let done = exchange else { return }
        exchange = nil
        worker.giveBack(done)
    }

    // MARK: Ends

    /// The client is gone, or its connection is broken.
    private func clientLeft() {
        let abandoned = exchange
        abandoned?.downstreamGone()
        close()
    }

    /// Ends so that the client sees that the answer is not complete.
    func abort() {
        guard phase != .closed else { return }
        flushOnce()
        close(reset: true)
    }

    /// One attempt to bring out what is there before a reset, so that only the end is missing.
    private func flushOnce() {
        guard let output, !output.isEmpty else { return }
        if case .bytes(let count) = socket.write(output.readable) { output.consume(count) }
    }

    func close(reset: Bool = false) {
        guard phase != .closed else { return }
        phase = .closed
        worker.shard.remove(readTimer)
        worker.shard.remove(writeTimer)
        worker.shard.remove(self)
        if reset { socket.reset() } else { socket.close() }
        giveInput()
        if let output {
            self.output = nil
            worker.shard.buffers.give(output)
        }
        releaseExchange()
        worker.connectionClosed(label)
    }

    /// Ends when idle, else with the request that is under way.
    func drain() {
        if phase == .head && exchange == nil && output == nil { close() }
    }

    /// Ends now.
    func cut() {
        guard phase != .closed else { return }
        exchange?.downstreamGone()
        abort()
    }

    override func timerFired(_ timer: ShardTimer) {
        // A client that takes nothing has to see that something is missing.
        if timer === writeTimer { return cut() }
        switch phase {
        case .proxyHeader, .handshake, .lingering: close()
        case .head:
            guard let exchange, exchange.isHeadUnderWay else { return close() }
            timedOut(exchange, "head_timeout")
        case .body: checkBodyRate()
        case .answering, .closed: break
        }
    }

    private func checkBodyRate() {
        guard let exchange else { return }
        let limits = exchange.serving.configuration.limits
        let window = limits.bodyRateWindow
        let demanded = Double(limits.bodyRate) * Double(window.nanoseconds) / 1e9
        // While the upstream does not take more, the client is not to blame.
        if interest.contains(.readable) && Double(windowBytes) < demanded { return timedOut(exchange, "body_min_rate") }
        windowBytes = 0
        worker.shard.set(readTimer, after: window.nanoseconds)
    }

    private func timedOut(_ exchange: Exchange, _ limit: String) {
        if phase == .head, let input {
            exchange.keepPrefix(of: input)
            self.input = nil
        }
        let wasHead = phase == .head
        upload = .broken
        if wasHead {
            phase = .answering
            exchange.refuse(.requestTimeout(limit: limit))
        } else {
            exchange.requestFailed(.requestTimeout(limit: limit))
        }
    }
}
