import COpenSSL

/// What OpenSSL asks for when it seals or opens a session ticket: the key, chosen by its name (RFC 5077 §4).
///
/// Invariant: the pointers are OpenSSL's, valid for the call: 16 bytes of name, an IV of the cipher's size.
enum TLSTicketSealing {
    private static let nameCount = 16
    // Fetched once: looking an algorithm up by name costs more than using it.
    nonisolated(unsafe) private static let cipher = unsafe EVP_CIPHER_fetch(nil, "AES-256-CBC", nil)

    /// Returns 1 when the key is set, 2 when the ticket should be replaced by a fresh one, 0 for an unknown key and
    /// -1 for a failure.
    static func prepare(
        _ ssl: OpaquePointer?, _ name: UnsafeMutablePointer<UInt8>?, _ iv: UnsafeMutablePointer<UInt8>?,
        _ cipherContext: OpaquePointer?, _ mac: OpaquePointer?, isSealing: Bool
    ) -> Int32 {
        guard let tickets = unsafe TLSServerContext.owner(of: ssl)?.tickets, let name = unsafe name, let iv = unsafe iv
        else { return -1 }
        let now = WallClock.seconds()
        if isSealing {
            guard let keys = tickets.sealing(now: now), unsafe RAND_bytes(iv, EVP_CIPHER_get_iv_length(cipher)) == 1
            else {
                return -1
            }
            for (index, byte) in keys.name.enumerated() { unsafe name[index] = byte }
            return unsafe EVP_EncryptInit_ex(cipherContext, cipher, nil, keys.cipherKey, iv) == 1 && setKey(mac, keys)
                ? 1 : -1
        }
        let wanted = unsafe Array(UnsafeBufferPointer(start: name, count: nameCount))
        guard let (keys, isCurrent) = tickets.opening(name: wanted, now: now) else { return 0 }
        guard unsafe setKey(mac, keys), unsafe EVP_DecryptInit_ex(cipherContext, cipher, nil, keys.cipherKey, iv) == 1
        else { return -1 }
        return isCurrent ? 1 : 2
    }

    // OpenSSL keeps the pointers to these names in its parameters: literals stay where they are, a `String` that is
    // passed to C is there for that one call only.
    private static let keyName: StaticString = "key"
    private static let digestName: StaticString = "digest"

    private static func setKey(_ mac: OpaquePointer?, _ keys: TLSTicketKeys.Keys) -> Bool {
        var key = keys.macKey
        return unsafe key.withUnsafeMutableBytes { key in
            unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 8) { digest in
                for (index, byte) in "SHA256\0".utf8.enumerated() { unsafe digest[index] = CChar(bitPattern: byte) }
                let parameters = unsafe [
                    OSSL_PARAM_construct_octet_string(text(keyName), key.baseAddress, key.count),
                    OSSL_PARAM_construct_utf8_string(text(digestName), digest.baseAddress, 0),
                    OSSL_PARAM_construct_end(),
                ]
                return unsafe EVP_MAC_CTX_set_params(mac, parameters) == 1
            }
        }
    }

    private static func text(_ literal: StaticString) -> UnsafePointer<CChar> {
        unsafe UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
