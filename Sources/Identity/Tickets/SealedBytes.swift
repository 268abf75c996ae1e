internal import COpenSSL
internal import JOSE

/// AES-256-GCM (NIST SP 800-38D) under keys that are used once, so that the nonce may be zero: the ciphertext and its tag.
///
/// Invariant: the context is made and freed within a call; every pointer is that of an array, for the call that it is passed to.
enum SealedBytes {
    private static let tagCount = 16
    private static let nonce = [UInt8](repeating: 0, count: 12)

    /// Nil when OpenSSL cannot do it.
    static func seal(_ bytes: [UInt8], with key: Digest256) -> [UInt8]? {
        guard let context = unsafe EVP_CIPHER_CTX_new() else { return nil }
        defer { unsafe EVP_CIPHER_CTX_free(context) }
        var sealed = [UInt8](repeating: 0, count: bytes.count)
        var tag = [UInt8](repeating: 0, count: tagCount)
        var (count, rest): (Int32, Int32) = (0, 0)
        guard unsafe EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), nil, key.bytes, nonce) == 1,
            unsafe EVP_EncryptUpdate(context, &sealed, &count, bytes, Int32(bytes.count)) == 1,
            unsafe EVP_EncryptFinal_ex(context, &tag, &rest) == 1, rest == 0,
            unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tagCount), &tag) == 1
        else { return nil }
        return sealed + tag
    }

    /// Nil when it was sealed with another key, or changed.
    static func open(_ sealed: [UInt8], with key: Digest256) -> [UInt8]? {
        guard sealed.count >= tagCount, let context = unsafe EVP_CIPHER_CTX_new() else { return nil }
        defer { unsafe EVP_CIPHER_CTX_free(context) }
        let text = Array(sealed.dropLast(tagCount))
        var (bytes, tag, end) = (
            [UInt8](repeating: 0, count: text.count), Array(sealed.suffix(tagCount)), [UInt8](repeating: 0, count: 16)
        )
        var (count, rest): (Int32, Int32) = (0, 0)
        guard unsafe EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), nil, key.bytes, nonce) == 1,
            unsafe EVP_DecryptUpdate(context, &bytes, &count, text, Int32(text.count)) == 1,
            unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tagCount), &tag) == 1,
            unsafe EVP_DecryptFinal_ex(context, &end, &rest) == 1
        else { return nil }
        return bytes
    }
}
