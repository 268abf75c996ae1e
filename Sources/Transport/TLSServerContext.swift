import COpenSSL

/// How a listener speaks TLS: its certificates by server name, versions, suites, tickets and clients' authorities.
///
/// Invariant: the `SSL_CTX` objects are complete when `init` returns and only read afterwards, which OpenSSL allows
/// from many threads. Each session keeps this object alive, so that the pointers its callbacks follow stay valid.
/// Off, because nothing here asks for them: TLS 1.0 and 1.1, renegotiation, compression, 0-RTT, CBC and RC4 suites.
@safe
public final class TLSServerContext: @unchecked Sendable {
    private static let cipherSuites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
    private static let legacySuites =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
        + "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
    /// A full TLS 1.3 handshake gives the client this many tickets: one is enough to come back with.
    private static let ticketsPerHandshake = 1

    /// The certificates; the first serves clients that name no server or an unknown one.
    public let identities: [TLSIdentity]
    let tickets: TLSTicketKeys
    private var contexts: [OpaquePointer] = unsafe []

    /// A context that chooses among `identities` by server name.
    public init(
        identities: [TLSIdentity], minimumVersion: TLSVersion, clientAuthority: TLSClientAuthority?,
        tickets: TLSTicketKeys
    ) throws(TLSError) {
        guard !identities.isEmpty else { throw TLSError("no certificate") }
        self.identities = identities
        self.tickets = tickets
        for identity in identities {
            guard let context = unsafe SSL_CTX_new(TLS_server_method()) else { throw TLSError.last("no TLS context") }
            unsafe contexts.append(context)
            try unsafe Self.configure(context, minimumVersion, scope: Self.sessionScope(clientAuthority))
            try unsafe Self.present(identity, in: context)
            if let clientAuthority { try unsafe Self.demand(clientAuthority, in: context) }
            unsafe setCallbacks(context)
        }
    }

    deinit {
        unsafe contexts.forEach { unsafe SSL_CTX_free($0) }
    }

    /// The context a handshake begins with.
    var initial: OpaquePointer { unsafe contexts[0] }

    /// What a session is good for: tickets outlive a reload, and a resumed session shows no certificate again. So one that
    /// began without a certificate, or with one of another authority, is none where this authority's is asked for.
    private static func sessionScope(_ clients: TLSClientAuthority?) throws(TLSError) -> [UInt8] {
        var text = Array("gatehouse".utf8)
        var digest = [UInt8](repeating: 0, count: Int(SSL_MAX_SID_CTX_LENGTH))
        if let clients {
            text.append(clients.mode == .required ? 1 : 0)
            for certificate in clients.authorities {
                guard unsafe X509_digest(certificate.pointer, EVP_sha256(), &digest, nil) == 1 else {
                    throw TLSError.last("the client authority cannot be used")
                }
                text += digest
            }
        }
        guard unsafe EVP_Digest(text, text.count, &digest, nil, EVP_sha256(), nil) == 1 else {
            throw TLSError.last("TLS cannot be set up")
        }
        return digest
    }

    private static func configure(
        _ context: OpaquePointer, _ minimumVersion: TLSVersion, scope: [UInt8]
    ) throws(TLSError) {
        let version = minimumVersion == .v13 ? TLS1_3_VERSION : TLS1_2_VERSION
        unsafe SSL_CTX_set_options(context, copenssl_server_options)
        let mode = SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS
        unsafe copenssl_context_set_mode(context, Int(mode))
        unsafe copenssl_context_set_read_ahead(context, 1)
        unsafe copenssl_context_set_session_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
        unsafe SSL_CTX_set_num_tickets(context, ticketsPerHandshake)
        let ready =
            unsafe copenssl_context_set_min_version(context, version) == 1
            && SSL_CTX_set_cipher_list(context, legacySuites) == 1
            && SSL_CTX_set_ciphersuites(context, cipherSuites) == 1
            && copenssl_context_set_groups(context, "X25519:P-256:P-384") == 1
            && SSL_CTX_set_session_id_context(context, scope, UInt32(scope.count)) == 1
        guard ready else { throw TLSError.last("TLS cannot be set up") }
    }

    private static func present(_ identity: TLSIdentity, in context: OpaquePointer) throws(TLSError) {
        var ready =
            unsafe SSL_CTX_use_certificate(context, identity.chain[0].pointer) == 1
            && SSL_CTX_use_PrivateKey(context, identity.key.pointer) == 1
        for certificate in identity.chain.dropFirst() {
            ready = unsafe ready && copenssl_context_add_chain_certificate(context, certificate.pointer) == 1
        }
        guard ready else { throw TLSError.last("the certificate cannot be used") }
    }

    private static func demand(_ authority: TLSClientAuthority, in context: OpaquePointer) throws(TLSError) {
        guard let store = unsafe SSL_CTX_get_cert_store(context) else { throw TLSError.last("no certificate store") }
        for certificate in authority.authorities {
            guard unsafe X509_STORE_add_cert(store, certificate.pointer) == 1,
                unsafe SSL_CTX_add_client_CA(context, certificate.pointer) == 1
            else { throw TLSError.last("a client authority cannot be used") }
        }
        let strictness = authority.mode == .required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0
        unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER | strictness, nil)
    }

    private func setCallbacks(_ context: OpaquePointer) {
        let argument = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe SSL_CTX_set_ex_data(context, Self.ownerIndex, argument)
        unsafe copenssl_context_on_server_name(
            context, { ssl, _, argument in unsafe TLSServerContext.chooseIdentity(ssl, argument) }, argument)
        unsafe SSL_CTX_set_alpn_select_cb(
            context,
            { _, chosen, chosenCount, offered, offeredCount, _ in
                unsafe TLSServerContext.chooseProtocol(chosen, chosenCount, offered, offeredCount)
            }, nil)
        unsafe copenssl_context_on_ticket_key(
            context,
            { ssl, name, iv, cipher, mac, isSealing in
                unsafe TLSTicketSealing.prepare(ssl, name, iv, cipher, mac, isSealing: isSealing == 1)
            })
    }

    /// Where a context keeps the object that made it.
    private static let ownerIndex = copenssl_context_new_index()

    /// The object that made a session's context.
    static func owner(of ssl: OpaquePointer?) -> TLSServerContext? {
        guard let context = unsafe SSL_get_SSL_CTX(ssl), let owner = unsafe SSL_CTX_get_ex_data(context, ownerIndex)
        else { return nil }
        return unsafe Unmanaged<TLSServerContext>.fromOpaque(owner).takeUnretainedValue()
    }

    /// The certificate for `name` (lower case): one that has it, or the first.
    public func identityIndex(for name: String) -> Int? {
        identities.firstIndex { $0.covers(name) }
    }

    private static func chooseIdentity(_ ssl: OpaquePointer?, _ argument: UnsafeMutableRawPointer?) -> Int32 {
        guard let ssl = unsafe ssl, let argument = unsafe argument,
            let name = unsafe SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)
        else { return SSL_TLSEXT_ERR_NOACK }
        let owner = unsafe Unmanaged<TLSServerContext>.fromOpaque(argument).takeUnretainedValue()
        if let index = unsafe owner.identityIndex(for: String(cString: name).lowercased()), index > 0 {
            unsafe SSL_set_SSL_CTX(ssl, owner.contexts[index])
        }
        return SSL_TLSEXT_ERR_OK
    }

    /// Protocols by preference. HTTP/1.0 clients that speak ALPN at all name their own.
    private static let protocols = ["h2", "http/1.1", "http/1.0"]

    /// Picks a protocol from the client's list; without an overlap the handshake fails (RFC 7301 §3.2).
    private static func chooseProtocol(
        _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?, _ chosenCount: UnsafeMutablePointer<UInt8>?,
        _ offered: UnsafePointer<UInt8>?, _ offeredCount: UInt32
    ) -> Int32 {
        let list = unsafe UnsafeBufferPointer(start: offered, count: Int(offeredCount))
        for wanted in protocols {
            var place = 0
            while place < list.count {
                let count = unsafe Int(list[place])
                guard place + count < list.count else { break }
                let name = unsafe UnsafeBufferPointer(rebasing: list[place + 1..<place + 1 + count])
                if unsafe name.elementsEqual(wanted.utf8) {
                    unsafe chosen?.pointee = name.baseAddress
                    unsafe chosenCount?.pointee = UInt8(count)
                    return SSL_TLSEXT_ERR_OK
                }
                place += 1 + count
            }
        }
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }
}
