import COpenSSL

/// Reads certificates and private keys from PEM text.
///
/// Invariant: each `X509` and `EVP_PKEY` made here is owned by exactly one `CertificateReference` or `KeyReference`,
/// whose `deinit` frees it. OpenSSL counts references atomically, so that both may be shared among threads.
enum PEM {
    /// Every certificate in `pem`, in order.
    static func certificates(_ pem: [UInt8]) throws(TLSError) -> [CertificateReference] {
        guard let bio = unsafe memory(pem) else { throw TLSError("out of memory") }
        defer { unsafe BIO_free(bio) }
        var found: [CertificateReference] = []
        ERR_clear_error()
        while let certificate = unsafe PEM_read_bio_X509(bio, nil, nil, nil) {
            unsafe found.append(CertificateReference(certificate))
        }
        if copenssl_error_reason(ERR_peek_last_error()) != UInt(PEM_R_NO_START_LINE) {
            throw TLSError.last("a certificate in it cannot be read")
        }
        ERR_clear_error()
        if found.isEmpty { throw TLSError("it holds no certificate (-----BEGIN CERTIFICATE-----)") }
        return found
    }

    /// The private key in `pem`. A pass phrase is not asked for: an encrypted key is an error.
    static func privateKey(_ pem: [UInt8]) throws(TLSError) -> KeyReference {
        guard let bio = unsafe memory(pem) else { throw TLSError("out of memory") }
        defer { unsafe BIO_free(bio) }
        ERR_clear_error()
        let refusePassPhrase:
            @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32 =
                { _, _, _, _ in -1 }
        guard let key = unsafe PEM_read_bio_PrivateKey(bio, nil, refusePassPhrase, nil) else {
            throw TLSError.last("the private key cannot be read (it has to be PEM without a pass phrase)")
        }
        return unsafe KeyReference(key)
    }

    private static func memory(_ bytes: [UInt8]) -> OpaquePointer? {
        guard let bio = unsafe BIO_new(BIO_s_mem()) else { return nil }
        let written = unsafe bytes.withUnsafeBytes { unsafe BIO_write(bio, $0.baseAddress, Int32(clamping: $0.count)) }
        guard written == Int32(clamping: bytes.count) else {
            unsafe BIO_free(bio)
            return nil
        }
        return unsafe bio
    }
}

/// One certificate. Immutable after it was read.
@safe
final class CertificateReference: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { unsafe self.pointer = pointer }

    deinit { unsafe X509_free(pointer) }

    /// The DNS names of the certificate, lower case; its common name when it has none.
    var serverNames: [String] {
        let list = unsafe X509_get_ext_d2i(pointer, NID_subject_alt_name, nil, nil)
        guard let names = unsafe list.map({ OpaquePointer($0) }) else { return [] }
        defer { unsafe GENERAL_NAMES_free(names) }
        var found: [String] = []
        let count = unsafe OPENSSL_sk_num(names)
        for index in 0..<count {
            guard let item = unsafe OPENSSL_sk_value(names, index) else { continue }
            let name = unsafe item.assumingMemoryBound(to: GENERAL_NAME.self)
            guard unsafe name.pointee.type == GEN_DNS, let text = unsafe name.pointee.d.dNSName else { continue }
            let bytes = unsafe UnsafeBufferPointer(
                start: ASN1_STRING_get0_data(text), count: Int(ASN1_STRING_length(text)))
            unsafe found.append(String(decoding: bytes, as: UTF8.self).lowercased())
        }
        return found
    }

    /// The end of its validity, in seconds since 1970.
    var notAfter: Int64 {
        var parts = unsafe tm()
        guard unsafe ASN1_TIME_to_tm(X509_get0_notAfter(pointer), &parts) == 1 else { return 0 }
        return unsafe Int64(timegm(&parts))
    }
}

/// One private key. Immutable after it was read.
@safe
final class KeyReference: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { unsafe self.pointer = pointer }

    deinit { unsafe EVP_PKEY_free(pointer) }
}
