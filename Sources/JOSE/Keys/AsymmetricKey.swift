import COpenSSL

/// A public or private key of OpenSSL, and the reusable contexts that verify with it.
///
/// Invariant: the `EVP_PKEY` is owned by this object and freed by `deinit`. It is never changed after `init`, and
/// OpenSSL guards what it caches in it, so that it may be shared among threads; contexts may not. Each context frees
/// itself and holds its key. No pointer leaves this file.
@safe
final class AsymmetricKey: @unchecked Sendable {
    /// What kind of key it is. Others are refused.
    enum Kind: Equatable {
        case rsa(bits: Int)
        case ec(Curve)
        case ed25519
    }

    let kind: Kind
    /// Whether it can sign.
    let isPrivate: Bool
    fileprivate let pointer: OpaquePointer

    /// Reads a public key, a certificate, or a private key without pass phrase.
    init(pem: [UInt8]) throws(KeyError) {
        let text = String(decoding: pem, as: UTF8.self)
        guard let bio = unsafe BIO_new(BIO_s_mem()) else { throw KeyError("out of memory") }
        defer { unsafe BIO_free(bio) }
        guard unsafe BIO_write(bio, pem, Int32(clamping: pem.count)) == Int32(clamping: pem.count) else {
            throw KeyError("it is empty or too large")
        }
        let key: OpaquePointer?
        if text.contains("-----BEGIN CERTIFICATE-----") {
            let certificate = unsafe PEM_read_bio_X509(bio, nil, nil, nil)
            unsafe key = certificate.flatMap { certificate in unsafe X509_get_pubkey(certificate) }
            unsafe X509_free(certificate)
        } else if text.contains("-----BEGIN PUBLIC KEY-----") {
            unsafe key = PEM_read_bio_PUBKEY(bio, nil, nil, nil)
        } else if text.contains("PRIVATE KEY-----") {
            unsafe key = PEM_read_bio_PrivateKey(bio, nil, { _, _, _, _ in -1 }, nil)
        } else {
            throw KeyError(
                "it holds no PEM block PUBLIC KEY, CERTIFICATE or PRIVATE KEY (an RSA PUBLIC KEY becomes one with "
                    + "openssl rsa -RSAPublicKey_in -pubout)")
        }
        ERR_clear_error()
        guard let key = unsafe key else {
            throw KeyError("its PEM block cannot be read (pass phrases are not asked for)")
        }
        isPrivate = !text.contains("-----BEGIN CERTIFICATE-----") && text.contains("PRIVATE KEY-----")
        unsafe pointer = key
        kind = try unsafe Self.kind(ofOwned: key)
    }

    /// Reads the DER of a SubjectPublicKeyInfo (RFC 5280 §4.1) and checks that the key is one: a point on its curve.
    init(subjectPublicKeyInfo der: [UInt8]) throws(KeyError) {
        let key = unsafe der.withUnsafeBufferPointer { buffer in
            var cursor = buffer.baseAddress
            return unsafe d2i_PUBKEY(nil, &cursor, buffer.count)
        }
        ERR_clear_error()
        guard let key = unsafe key else { throw KeyError("it is not a valid public key") }
        isPrivate = false
        unsafe pointer = key
        kind = try unsafe Self.kind(ofOwned: key)
        guard case .ec = kind else { return }
        guard let context = unsafe EVP_PKEY_CTX_new_from_pkey(nil, key, nil) else { throw KeyError("out of memory") }
        let isValid = unsafe EVP_PKEY_public_check(context) == 1
        unsafe EVP_PKEY_CTX_free(context)
        ERR_clear_error()
        if !isValid { throw KeyError("its point is not on its curve") }
    }

    deinit { unsafe EVP_PKEY_free(pointer) }

    /// The kind of a key that is about to be owned; frees it when it is refused, since `deinit` then does not run.
    private static func kind(ofOwned key: OpaquePointer) throws(KeyError) -> Kind {
        do throws(KeyError) {
            return try unsafe kind(of: key)
        } catch {
            unsafe EVP_PKEY_free(key)
            throw error
        }
    }

    private static func kind(of key: OpaquePointer) throws(KeyError) -> Kind {
        switch unsafe EVP_PKEY_get_base_id(key) {
        case EVP_PKEY_RSA:
            let bits = Int(unsafe EVP_PKEY_get_bits(key))
            guard RSAPublicKey.acceptedBits.contains(bits) else {
                throw KeyError(
                    "the RSA key has \(bits) bits; at least \(RSAPublicKey.acceptedBits.lowerBound) are needed "
                        + "(and at most \(RSAPublicKey.acceptedBits.upperBound) taken)")
            }
            return .rsa(bits: bits)
        case EVP_PKEY_EC:
            var name = [CChar](repeating: 0, count: 64)
            var length = 0
            guard unsafe EVP_PKEY_get_group_name(key, &name, name.count, &length) == 1,
                let curve = Curve(
                    name: String(decoding: name.prefix(length).map(UInt8.init(bitPattern:)), as: UTF8.self))
            else { throw KeyError("its curve is none of P-256, P-384 and P-521") }
            return .ec(curve)
        case EVP_PKEY_ED25519: return .ed25519
        default: throw KeyError("it is not an RSA, elliptic-curve or Ed25519 key")
        }
    }

    /// The public key as SubjectPublicKeyInfo, for publishing it.
    var subjectPublicKeyInfo: [UInt8] {
        var output: UnsafeMutablePointer<UInt8>?
        let length = Int(unsafe i2d_PUBKEY(pointer, &output))
        guard length > 0, let start = unsafe output else { return [] }
        defer { unsafe CRYPTO_free(start, #file, #line) }
        return unsafe [UInt8](UnsafeBufferPointer(start: start, count: length))
    }

    /// The private key in the form that OpenSSL writes, always the same for the same key; empty for a public one.
    var privateDER: [UInt8] {
        let count = unsafe isPrivate ? i2d_PrivateKey(pointer, nil) : 0
        guard count > 0 else { return [] }
        var der = [UInt8](repeating: 0, count: Int(count))
        unsafe der.withUnsafeMutableBufferPointer { buffer in
            var cursor = buffer.baseAddress
            unsafe i2d_PrivateKey(pointer, &cursor)
        }
        return der
    }

    /// Signs `message`; an ECDSA signature comes as DER.
    func sign(_ message: [UInt8], with algorithm: SignatureAlgorithm) -> [UInt8]? {
        defer { ERR_clear_error() }
        guard isPrivate, let context = unsafe EVP_MD_CTX_new() else { return nil }
        defer { unsafe EVP_MD_CTX_free(context) }
        let digest = algorithm.family == .ed25519 ? nil : algorithm.digest.name
        // Belongs to `context`.
        var keyContext: OpaquePointer?
        guard unsafe EVP_DigestSignInit_ex(context, &keyContext, digest, nil, nil, pointer, nil) == 1 else {
            return nil
        }
        if algorithm.family == .rsaPSS {
            guard unsafe EVP_PKEY_CTX_set_rsa_padding(keyContext, RSA_PKCS1_PSS_PADDING) == 1,
                unsafe EVP_PKEY_CTX_set_rsa_pss_saltlen(keyContext, RSA_PSS_SALTLEN_DIGEST) == 1
            else { return nil }
        }
        var length = 0
        guard unsafe EVP_DigestSign(context, nil, &length, message, message.count) == 1 else { return nil }
        var signature = [UInt8](repeating: 0, count: length)
        guard unsafe EVP_DigestSign(context, &signature, &length, message, message.count) == 1 else { return nil }
        return [UInt8](signature.prefix(length))
    }
}

/// Verifies signatures of hashes under one key, set up once and used again and again. Confined to its owner.
@safe
final class VerificationContext {
    /// How a hash is signed.
    enum Scheme: Equatable {
        case pkcs1(DigestAlgorithm)
        /// RFC 7518 §3.5: MGF1 with the same hash, and a salt as long as the hash.
        case pss(DigestAlgorithm)
        case ecdsa
    }

    private let key: AsymmetricKey
    private let context: OpaquePointer

    init(key: AsymmetricKey, scheme: Scheme) throws(KeyError) {
        guard let context = unsafe EVP_PKEY_CTX_new_from_pkey(nil, key.pointer, nil) else {
            throw KeyError("out of memory")
        }
        self.key = key
        unsafe self.context = context
        guard unsafe EVP_PKEY_verify_init(context) == 1, configure(scheme) else {
            ERR_clear_error()
            throw KeyError("OpenSSL cannot verify with it")
        }
    }

    deinit { unsafe EVP_PKEY_CTX_free(context) }

    private func configure(_ scheme: Scheme) -> Bool {
        switch scheme {
        case .ecdsa: return true
        case .pkcs1(let digest):
            return unsafe EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1
                && EVP_PKEY_CTX_set_signature_md(context, EVP_get_digestbyname(digest.name)) == 1
        case .pss(let digest):
            return unsafe EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1
                && EVP_PKEY_CTX_set_signature_md(context, EVP_get_digestbyname(digest.name)) == 1
                && EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_get_digestbyname(digest.name)) == 1
                && EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1
        }
    }

    /// Whether `signature` is one of what was hashed to `digest`.
    func verify(_ signature: Span<UInt8>, digest: Span<UInt8>) -> Bool {
        let result = unsafe signature.withUnsafeBufferPointer { signature in
            unsafe digest.withUnsafeBufferPointer { digest in
                unsafe EVP_PKEY_verify(
                    context, signature.baseAddress, signature.count, digest.baseAddress, digest.count)
            }
        }
        if result == 1 { return true }
        ERR_clear_error()
        return false
    }
}

/// Verifies signatures of whole messages, for the schemes that hash by themselves. Confined to its owner.
@safe
final class MessageVerificationContext {
    private let key: AsymmetricKey
    private let context: OpaquePointer

    init(key: AsymmetricKey) throws(KeyError) {
        guard let context = unsafe EVP_MD_CTX_new() else { throw KeyError("out of memory") }
        self.key = key
        unsafe self.context = context
    }

    deinit { unsafe EVP_MD_CTX_free(context) }

    /// Whether `signature` is one of `message`. The context is set up for each: OpenSSL 3.4 and later take a one-shot
    /// context only once, and beside Ed25519's 100 µs it does not matter.
    func verify(_ signature: Span<UInt8>, of message: Span<UInt8>) -> Bool {
        defer { ERR_clear_error() }
        guard unsafe EVP_MD_CTX_reset(context) == 1,
            unsafe EVP_DigestVerifyInit_ex(context, nil, nil, nil, nil, key.pointer, nil) == 1
        else { return false }
        return unsafe signature.withUnsafeBufferPointer { signature in
            unsafe message.withUnsafeBufferPointer { message in
                unsafe EVP_DigestVerify(
                    context, signature.baseAddress, signature.count, message.baseAddress, message.count) == 1
            }
        }
    }
}
