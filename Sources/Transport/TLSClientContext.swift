import COpenSSL

/// How upstream connections speak TLS: the chain is verified against `TLSTrust`, and the name is compared.
///
/// Invariant: complete when `init` returns, only read afterwards; sessions keep it alive.
@safe
public final class TLSClientContext: @unchecked Sendable {
    let context: OpaquePointer

    /// A context that trusts `trust`.
    public init(trust: TLSTrust) throws(TLSError) {
        guard let context = unsafe SSL_CTX_new(TLS_client_method()) else { throw TLSError.last("no TLS context") }
        unsafe self.context = unsafe context
        unsafe SSL_CTX_set_options(context, copenssl_client_options)
        let mode = SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS
        unsafe copenssl_context_set_mode(context, Int(mode))
        unsafe copenssl_context_set_read_ahead(context, 1)
        unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        guard unsafe copenssl_context_set_min_version(context, TLS1_2_VERSION) == 1 else {
            throw TLSError.last("TLS cannot be set up")
        }
        if trust.authorities.isEmpty {
            guard unsafe SSL_CTX_set_default_verify_paths(context) == 1 else {
                throw TLSError.last("the machine's certificate authorities cannot be read")
            }
        } else {
            let store = unsafe SSL_CTX_get_cert_store(context)
            for certificate in trust.authorities {
                guard unsafe X509_STORE_add_cert(store, certificate.pointer) == 1 else {
                    throw TLSError.last("the authority cannot be used")
                }
            }
        }
    }

    deinit { unsafe SSL_CTX_free(context) }
}
