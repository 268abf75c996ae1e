import COpenSSL

/// What one read or write on a connection came to.
public enum TransferOutcome: Equatable, Sendable {
    /// This many bytes went through.
    case bytes(Int)
    /// Nothing can be done until the socket is readable.
    case needsReadable
    /// Nothing can be done until the socket is writable.
    case needsWritable
    /// The peer ended its side in order.
    case ended
    /// The connection is broken.
    case failed
}

/// One TLS connection over a non-blocking socket.
///
/// Invariant: used on its shard's queue only; `ssl` is made in `init`, freed in `deinit`, and never leaves this file. The
/// socket belongs to `StreamSocket`, which outlives this object's last call. OpenSSL's error queue belongs to the thread,
/// so it is empty before each call whose result is asked for with `SSL_get_error`.
@safe
public final class TLSSession {
    /// How far a handshake is.
    public enum Handshake: Sendable {
        /// Both sides agree.
        case complete
        /// Waits for bytes from the peer.
        case needsReadable
        /// Waits until the socket takes more.
        case needsWritable
        /// It cannot succeed; the reason is OpenSSL's word.
        case failed(String)
    }

    private let ssl: OpaquePointer
    private let owner: AnyObject
    private let isServer: Bool

    /// The server's side of a connection on `descriptor`.
    public init?(server context: TLSServerContext, descriptor: Int32) {
        guard let ssl = unsafe SSL_new(context.initial) else { return nil }
        unsafe self.ssl = unsafe ssl
        owner = context
        isServer = true
        guard unsafe SSL_set_fd(ssl, descriptor) == 1 else { return nil }
        unsafe SSL_set_accept_state(ssl)
    }

    /// The client's side of a connection on `descriptor`; the peer's certificate has to be for `serverName`.
    /// `offersHTTP2` lets it choose that (ALPN).
    public init?(client context: TLSClientContext, descriptor: Int32, serverName: String, offersHTTP2: Bool = false) {
        guard let ssl = unsafe SSL_new(context.context) else { return nil }
        unsafe self.ssl = unsafe ssl
        owner = context
        isServer = false
        guard unsafe SSL_set_fd(ssl, descriptor) == 1 else { return nil }
        if SocketAddress(host: serverName, port: 0) != nil {
            let bare = serverName.filter { $0 != "[" && $0 != "]" }
            guard unsafe X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), bare) == 1 else { return nil }
        } else {
            guard unsafe SSL_set1_host(ssl, serverName) == 1, unsafe copenssl_set_server_name(ssl, serverName) == 1
            else { return nil }
        }
        if offersHTTP2 {
            let offer: [UInt8] = [2] + Array("h2".utf8) + [8] + Array("http/1.1".utf8)
            unsafe SSL_set_alpn_protos(ssl, offer, UInt32(offer.count))
        }
        unsafe SSL_set_connect_state(ssl)
    }

    deinit { unsafe SSL_free(ssl) }

    /// Goes on with the handshake as far as the socket allows.
    public func handshake() -> Handshake {
        ERR_clear_error()
        let result = unsafe SSL_do_handshake(ssl)
        if result == 1 { return .complete }
        switch unsafe SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return .needsReadable
        case SSL_ERROR_WANT_WRITE: return .needsWritable
        default: return .failed(failureReason())
        }
    }

    private func failureReason() -> String {
        let verification = unsafe SSL_get_verify_result(ssl)
        let code = ERR_peek_last_error()
        ERR_clear_error()
        if verification != Int(X509_V_OK), let text = unsafe X509_verify_cert_error_string(verification) {
            return unsafe String(cString: text)
        }
        guard code != 0, let text = unsafe ERR_reason_error_string(code) else { return "the connection ended" }
        return unsafe String(cString: text)
    }

    /// What another call of this thread left, if anything: looking costs less than emptying.
    @inline(__always)
    private static func forgetErrors() { if ERR_peek_error() != 0 { ERR_clear_error() } }

    /// Decrypts what one call gives, up to `limit` bytes, into `buffer`.
    @inline(__always)
    public func read(into buffer: ByteBuffer, limit: Int) -> TransferOutcome {
        Self.forgetErrors()
        let got = unsafe buffer.fill(limit) { place, room in
            unsafe Int(SSL_read(ssl, place, Int32(truncatingIfNeeded: min(room, 1 << 20))))
        }
        return got > 0 ? .bytes(got) : outcome(of: Int32(truncatingIfNeeded: got))
    }

    /// OpenSSL holds bytes that the socket will not announce again.
    @inline(__always)
    public var hasPending: Bool { unsafe SSL_has_pending(ssl) == 1 }

    /// Encrypts and sends what fits.
    @inline(__always)
    public func write(_ bytes: Span<UInt8>) -> TransferOutcome {
        if bytes.isEmpty { return .bytes(0) }
        Self.forgetErrors()
        let count = Int32(truncatingIfNeeded: min(bytes.count, 1 << 20))
        let sent = unsafe bytes.withUnsafeBufferPointer { unsafe SSL_write(ssl, $0.baseAddress, count) }
        return sent > 0 ? .bytes(Int(sent)) : outcome(of: sent)
    }

    @inline(never)
    private func outcome(of result: Int32) -> TransferOutcome {
        switch unsafe SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return .needsReadable
        case SSL_ERROR_WANT_WRITE: return .needsWritable
        case SSL_ERROR_ZERO_RETURN: return .ended
        default:
            ERR_clear_error()
            return .failed
        }
    }

    /// Sends `close_notify`; does not wait for the peer's (RFC 8446 §6.1 allows that).
    public func sendCloseNotify() {
        guard unsafe SSL_is_init_finished(ssl) == 1 else { return }
        ERR_clear_error()
        unsafe SSL_shutdown(ssl)
        ERR_clear_error()
    }

    /// TLS 1.3 was agreed on, else 1.2.
    public var isVersion13: Bool { unsafe SSL_version(ssl) == TLS1_3_VERSION }

    /// The session came from a ticket, without a full handshake.
    public var isResumed: Bool { unsafe SSL_session_reused(ssl) == 1 }

    /// The client chose HTTP/2 (ALPN).
    public var isHTTP2: Bool {
        var name: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        unsafe SSL_get0_alpn_selected(ssl, &name, &count)
        guard count == 2, let name = unsafe name else { return false }
        return unsafe name[0] == UInt8(ascii: "h") && name[1] == UInt8(ascii: "2")
    }

    /// The server name the client asked for, lower case.
    public var serverName: String? {
        guard let name = unsafe SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) else { return nil }
        return unsafe String(cString: name).lowercased()
    }
}
