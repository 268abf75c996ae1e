import CNghttp2
import Transport

/// nghttp2's side of `HTTP2Session`: how a session is set up, and the functions that it calls.
///
/// Invariant: every callback gets the session's `HTTP2Session` as user data, which outlives the call. Pointers that it
/// hands over are valid during the call and become spans of that length, which do not leave it.
@safe
enum HTTP2Callbacks {
    /// Frames of acknowledgement that may wait to be sent at most: who does not read them is cut off.
    private static let outboundAcknowledgements = 512
    /// Entries of one SETTINGS frame.
    private static let settingsAtMost = 32

    static func makeSession(isServer: Bool) -> OpaquePointer {
        var callbacks: OpaquePointer?
        var option: OpaquePointer?
        var session: OpaquePointer?
        unsafe nghttp2_session_callbacks_new(&callbacks)
        unsafe nghttp2_option_new(&option)
        defer {
            unsafe nghttp2_session_callbacks_del(callbacks)
            unsafe nghttp2_option_del(option)
        }
        unsafe register(callbacks)
        // Windows open as the other side takes the bytes, not as they arrive.
        unsafe nghttp2_option_set_no_auto_window_update(option, 1)
        unsafe nghttp2_option_set_no_closed_streams(option, 1)
        unsafe nghttp2_option_set_max_outbound_ack(option, outboundAcknowledgements)
        unsafe nghttp2_option_set_max_settings(option, settingsAtMost)
        let result =
            isServer
            ? unsafe nghttp2_session_server_new2(&session, callbacks, nil, option)
            : unsafe nghttp2_session_client_new2(&session, callbacks, nil, option)
        guard result == 0, let made = unsafe session else { preconditionFailure("out of memory") }
        return unsafe made
    }

    static func attach(_ owner: HTTP2Session) {
        unsafe nghttp2_session_set_user_data(owner.session, Unmanaged.passUnretained(owner).toOpaque())
    }

    /// Asks the stream's owner.
    static var provider: nghttp2_data_provider {
        unsafe nghttp2_data_provider(source: nghttp2_data_source(), read_callback: read)
    }

    private static func register(_ callbacks: OpaquePointer?) {
        unsafe nghttp2_session_callbacks_set_send_callback(callbacks, send)
        unsafe nghttp2_session_callbacks_set_send_data_callback(callbacks, sendData)
        unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frameReceived)
        unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, headersBegan)
        unsafe nghttp2_session_callbacks_set_on_header_callback(callbacks, header)
        unsafe nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, invalidHeader)
        unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, data)
        unsafe nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, frameSent)
        unsafe nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, streamClosed)
    }

    private static func owner(_ userData: UnsafeMutableRawPointer?) -> HTTP2Session? {
        guard let userData = unsafe userData else { return nil }
        return unsafe Unmanaged<HTTP2Session>.fromOpaque(userData).takeUnretainedValue()
    }

    private static let failed = Int32(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
    private static let streamFailed = Int32(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)

    // MARK: Sending

    private static let send: nghttp2_send_callback = { _, bytes, count, _, userData in
        guard let session = unsafe owner(userData), let sink = session.sink, let bytes = unsafe bytes else {
            return Int(failed)
        }
        guard sink.readableCount < session.sinkLimit else { return Int(NGHTTP2_ERR_WOULDBLOCK.rawValue) }
        unsafe sink.append(Span(_unsafeStart: bytes, count: count))
        return count
    }

    private static let read: nghttp2_data_source_read_callback = { _, stream, _, limit, flags, _, userData in
        guard let session = unsafe owner(userData), let owner = session.streams[stream] else {
            return Int(streamFailed)
        }
        let count = min(owner.pendingOutput?.readableCount ?? 0, limit)
        let isLast = count == owner.pendingOutput?.readableCount ?? 0
        switch owner.outputEnd {
        case .open: if count == 0 { return Int(NGHTTP2_ERR_DEFERRED.rawValue) }
        case .ended: if isLast { unsafe flags?.pointee |= UInt32(NGHTTP2_DATA_FLAG_EOF.rawValue) }
        case .trailers(let lines):
            guard isLast else { break }
            unsafe flags?.pointee |=
                UInt32(NGHTTP2_DATA_FLAG_EOF.rawValue) | UInt32(NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue)
            session.submitTrailers(stream, lines)
        }
        unsafe flags?.pointee |= UInt32(NGHTTP2_DATA_FLAG_NO_COPY.rawValue)
        return count
    }

    private static let sendData: nghttp2_send_data_callback = { _, frame, head, count, _, userData in
        guard let session = unsafe owner(userData), let sink = session.sink, let frame = unsafe frame,
            let head = unsafe head
        else { return failed }
        guard sink.readableCount < session.sinkLimit else { return Int32(NGHTTP2_ERR_WOULDBLOCK.rawValue) }
        let stream = unsafe frame.pointee.hd.stream_id
        guard let owner = session.streams[stream] else { return streamFailed }
        unsafe sink.append(Span(_unsafeStart: head, count: 9))
        if count > 0, let pending = owner.pendingOutput {
            sink.append(pending.readable, 0..<count)
            owner.sent(count)
        }
        return 0
    }

    private static let frameSent: nghttp2_on_frame_send_callback = { _, frame, userData in
        guard let session = unsafe owner(userData), let frame = unsafe frame else { return 0 }
        if unsafe UInt32(frame.pointee.hd.type) == NGHTTP2_RST_STREAM.rawValue {
            session.sentReset(HTTP2Error(rawValue: unsafe frame.pointee.rst_stream.error_code))
        }
        session.sent(
            type: unsafe frame.pointee.hd.type, flags: unsafe frame.pointee.hd.flags,
            length: unsafe frame.pointee.hd.length, stream: unsafe frame.pointee.hd.stream_id)
        return 0
    }

    // MARK: Receiving

    private static let frameReceived: nghttp2_on_frame_recv_callback = { _, frame, userData in
        guard let session = unsafe owner(userData), let frame = unsafe frame else { return 0 }
        let isEnd = unsafe frame.pointee.hd.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
        let stream = unsafe frame.pointee.hd.stream_id
        switch unsafe UInt32(frame.pointee.hd.type) {
        case NGHTTP2_HEADERS.rawValue:
            session.headersReceived(
                stream, isRequest: unsafe frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST, isEnd: isEnd)
        case NGHTTP2_DATA.rawValue:
            if isEnd { session.streams[stream]?.receivedEnd(trailers: []) }
        case NGHTTP2_GOAWAY.rawValue:
            session.owner?.goAwayReceived(last: unsafe frame.pointee.goaway.last_stream_id)
        case NGHTTP2_SETTINGS.rawValue: session.owner?.settingsReceived()
        default: break
        }
        return 0
    }

    private static let headersBegan: nghttp2_on_begin_headers_callback = { _, _, userData in
        guard let session = unsafe owner(userData) else { return 0 }
        session.block.begin()
        return 0
    }

    private static let header: nghttp2_on_header_callback = { _, _, name, nameCount, value, valueCount, _, userData in
        guard let session = unsafe owner(userData), let name = unsafe name else { return 0 }
        let nameBytes = unsafe Span(_unsafeStart: name, count: nameCount)
        if let value = unsafe value {
            session.block.add(nameBytes, unsafe Span(_unsafeStart: value, count: valueCount))
        } else {
            session.block.add(nameBytes, Span())
        }
        return session.block.fault == .flood ? failed : 0
    }

    /// What nghttp2 would pass over is malformed to us (RFC 9113 §8.2.1).
    private static let invalidHeader: nghttp2_on_invalid_header_callback = { _, _, _, _, _, _, _, _ in streamFailed }

    private static let data: nghttp2_on_data_chunk_recv_callback = { _, _, stream, bytes, count, userData in
        guard let session = unsafe owner(userData), let bytes = unsafe bytes else { return 0 }
        guard let owner = session.streams[stream] else {
            session.consume(stream, count)
            return 0
        }
        unsafe owner.received(Span(_unsafeStart: bytes, count: count))
        return 0
    }

    private static let streamClosed: nghttp2_on_stream_close_callback = { _, stream, code, userData in
        guard let session = unsafe owner(userData) else { return 0 }
        session.streams.removeValue(forKey: stream)?.closed(HTTP2Error(rawValue: code))
        return 0
    }
}
