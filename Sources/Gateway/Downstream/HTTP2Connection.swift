import Configuration
import HTTP
import Observability
import Transport

/// A client's HTTP/2 connection: frames in and out by `HTTP2Session`, each stream an exchange of its own.
///
/// Confined to its shard's queue. What the streams have to send is collected and leaves once for each batch of events.
/// Bounds: `output` holds at most `outputLimit` and one frame; streams are bounded by `http2_max_streams`, each with the
/// bounds of `HTTP2Stream`. An idle connection holds no buffer, only nghttp2's state.
final class HTTP2Connection: ClientChannel, HTTP2SessionOwner {
    /// Bytes asked of the socket at once.
    private static let readSize = 16 * 1024
    /// Bytes that wait for the socket before frames are no longer made.
    private static let outputLimit = 64 * 1024
    /// The client learns of a drain so many nanoseconds before its new streams are refused.
    private static let noticeTime: Int64 = 1_000_000_000

    let worker: Worker
    let client: ClientPeer
    let session: HTTP2Session
    private let socket: StreamSocket
    private var output: ByteBuffer?
    private(set) var isClosed = false
    private var isEnding = false
    /// It ends as soon as everything is sent.
    private var isCut = false
    /// The client knows that it will end.
    private var isAnnounced = false
    /// Everything is said; what still comes is dropped, so that the client can read it.
    private var isLingering = false
    private var lingered = 0
    private var isFlushScheduled = false
    /// `readTimer` bounds a header block.
    private var isTimingBlock = false
    /// Streams whose requests brought something that is to be sent to an upstream.
    private var touched: [HTTP2Stream] = []
    /// Streams with bytes that wait for the client.
    var waitingStreams = 0
    /// Streams whose upload is under way.
    var uploadingStreams = 0
    private var readTimer: ShardTimer { self }
    private lazy var writeTimer = ChannelTimer(channel: self)
    private lazy var stallTimer = ChannelTimer(channel: self)
    private lazy var uploadTimer = ChannelTimer(channel: self)
    private lazy var lingerTimer = ChannelTimer(channel: self)
    private lazy var drainTimer = ChannelTimer(channel: self)

    private var limits: Limits { worker.serving.configuration.limits }

    /// Takes over a socket on which the client has chosen HTTP/2.
    init(taking socket: StreamSocket, of client: ClientPeer, worker: Worker) {
        self.worker = worker
        self.client = client
        self.socket = socket
        session = HTTP2Session(
            isServer: true, settings: HTTP2Settings(worker.serving.configuration.limits),
            now: worker.shard.now.nanoseconds)
        super.init()
        session.owner = self
    }

    /// Begins to serve.
    func start() {
        worker.shard.set(readTimer, after: limits.headTimeout.nanoseconds)
        flush()
        if socket.hasPending { receive() }
    }

    // MARK: Events

    override func ready(_ readiness: Readiness) {
        guard !isClosed else { return }
        if readiness.contains(.writable) { flush() }
        guard !isClosed else { return }
        if !readiness.isDisjoint(with: [.readable, .failed, .hungUp]) || socket.hasPending { receive() }
    }

    private func receive() {
        let buffer = worker.buffers.take()
        repeat {
            switch socket.read(into: buffer, limit: Self.readSize) {
            case .bytes(let count): if isLingering || isEnding { drop(buffer, count) } else { take(buffer) }
            case .needsReadable, .needsWritable:
                worker.buffers.give(buffer)
                return afterReceiving()
            case .ended, .failed:
                worker.buffers.give(buffer)
                return close()
            }
        } while !isClosed && socket.hasPending
        worker.buffers.give(buffer)
        afterReceiving()
    }

    private func take(_ buffer: ByteBuffer) {
        do throws(HTTP2Session.Failure) {
            try session.receive(buffer.readable, now: worker.shard.now.nanoseconds)
        } catch {
            if error == .abuse { worker.metrics.recordAbuse(byResets: session.exceededResets) }
            isEnding = true
        }
        buffer.removeAll()
    }

    private func afterReceiving() {
        for stream in touched { stream.flushUpload() }
        touched.removeAll(keepingCapacity: true)
        guard !isClosed, !isLingering else { return }
        timeBlock()
        if uploadingStreams > 0, !uploadTimer.isSet {
            worker.shard.set(uploadTimer, after: limits.bodyRateWindow.nanoseconds)
        }
        flush()
    }

    /// A header block that has begun ends within `head_timeout`, also on a connection that idles.
    private func timeBlock() {
        if session.isWithinBlock {
            guard !isTimingBlock else { return }
            isTimingBlock = true
            worker.shard.set(readTimer, after: limits.headTimeout.nanoseconds)
        } else if session.streamCount > 0 {
            isTimingBlock = false
            worker.shard.clear(readTimer)
        } else if isTimingBlock {
            isTimingBlock = false
            worker.shard.set(readTimer, after: worker.serving.keepaliveTimeout)
        }
    }

    /// Something of this stream's request is to be sent on when the bytes at hand are taken.
    func touch(_ stream: HTTP2Stream) {
        if session.isBusy { touched.append(stream) } else { stream.flushUpload() }
    }

    // MARK: Output

    /// Sends what there is, after the events at hand.
    func scheduleFlush() {
        guard !isFlushScheduled, !isClosed else { return }
        isFlushScheduled = true
        worker.shard.later { [self] in
            isFlushScheduled = false
            flush()
        }
    }

    /// Sends what the socket takes and the windows allow.
    func flush() {
        guard !isClosed, !isLingering, !session.isBusy else { return }
        while true {
            let output = self.output ?? worker.buffers.take()
            self.output = output
            guard session.send(into: output, limit: Self.outputLimit, now: worker.shard.now.nanoseconds) else {
                return close()
            }
            if output.isEmpty { break }
            guard write(output) else { return }
        }
        giveOutput()
        if interest.contains(.writable) {
            worker.shard.setInterest(interest.subtracting(.writable), of: self)
            worker.shard.clear(writeTimer)
        }
        if isEnding || isCut && waitingStreams == 0 || !(session.wantsToReceive || session.wantsToSend) {
            return linger()
        }
        if waitingStreams > 0, !stallTimer.isSet {
            worker.shard.set(stallTimer, after: limits.writeTimeout.nanoseconds)
        }
    }

    /// False when the socket takes no more.
    private func write(_ output: ByteBuffer) -> Bool {
        socket.holdRecords(of: output.readableCount)
        defer { socket.release() }
        while !output.isEmpty {
            switch socket.write(output.readable) {
            case .bytes(let count):
                output.consume(count)
                if interest.contains(.writable) {
                    worker.shard.set(writeTimer, after: limits.writeTimeout.nanoseconds)
                }
            case .needsWritable, .needsReadable:
                if !interest.contains(.writable) {
                    worker.shard.setInterest(interest.union(.writable), of: self)
                    worker.shard.set(writeTimer, after: limits.writeTimeout.nanoseconds)
                }
                return false
            case .ended, .failed:
                close()
                return false
            }
        }
        return true
    }

    private func giveOutput() { worker.buffers.give(from: &output) }

    // MARK: What the session tells

    func requestBegan(_ id: Int32, isEnd: Bool) {
        let stream = HTTP2Stream(id, on: self)
        session.attach(stream, to: id)
        stream.begin(session.block, isEnd: isEnd)
        touched.append(stream)
    }

    func goAwayReceived(last: Int32) {}

    func settingsReceived() {}

    /// A stream is over.
    func streamClosed() {
        guard !isClosed, !isLingering, session.streamCount == 0 else { return }
        if worker.isReplaced && !isAnnounced { return waitForLastRequest() }
        // A head that is under way keeps its bound.
        if !isTimingBlock { worker.shard.set(readTimer, after: worker.serving.keepaliveTimeout) }
        if worker.isDraining { endGracefully() }
    }

    // MARK: Ends

    override func drain() {
        guard !isClosed, !isEnding else { return }
        guard worker.isReplaced else { return announceEnd() }
        // Another process serves those to come: a busy client is not disturbed before it has a pause, or has to be.
        if session.streamCount == 0 { waitForLastRequest() }
        let left = worker.serving.configuration.drainTimeout.nanoseconds - 2 * Self.noticeTime
        worker.shard.set(drainTimer, after: max(left, 0))
    }

    private func announceEnd() {
        isAnnounced = true
        session.announceEnd()
        worker.shard.set(drainTimer, after: Self.noticeTime)
        scheduleFlush()
    }

    private func waitForLastRequest() {
        worker.shard.set(readTimer, after: DownstreamConnection.lastRequestTime)
    }

    /// Every stream that will ever be here has begun.
    private func endGracefully() {
        session.goAway(.noError)
        worker.shard.remove(drainTimer)
        scheduleFlush()
    }

    override func cut() {
        guard !isClosed, !isLingering else { return }
        for case let stream as HTTP2Stream in session.owners { stream.exchange?.end(with: .draining, wait: 0) }
        session.goAway(.noError)
        isCut = true
        flush()
    }

    override func kill() { close() }

    override func timerFired(_ timer: ShardTimer) {
        if timer === writeTimer { return close() }
        if timer === stallTimer { return checkStalls() }
        if timer === uploadTimer { return checkUploads() }
        if timer === lingerTimer { return checkLingering() }
        if timer === drainTimer { return isAnnounced ? endGracefully() : announceEnd() }
        if isLingering { return close() }
        if session.isWithinBlock || session.streamCount == 0 {
            session.end(with: .noError)
            isEnding = true
            flush()
        }
    }

    /// A client that gives a stream no window for too long loses it.
    private func checkStalls() {
        let limit = limits.writeTimeout.nanoseconds
        for case let stream as HTTP2Stream in session.owners { stream.endIfStalled(limit, now: worker.shard.now) }
        if waitingStreams > 0 { worker.shard.set(stallTimer, after: limit / 2) }
        flush()
    }

    /// A stream was answered before its upload ended.
    func streamLingers() {
        if !lingerTimer.isSet { worker.shard.set(lingerTimer, after: DownstreamConnection.lingerTime) }
    }

    private func checkLingering() {
        var isAnyLeft = false
        for case let stream as HTTP2Stream in session.owners where stream.isLingering {
            stream.endIfLingering(now: worker.shard.now)
            isAnyLeft = true
        }
        if isAnyLeft { worker.shard.set(lingerTimer, after: DownstreamConnection.lingerTime) }
        flush()
    }

    private func checkUploads() {
        for case let stream as HTTP2Stream in session.owners { stream.checkUploadRate(limits) }
        if uploadingStreams > 0 { worker.shard.set(uploadTimer, after: limits.bodyRateWindow.nanoseconds) }
        flush()
    }

    private func linger() {
        isLingering = true
        for owner in session.owners { owner.closed(.cancel) }
        session.detachAll()
        socket.shutDownWriting()
        worker.shard.set(readTimer, after: DownstreamConnection.lingerTime)
    }

    private func drop(_ buffer: ByteBuffer, _ count: Int) {
        buffer.removeAll()
        lingered += count
        if lingered > DownstreamConnection.lingerBytes { close() }
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        for timer in [readTimer, writeTimer, stallTimer, uploadTimer, lingerTimer, drainTimer] {
            worker.shard.remove(timer)
        }
        worker.shard.remove(self)
        socket.close()
        giveOutput()
        let owners = session.owners
        session.detachAll()
        touched.removeAll()
        for owner in owners { owner.closed(.cancel) }
        worker.connectionClosed(client.label)
    }
}

extension HTTP2Settings {
    /// What clients are promised.
    init(_ limits: Limits) {
        self.init()
        headerList = limits.head
        maxStreams = limits.http2Streams
        window = limits.http2Window
        connectionWindow = limits.http2ConnectionWindow
        resets = limits.http2Resets
        controlFrames = limits.http2ControlFrames
        offersConnectProtocol = true
    }
}
