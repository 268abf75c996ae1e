import CNghttp2

/// What frames mean for streams, and what they cost.
extension HTTP2Session {
    /// A header block has come in whole.
    func headersReceived(_ stream: Int32, isRequest: Bool, isEnd: Bool) {
        owner?.headersEnded()
        if isRequest {
            if block.fault == .malformed || block.isTunnelRequest {
                abuse.note(.resets, now: now)
                return reset(stream, .protocolError)
            }
            owner?.requestBegan(stream, isEnd: isEnd)
        } else if !block.hasStatus && isEnd {
            streams[stream]?.receivedEnd(trailers: block.fault == nil ? block.trailers : [])
        } else {
            guard block.fault == nil else { return reset(stream, .protocolError) }
            streams[stream]?.answerBegan(isEnd: isEnd)
        }
    }

    /// A frame's head has come. Counted before its body is read: floods of faulty ones count too.
    func began(type: UInt8, flags: UInt8, length: Int) {
        switch UInt32(type) {
        case NGHTTP2_RST_STREAM.rawValue: abuse.note(.resets, now: now)
        case NGHTTP2_DATA.rawValue:
            if length == 0, flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) == 0 {
                abuse.note(.controlFrames, now: now)
            }
        case NGHTTP2_HEADERS.rawValue: break
        default: abuse.note(.controlFrames, now: now)
        }
    }

    /// A frame of ours went out.
    func sent(type: UInt8, flags: UInt8, stream: Int32) {
        switch UInt32(type) {
        case NGHTTP2_HEADERS.rawValue, NGHTTP2_DATA.rawValue:
            if flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0 { streams[stream]?.sentEnd() }
        default: break
        }
    }

    /// Ends a message with trailers; without any, with an empty frame.
    func submitTrailers(_ stream: Int32, _ lines: [UInt8]) {
        guard builder.takeTrailers(lines) else { return reset(stream, .internalError) }
        let text = builder.trailerText
        _ = unsafe builder.withFields(in: text) { fields, count in
            unsafe nghttp2_submit_trailer(session, stream, fields, count)
        }
    }
}
