import COpenSSL

@testable import Transport

/// A TLS client that does what the tests ask and checks nothing: the peer of `TLSServerContext`.
@safe
final class PlainClient {
    /// What it offers.
    struct Offer {
        var lowest = TLS1_2_VERSION
        var highest = TLS1_3_VERSION
        var suites: String?
        var serverName: String?
        var protocols: [String] = []
        var session: Session?
        var identity: TLSIdentity?
    }

    /// What it can come back with.
    @safe
    final class Session {
        fileprivate let pointer: OpaquePointer
        fileprivate init(_ pointer: OpaquePointer) { unsafe self.pointer = pointer }
        deinit { unsafe SSL_SESSION_free(pointer) }
    }

    private let context: OpaquePointer
    private let ssl: OpaquePointer
    private let pair: Pair

    init?(_ offer: Offer, on pair: Pair) {
        guard let context = unsafe SSL_CTX_new(TLS_client_method()) else { return nil }
        unsafe SSL_CTX_set_security_level(context, 0)
        unsafe SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(offer.lowest), nil)
        unsafe SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(offer.highest), nil)
        if let suites = offer.suites { unsafe SSL_CTX_set_cipher_list(context, suites) }
        if let identity = offer.identity {
            unsafe SSL_CTX_use_certificate(context, identity.chain[0].pointer)
            unsafe SSL_CTX_use_PrivateKey(context, identity.key.pointer)
        }
        guard let ssl = unsafe SSL_new(context) else { return nil }
        unsafe self.context = unsafe context
        unsafe self.ssl = unsafe ssl
        self.pair = pair
        if let name = offer.serverName { _ = unsafe copenssl_set_server_name(ssl, name) }
        let list = offer.protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
        if !list.isEmpty { unsafe SSL_set_alpn_protos(ssl, list, UInt32(list.count)) }
        if let session = offer.session { unsafe SSL_set_session(ssl, session.pointer) }
        unsafe SSL_set_fd(ssl, pair.far)
        unsafe SSL_set_connect_state(ssl)
    }

    deinit {
        unsafe SSL_free(ssl)
        unsafe SSL_CTX_free(context)
    }

    func handshake() -> TLSSession.Handshake {
        ERR_clear_error()
        let result = unsafe SSL_do_handshake(ssl)
        if result == 1 { return .complete }
        switch unsafe SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return .needsReadable
        case SSL_ERROR_WANT_WRITE: return .needsWritable
        default:
            let reason = unsafe ERR_reason_error_string(ERR_peek_last_error())
            ERR_clear_error()
            return .failed(unsafe reason.map { unsafe String(cString: $0) } ?? "the connection ended")
        }
    }

    /// Reads what came behind the handshake: tickets. The connection is over then.
    func settle() {
        var byte: UInt8 = 0
        unsafe SSL_read(ssl, &byte, 1)
        ERR_clear_error()
        // OpenSSL does not come back with the session of a connection that was not shut down.
        unsafe SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
    }

    var isResumed: Bool { unsafe SSL_session_reused(ssl) == 1 }

    var session: Session? { unsafe SSL_get1_session(ssl).map { unsafe Session($0) } }

    /// The names in the certificate that the server showed.
    var peerNames: [String] {
        unsafe SSL_get1_peer_certificate(ssl).map { unsafe CertificateReference($0).serverNames } ?? []
    }

    /// What ALPN agreed on.
    var agreedProtocol: String {
        var name: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        unsafe SSL_get0_alpn_selected(ssl, &name, &count)
        return unsafe String(decoding: UnsafeBufferPointer(start: name, count: Int(count)), as: UTF8.self)
    }
}

/// Two sides of a handshake that take turns, until neither goes on.
enum Negotiation {
    struct Outcome {
        var server = TLSSession.Handshake.needsReadable
        var client = TLSSession.Handshake.needsReadable

        var isComplete: Bool { server.isComplete && client.isComplete }
    }

    static func run(server: TLSSession?, client: () -> TLSSession.Handshake?) -> Outcome {
        var outcome = Outcome()
        guard let server else { return outcome }
        for _ in 0..<40 {
            if outcome.client.isOpen { outcome.client = client() ?? .failed("no client") }
            if outcome.server.isOpen { outcome.server = server.handshake() }
        }
        return outcome
    }
}

extension TLSSession.Handshake {
    var isComplete: Bool { if case .complete = self { true } else { false } }
    var isFailed: Bool { if case .failed = self { true } else { false } }
    var isOpen: Bool { !isComplete && !isFailed }
    var reason: String { if case .failed(let reason) = self { reason } else { "" } }
}
