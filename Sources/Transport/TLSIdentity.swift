import COpenSSL

/// One certificate chain and its private key, read and checked to belong together.
public struct TLSIdentity: Sendable {
    let chain: [CertificateReference]
    let key: KeyReference
    /// The DNS names of the leaf, lower case, wildcards as `*.example.com`.
    public let serverNames: [String]
    /// The end of the leaf's validity, in seconds since 1970.
    public let notAfter: Int64

    /// Reads a chain, leaf first, and the leaf's key.
    public init(certificatePEM: [UInt8], privateKeyPEM: [UInt8]) throws(TLSError) {
        chain = try PEM.certificates(certificatePEM)
        key = try PEM.privateKey(privateKeyPEM)
        guard unsafe X509_check_private_key(chain[0].pointer, key.pointer) == 1 else {
            ERR_clear_error()
            throw TLSError("the private key does not belong to the certificate")
        }
        serverNames = chain[0].serverNames
        notAfter = chain[0].notAfter
    }

    /// Whether the certificate is for `host` (lower case): exact, or a wildcard for one left-most label (RFC 9525 §6.3).
    public func covers(_ host: String) -> Bool {
        serverNames.contains { name in
            if name == host { return true }
            guard name.hasPrefix("*."), let dot = host.firstIndex(of: "."), dot != host.startIndex else { return false }
            return host[dot...] == name.dropFirst()
        }
    }
}

/// Which client certificates a listener asks for.
public struct TLSClientAuthority: Sendable {
    /// Whether a client has to show a certificate.
    public enum Mode: Sendable {
        /// One is verified when it is shown.
        case optional
        /// Without one the handshake fails.
        case required
    }

    let authorities: [CertificateReference]
    /// Whether a client has to show a certificate.
    public let mode: Mode

    /// Reads the authorities that sign clients' certificates.
    public init(pem: [UInt8], mode: Mode) throws(TLSError) {
        authorities = try PEM.certificates(pem)
        self.mode = mode
    }
}

/// Which authorities vouch for an upstream.
public struct TLSTrust: Sendable {
    let authorities: [CertificateReference]

    /// The machine's own store of authorities.
    public static let system = TLSTrust(authorities: [])

    private init(authorities: [CertificateReference]) { self.authorities = authorities }

    /// Reads a private authority.
    public init(pem: [UInt8]) throws(TLSError) { authorities = try PEM.certificates(pem) }
}
