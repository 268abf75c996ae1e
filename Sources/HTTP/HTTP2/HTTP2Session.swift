import CNghttp2
public import Transport

/// What happens on an HTTP/2 connection, told to who owns it. Called while bytes are taken or sent: submitting more is
/// allowed then, taking and sending is not.
public protocol HTTP2SessionOwner: AnyObject {
    /// A request's head is here (`HTTP2Session.block`), on a server. `isEnd`: it has no body.
    func requestBegan(_ stream: Int32, isEnd: Bool)
    /// The peer will take no further streams; those above `last` were not looked at.
    func goAwayReceived(last: Int32)
    /// The peer's settings are here.
    func settingsReceived()
}

/// One stream's side of that.
public protocol HTTP2StreamOwner: AnyObject {
    /// A head of an answer is here (`HTTP2Session.block`), on a client.
    func answerBegan(isEnd: Bool)
    /// A piece of the peer's body. It gets its window back by `HTTP2Session.consume`.
    func received(_ bytes: Span<UInt8>)
    /// The peer's message is complete.
    func receivedEnd(trailers: [UInt8])
    /// Bytes that wait to be sent.
    var pendingOutput: ByteBuffer? { get }
    /// Nothing more will be added to `pendingOutput`; these trailers follow it.
    var outputEnd: HTTP2OutputEnd { get }
    /// So many of the waiting bytes went out.
    func sent(_ count: Int)
    /// The last frame of our message went out.
    func sentEnd()
    /// The stream is over, in order or not.
    func closed(_ error: HTTP2Error)
}

/// How our message of a stream ends.
public enum HTTP2OutputEnd {
    /// It goes on.
    case open
    /// It ends behind the waiting bytes.
    case ended
    /// It ends with these trailer lines behind the waiting bytes.
    case trailers([UInt8])
}

/// One HTTP/2 connection (RFC 9113) by nghttp2, without I/O: bytes in, events out; submissions in, bytes out.
///
/// Invariant: used on one shard's queue. `session` is made in `init`, freed in `deinit`, and never leaves this type; its
/// callbacks get `self` unretained, which lives as long as the session. nghttp2 is never entered again from a callback
/// except by submissions (`isInside`). A stream's owner is held from `attach` until the stream closes.
@safe
public final class HTTP2Session {
    /// Why a connection cannot go on.
    public enum Failure: Error, Sendable {
        /// The peer is no HTTP/2 client or broke the connection's rules; a GOAWAY is ready to be sent.
        case connection
        /// It asks too much; a GOAWAY with ENHANCE_YOUR_CALM is ready to be sent.
        case abuse
    }

    let session: OpaquePointer
    let settings: HTTP2Settings
    /// The owner of the connection; without one, events are dropped.
    public weak var owner: (any HTTP2SessionOwner)?
    /// The header block at hand, in the calls that announce it.
    public internal(set) var block: HeaderBlock
    var streams: [Int32: any HTTP2StreamOwner] = [:]
    var abuse: HTTP2Abuse
    var scan: FrameScan
    /// Now, in nanoseconds, of the bytes at hand.
    var now: Int64 = 0
    var sink: ByteBuffer?
    var sinkLimit = 0
    var isInside = false
    var isFailing = false
    var builder = HTTP2Fields()
    let isServer: Bool

    /// The state of a new connection whose SETTINGS are ready to be sent.
    public init(isServer: Bool, settings: HTTP2Settings, now: Int64) {
        self.isServer = isServer
        self.settings = settings
        self.now = now
        block = HeaderBlock(limit: settings.headerList)
        abuse = HTTP2Abuse(settings, now: now)
        scan = FrameScan(preface: isServer ? 24 : 0)
        unsafe session = HTTP2Callbacks.makeSession(isServer: isServer)
        HTTP2Callbacks.attach(self)
        submitSettings()
    }

    deinit { unsafe nghttp2_session_del(session) }

    private func submitSettings() {
        var entries = [
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue),
                value: UInt32(settings.maxStreams)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue), value: UInt32(settings.window)),
        ]
        if isServer {
            entries.append(
                nghttp2_settings_entry(
                    settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue),
                    value: UInt32(settings.headerList)))
            if settings.offersConnectProtocol {
                entries.append(
                    nghttp2_settings_entry(
                        settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL.rawValue), value: 1))
            }
        } else {
            entries.append(
                nghttp2_settings_entry(settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0))
        }
        unsafe nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), entries, entries.count)
        unsafe nghttp2_session_set_local_window_size(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, Int32(settings.connectionWindow))
    }

    // MARK: Bytes

    /// Takes all of `bytes`.
    public func receive(_ bytes: Span<UInt8>, now: Int64) throws(Failure) {
        precondition(!isInside)
        self.now = now
        count(bytes)
        if abuse.exceeded != nil {
            end(with: .enhanceYourCalm)
            throw .abuse
        }
        isInside = true
        defer { isInside = false }
        let taken = unsafe bytes.withUnsafeBufferPointer {
            unsafe nghttp2_session_mem_recv(session, $0.baseAddress, $0.count)
        }
        let isFlooded = taken == Int(NGHTTP2_ERR_FLOODED.rawValue)
        if abuse.exceeded != nil || block.fault == .flood || isFlooded {
            end(with: .enhanceYourCalm)
            throw .abuse
        }
        if taken < 0 {
            if !isFailing { end(with: .protocolError) }
            throw .connection
        }
    }

    /// Appends what is ready to be sent to `output`, until that holds `limit` bytes. False when the session is broken.
    public func send(into output: ByteBuffer, limit: Int, now: Int64) -> Bool {
        precondition(!isInside)
        self.now = now
        isInside = true
        sink = output
        sinkLimit = limit
        defer {
            isInside = false
            sink = nil
        }
        return unsafe nghttp2_session_send(session) == 0
    }

    /// What was too much were resets.
    public var exceededResets: Bool { abuse.exceeded == .resets }

    /// The peer has begun a header block that is not whole.
    public var isWithinBlock: Bool { scan.isWithinBlock }

    /// Bytes are being taken or sent: more can be submitted, and is sent later.
    public var isBusy: Bool { isInside }

    /// There is something to send, and the windows allow it.
    public var wantsToSend: Bool { unsafe nghttp2_session_want_write(session) != 0 }

    /// The connection has more to come; false when it is over as soon as everything is sent.
    public var wantsToReceive: Bool { unsafe nghttp2_session_want_read(session) != 0 }

    // MARK: Streams

    /// Streams with an owner.
    public var streamCount: Int { streams.count }

    /// The owners of all open streams.
    public var owners: [any HTTP2StreamOwner] { Array(streams.values) }

    /// From now on `stream` tells `owner`.
    public func attach(_ owner: any HTTP2StreamOwner, to stream: Int32) { streams[stream] = owner }

    /// Forgets every owner: the connection is gone.
    public func detachAll() { streams = [:] }

    /// Sends the head that `text` holds, as HTTP/1.1 writes it, and then what the stream's owner has. Framing and
    /// connection fields are left out, names become lower case in place.
    public func submitResponse(_ stream: Int32, text: ByteBuffer, isEnd: Bool) {
        guard builder.takeResponse(text) else { return reset(stream, .internalError) }
        let result = unsafe builder.withFields(in: text) { fields, count in
            if isEnd { return unsafe nghttp2_submit_response(session, stream, fields, count, nil) }
            var provider = unsafe HTTP2Callbacks.provider
            return unsafe nghttp2_submit_response(session, stream, fields, count, &provider)
        }
        if result != 0 { reset(stream, .internalError) }
    }

    /// Sends an interim head.
    public func submitInterim(_ stream: Int32, text: ByteBuffer) {
        guard builder.takeResponse(text) else { return }
        _ = unsafe builder.withFields(in: text) { fields, count in
            unsafe nghttp2_submit_headers(
                session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, nil, fields, count, nil)
        }
    }

    /// Opens a stream with the request that `text` holds as HTTP/1.1 writes it; nil when there can be none now.
    public func submitRequest(text: ByteBuffer, scheme: StaticString, isEnd: Bool) -> Int32? {
        guard builder.takeRequest(text, scheme: scheme) else { return nil }
        let id = unsafe builder.withFields(in: text) { fields, count in
            if isEnd { return unsafe nghttp2_submit_request(session, nil, fields, count, nil, nil) }
            var provider = unsafe HTTP2Callbacks.provider
            return unsafe nghttp2_submit_request(session, nil, fields, count, &provider, nil)
        }
        return id > 0 ? id : nil
    }

    /// The owner has more to send, or its message has ended.
    public func resume(_ stream: Int32) { unsafe nghttp2_session_resume_data(session, stream) }

    /// Ends a stream at once.
    public func reset(_ stream: Int32, _ error: HTTP2Error) {
        unsafe nghttp2_submit_rst_stream(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, error.rawValue)
    }

    /// The peer may send so much more on the stream and on the connection.
    public func consume(_ stream: Int32, _ count: Int) {
        guard count > 0 else { return }
        unsafe nghttp2_session_consume(session, stream, count)
    }

    /// The peer may send so much more on the connection; the stream's own window stays as it is.
    public func consumeConnection(_ count: Int) {
        guard count > 0 else { return }
        unsafe nghttp2_session_consume_connection(session, count)
    }

    /// The peer may send so much more on the stream, whose bytes were counted on the connection already.
    public func consumeStream(_ stream: Int32, _ count: Int) {
        guard count > 0 else { return }
        unsafe nghttp2_session_consume_stream(session, stream, count)
    }

    // MARK: Ends

    /// Announces that the connection will end, so that the peer opens no more streams (RFC 9113 §6.8).
    public func announceEnd() { unsafe nghttp2_submit_shutdown_notice(session) }

    /// Takes no more streams than have come in.
    public func goAway(_ error: HTTP2Error) {
        let last = unsafe nghttp2_session_get_last_proc_stream_id(session)
        unsafe nghttp2_submit_goaway(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, error.rawValue, nil, 0)
    }

    /// Ends the connection with a GOAWAY, all streams with it.
    public func end(with error: HTTP2Error) {
        isFailing = true
        unsafe nghttp2_session_terminate_session(session, error.rawValue)
    }

    /// Streams that the peer lets us have at once.
    public var peerStreamLimit: Int {
        Int(unsafe nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS))
    }

    /// The peer takes extended CONNECT (RFC 8441).
    public var peerTakesConnectProtocol: Bool {
        unsafe nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1
    }
}
