import CNghttp2

/// What frames mean for streams, and what they cost.
extension HTTP2Session {
    /// A header block has come in whole.
    func headersReceived(_ stream: Int32, isRequest: Bool, isEnd: Bool) {
        if isRequest {
            if block.fault == .malformed || block.isTunnelRequest { return reset(stream, .protocolError) }
            owner?.requestBegan(stream, isEnd: isEnd)
        } else if !block.hasStatus && isEnd {
            streams[stream]?.receivedEnd(trailers: block.fault == nil ? block.trailers : [])
        } else {
            guard block.fault == nil else { return reset(stream, .protocolError) }
            streams[stream]?.answerBegan(isEnd: isEnd)
        }
    }

    /// Counts the frames among bytes that came, before they are read: floods of faulty ones count too.
    func count(_ bytes: Span<UInt8>) {
        var place = 0
        while let head = scan.next(bytes, from: &place) {
            switch head.type {
            case FrameScan.Head.data:
                if head.length == 0, head.flags & FrameScan.Head.endStream == 0 {
                    abuse.note(.controlFrames, now: now)
                }
            case FrameScan.Head.headers: abuse.blockBegins()
            case FrameScan.Head.continuation: abuse.blockGoesOn()
            case FrameScan.Head.resetStream: abuse.note(.resets, now: now)
            default: abuse.note(.controlFrames, now: now)
            }
        }
    }

    /// We had to end a stream: what the peer did wrong costs it as much as if it had done that itself (CVE-2025-8671).
    func sentReset(_ error: HTTP2Error) {
        switch error {
        case .noError, .cancel, .internalError, .refusedStream: break
        default: abuse.note(.resets, now: now)
        }
    }

    /// A frame of ours went out.
    func sent(type: UInt8, flags: UInt8, length: Int, stream: Int32) {
        if UInt32(type) == NGHTTP2_DATA.rawValue { abuse.notePayload(length) }
        switch UInt32(type) {
        case NGHTTP2_HEADERS.rawValue, NGHTTP2_DATA.rawValue:
            guard flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0 else { return }
            abuse.noteMessage()
            streams[stream]?.sentEnd()
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
