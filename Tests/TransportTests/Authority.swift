import COpenSSL

@testable import Transport

/// A certificate authority of the tests, made anew in each run.
@safe
final class Authority {
    private let certificate: OpaquePointer
    private let key: OpaquePointer
    /// Its certificate.
    let pem: [UInt8]

    struct Failure: Error {}

    init(_ name: String = "Test authority") throws {
        let key = try unsafe Self.makeKey()
        let certificate = try unsafe Self.make(
            name, key, issuer: nil, extensions: [(NID_basic_constraints, "critical,CA:TRUE")])
        unsafe self.key = unsafe key
        unsafe self.certificate = unsafe certificate
        pem = try unsafe Self.text { unsafe PEM_write_bio_X509($0, certificate) }
    }

    deinit {
        unsafe X509_free(certificate)
        unsafe EVP_PKEY_free(key)
    }

    /// A certificate and its key as PEM, for `names` (`DNS:a.example`, `IP:127.0.0.1`); valid for `seconds` from an hour ago.
    func issue(_ names: [String], seconds: Int = 86_400) throws -> (certificate: [UInt8], key: [UInt8]) {
        let key = try unsafe Self.makeKey()
        defer { unsafe EVP_PKEY_free(key) }
        let extensions = names.isEmpty ? [] : [(NID_subject_alt_name, names.joined(separator: ","))]
        let leaf = try unsafe Self.make(
            "leaf", key, issuer: (certificate, self.key), extensions: extensions, seconds: seconds)
        defer { unsafe X509_free(leaf) }
        return (
            try unsafe Self.text { unsafe PEM_write_bio_X509($0, leaf) },
            try unsafe Self.text { unsafe PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) }
        )
    }

    func identity(_ names: String..., seconds: Int = 86_400) throws -> TLSIdentity {
        let (certificate, key) = try issue(names.map { $0.contains(":") ? $0 : "DNS:\($0)" }, seconds: seconds)
        return try TLSIdentity(certificatePEM: certificate, privateKeyPEM: key)
    }

    private static func makeKey() throws -> OpaquePointer {
        let context = unsafe EVP_PKEY_CTX_new_from_name(nil, "EC", nil)
        defer { unsafe EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard unsafe EVP_PKEY_keygen_init(context) == 1, unsafe EVP_PKEY_CTX_set_group_name(context, "P-256") == 1,
            unsafe EVP_PKEY_generate(context, &key) == 1, let made = unsafe key
        else { throw Failure() }
        return unsafe made
    }

    private static func make(
        _ name: String, _ key: OpaquePointer, issuer: (OpaquePointer, OpaquePointer)?, extensions: [(Int32, String)],
        seconds: Int = 86_400
    ) throws -> OpaquePointer {
        guard let made = unsafe X509_new() else { throw Failure() }
        let subject = unsafe X509_get_subject_name(made)
        unsafe X509_set_version(made, 2)
        unsafe ASN1_INTEGER_set(X509_get_serialNumber(made), Int.random(in: 1...(1 << 40)))
        unsafe X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name, -1, -1, 0)
        unsafe X509_set_issuer_name(made, issuer.map { unsafe X509_get_subject_name($0.0) } ?? subject)
        unsafe X509_gmtime_adj(X509_getm_notBefore(made), -3600)
        unsafe X509_gmtime_adj(X509_getm_notAfter(made), seconds - 3600)
        unsafe X509_set_pubkey(made, key)
        for (identifier, value) in extensions {
            let item = unsafe X509V3_EXT_conf_nid(nil, nil, identifier, value)
            guard unsafe X509_add_ext(made, item, -1) == 1 else { throw Failure() }
            unsafe X509_EXTENSION_free(item)
        }
        guard unsafe X509_sign(made, issuer?.1 ?? key, EVP_sha256()) > 0 else { throw Failure() }
        return unsafe made
    }

    private static func text(_ write: (OpaquePointer) -> Int32) throws -> [UInt8] {
        guard let bio = unsafe BIO_new(BIO_s_mem()) else { throw Failure() }
        defer { unsafe BIO_free(bio) }
        guard unsafe write(bio) == 1 else { throw Failure() }
        var bytes = [UInt8](repeating: 0, count: 16384)
        let count = unsafe BIO_read(bio, &bytes, Int32(bytes.count))
        return Array(bytes.prefix(Int(count)))
    }
}
