import COpenSSL

/// What OpenSSL or a certificate file could not do, in a sentence for people.
public struct TLSError: Error, Sendable, Equatable {
    /// What happened, to what, and the way out.
    public let message: String

    /// An error with its sentence.
    public init(_ message: String) { self.message = message }

    /// `what`, and the reason from OpenSSL's error queue, which is emptied.
    static func last(_ what: String) -> TLSError {
        let code = ERR_peek_last_error()
        ERR_clear_error()
        guard code != 0, let reason = unsafe ERR_reason_error_string(code) else { return TLSError(what) }
        return TLSError("\(what): \(unsafe String(cString: reason))")
    }
}

/// The lowest protocol version that a listener speaks.
public enum TLSVersion: Sendable, Hashable {
    /// RFC 5246, with AEAD suites only.
    case v12
    /// RFC 8446.
    case v13
}
