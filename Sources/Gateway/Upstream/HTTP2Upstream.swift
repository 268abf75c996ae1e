import Configuration
import HTTP
import Logging
import Transport

/// A connection to an upstream's server that speaks HTTP/2: each exchange has a stream of its own.
///
/// Confined to its shard's queue. Bounds: `output` holds at most `outputLimit` and one frame; streams are bounded by what
/// the server allows and `streamsAtMost`.
final class HTTP2Upstream: Channel, HTTP2SessionOwner {
    enum Phase {
        case connecting, handshake, open
        /// No more streams: those that are there finish.
        case ending
        case closed
    }

    private static let readSize = 64 * 1024
    private static let outputLimit = 64 * 1024
    /// Streams of one connection, whatever the server allows.
    private static let streamsAtMost = 256
    /// It is kept for so long without a stream.
    private static let idleTime: Int64 = 55_000_000_000

    let pool: UpstreamPool
    let server: ServerState
    let worker: Worker
    let session: HTTP2Session
    private let socket: StreamSocket
    private(set) var phase: Phase
    /// It has served a stream.
    private(set) var hasServed = false
    /// Streams that wait for the connection.
    private var waiting: [HTTP2UpstreamStream] = []
    private var touched: [HTTP2UpstreamStream] = []
    private var output: ByteBuffer?
    private var isFlushScheduled = false
    private var timer: ShardTimer { self }

    private init(pool: UpstreamPool, server: ServerState, socket: StreamSocket, phase: Phase, worker: Worker) {
        self.pool = pool
        self.server = server
        self.worker = worker
        self.socket = socket
        self.phase = phase
        var settings = HTTP2Settings()
        settings.headerList = 64 * 1024
        settings.connectionWindow = 16 << 20
        // What a server resets is its own affair.
        settings.resets = 1_000_000
        settings.controlFrames = 1_000_000
        session = HTTP2Session(isServer: false, settings: settings, now: worker.shard.now.nanoseconds)
        super.init()
        session.owner = self
    }

    /// A connection that is being made.
    convenience init(
        pool: UpstreamPool, server: ServerState, descriptor: Int32, isConnected: Bool, worker: Worker
    ) {
        self.init(
            pool: pool, server: server, socket: StreamSocket(descriptor: descriptor), phase: .connecting,
            worker: worker)
        worker.shard.add(
            self, descriptor: descriptor, interest: isConnected ? [.readable, .writable] : .writable,
            precedence: .answers)
        worker.shard.set(timer, after: pool.definition.connectTimeout.nanoseconds)
    }

    /// Goes on with a connection whose server has chosen HTTP/2.
    convenience init(taking socket: StreamSocket, of channel: UpstreamConnection, worker: Worker) {
        self.init(pool: channel.pool, server: channel.server, socket: socket, phase: .open, worker: worker)
        worker.shard.replace(channel, with: self)
        worker.shard.setInterest(.readable, of: self)
    }

    /// Another stream has room.
    var hasRoom: Bool {
        switch phase {
        case .connecting, .handshake: waiting.count < Self.streamsAtMost
        case .open: session.streamCount + waiting.count < min(session.peerStreamLimit, Self.streamsAtMost)
        case .ending, .closed: false
        }
    }

    /// A stream for an exchange.
    func lend() -> HTTP2UpstreamStream {
        let stream = HTTP2UpstreamStream(on: self, isFirst: !hasServed)
        if phase != .open { waiting.append(stream) }
        if phase == .open { worker.shard.clear(timer) }
        return stream
    }

    var isOpen: Bool { phase == .open || phase == .ending }

    // MARK: Events

    override func ready(_ readiness: Readiness) {
        switch phase {
        case .connecting: return finishConnecting()
        case .handshake: return advanceHandshake()
        case .closed: return
        case .open, .ending: break
        }
        if readiness.contains(.writable) { flush() }
        guard phase != .closed else { return }
        if !readiness.isDisjoint(with: [.readable, .failed, .hungUp]) || socket.hasPending { receive() }
    }

    private func finishConnecting() {
        let error = socket.takeError()
        guard error == 0 else { return fail(.connect, SocketError.text(of: error)) }
        guard let context = pool.tls else { return connected() }
        guard socket.startTLS(client: context, serverName: server.tlsName(pool.definition.tls), offersHTTP2: true)
        else { return fail(.connect) }
        phase = .handshake
        advanceHandshake()
    }

    private func advanceHandshake() {
        guard let tls = socket.tls else { return fail(.connect) }
        switch tls.handshake() {
        case .complete:
            // It spoke HTTP/2 before: those who wait try again in the old way.
            guard tls.isHTTP2 else {
                server.speaksHTTP2 = false
                return fail(.refused)
            }
            connected()
        case .needsReadable: worker.shard.setInterest(.readable, of: self)
        case .needsWritable: worker.shard.setInterest(.writable, of: self)
        case .failed(let reason):
            fail(.connect, "TLS failed: \(reason)")
        }
    }

    private func connected() {
        phase = .open
        worker.shard.setInterest(.readable, of: self)
        worker.shard.clear(timer)
        let ready = waiting
        waiting = []
        for stream in ready { stream.connectionIsOpen() }
        if ready.isEmpty { streamClosed() }
        flush()
    }

    private func receive() {
        let buffer = worker.buffers.take()
        defer { worker.buffers.give(buffer) }
        repeat {
            switch socket.read(into: buffer, limit: Self.readSize) {
            case .bytes:
                do throws(HTTP2Session.Failure) {
                    try session.receive(buffer.readable, now: worker.shard.now.nanoseconds)
                } catch {
                    flush()
                    return fail(.malformed)
                }
                buffer.removeAll()
            case .needsReadable, .needsWritable: return afterReceiving()
            case .ended, .failed: return fail(.broken)
            }
        } while phase != .closed && socket.hasPending
        afterReceiving()
    }

    private func afterReceiving() {
        for stream in touched { stream.flushAnswer() }
        touched.removeAll(keepingCapacity: true)
        flush()
    }

    /// What this stream's answer brought goes on when the bytes at hand are taken.
    func touch(_ stream: HTTP2UpstreamStream) { touched.append(stream) }

    // MARK: Output

    func scheduleFlush() {
        guard !isFlushScheduled, phase != .closed else { return }
        isFlushScheduled = true
        worker.shard.later { [self] in
            isFlushScheduled = false
            flush()
        }
    }

    func flush() {
        guard isOpen, !session.isBusy else { return }
        while true {
            let output = self.output ?? worker.buffers.take()
            self.output = output
            guard session.send(into: output, limit: Self.outputLimit, now: worker.shard.now.nanoseconds) else {
                return fail(.broken)
            }
            if output.isEmpty { break }
            while !output.isEmpty {
                switch socket.write(output.readable) {
                case .bytes(let count): output.consume(count)
                case .needsWritable, .needsReadable:
                    return worker.shard.setInterest(interest.union(.writable), of: self)
                case .ended, .failed: return fail(.broken)
                }
            }
        }
        giveOutput()
        if interest.contains(.writable) { worker.shard.setInterest(interest.subtracting(.writable), of: self) }
        if phase == .ending, session.streamCount == 0 { close() }
    }

    private func giveOutput() { worker.buffers.give(from: &output) }

    // MARK: What the session tells

    func requestBegan(_ stream: Int32, isEnd: Bool) {}
    func settingsReceived() {}

    func goAwayReceived(last: Int32) {
        guard phase == .open else { return }
        phase = .ending
        pool.left(self)
        scheduleFlush()
    }

    /// A stream is over.
    func streamClosed() {
        hasServed = true
        guard session.streamCount == 0, waiting.isEmpty, phase == .open else {
            if phase == .ending { scheduleFlush() }
            return
        }
        if pool.isRetired { return retire() }
        worker.shard.set(timer, after: Self.idleTime)
    }

    // MARK: Ends

    override func timerFired(_ timer: ShardTimer) {
        switch phase {
        case .connecting, .handshake: fail(.connect, "no connection within connect_timeout")
        case .open: if session.streamCount == 0 { retire() }
        case .ending, .closed: break
        }
    }

    /// Takes no more streams, and ends when those that are there have.
    func retire() {
        guard phase == .open else { return }
        phase = .ending
        pool.left(self)
        session.goAway(.noError)
        scheduleFlush()
    }

    private func fail(_ failure: UpstreamFailure, _ reason: String? = nil) {
        let isBusy = session.streamCount > 0 || !waiting.isEmpty
        if failure != .refused, isBusy { pool.failed(server, reason ?? failure.reason) }
        let streams = waiting + session.owners.compactMap { $0 as? HTTP2UpstreamStream }
        waiting = []
        close()
        for stream in streams { stream.fail(failure) }
    }

    func close() {
        guard phase != .closed else { return }
        if phase != .ending { pool.left(self) }
        phase = .closed
        worker.shard.remove(timer)
        worker.shard.remove(self)
        session.detachAll()
        touched.removeAll()
        socket.close()
        worker.admission.upstreamClosed()
        giveOutput()
    }

    /// A stream that waits is not wanted any more.
    func forget(_ stream: HTTP2UpstreamStream) { waiting.removeAll { $0 === stream } }
}
