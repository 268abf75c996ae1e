import Configuration
import JOSE
import Transport

/// A certificate and its key that were made for these tests and protect nothing; valid from 2024 to 2126.
struct Certificate: Sendable {
    let pem: String
    let key: String

    /// For localhost and 127.0.0.1, its own authority.
    static let localhost = Certificate(
        pem: """
            -----BEGIN CERTIFICATE-----
            MIIBaDCCAQ2gAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
            c3QwIBcNMjQwMTAxMDAwMDAwWhgPMjEyNjAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
            CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABOhsc70mlZRacZ5c
            O8Dx9hy2hA0sZhFMpJkMikEueVkGSdXIhGrI7d2hOtc4DM8yCvkHzIkDqFnAqDnQ
            rJj0vSejTjBMMA8GA1UdEwEB/wQFMAMBAf8wHQYDVR0OBBYEFGqXgN9udiahruol
            WPKa73ImntcpMBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAAATAKBggqhkjOPQQD
            AgNJADBGAiEAkhrfQ8zkhKvuHPfMNBfVSxrqbROsDYUH1ywtuJRYaWUCIQDH/AfL
            J2jCe0lARrvBX/2j6YbepcC45CVkVYI8eH8z4A==
            -----END CERTIFICATE-----
            """,
        key: """
            -----BEGIN PRIVATE KEY-----
            MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgSsXc3aGGg3aw59KH
            6jJxh4y+qTlOjfnP0cLhZnv0+zehRANCAATobHO9JpWUWnGeXDvA8fYctoQNLGYR
            TKSZDIpBLnlZBknVyIRqyO3doTrXOAzPMgr5B8yJA6hZwKg50KyY9L0n
            -----END PRIVATE KEY-----
            """)

    /// For elsewhere.example, its own authority.
    static let elsewhere = Certificate(
        pem: """
            -----BEGIN CERTIFICATE-----
            MIIBeDCCAR+gAwIBAgIBAjAKBggqhkjOPQQDAjAcMRowGAYDVQQDDBFlbHNld2hl
            cmUuZXhhbXBsZTAgFw0yNDAxMDEwMDAwMDBaGA8yMTI2MDEwMTAwMDAwMFowHDEa
            MBgGA1UEAwwRZWxzZXdoZXJlLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMB
            BwNCAATJfyWIqjzlw3H2+ExE8iqwN4U+DddURQ9KNk670KnxvaKEbY40izlgVXSH
            XTq+JHz6nPf9TdzGYQxAfjdl6K2Ko1AwTjAPBgNVHRMBAf8EBTADAQH/MB0GA1Ud
            DgQWBBQvN3WUfHQ4tj10iFgRMEteAgCA8DAcBgNVHREEFTATghFlbHNld2hlcmUu
            ZXhhbXBsZTAKBggqhkjOPQQDAgNHADBEAiAovUUg6ngZUhXji2pyM57I/+kza5Xh
            SiyXKlyHp0/X2gIgZBZ0xzaKWDfkrx7bsuGbfxu1ivVUYhdoJ0PaKjocgg4=
            -----END CERTIFICATE-----
            """,
        key: """
            -----BEGIN PRIVATE KEY-----
            MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg4L5pTXXEGKzhIixU
            zbj76DS/edGQnMKoWnDkY52iuK+hRANCAATJfyWIqjzlw3H2+ExE8iqwN4U+DddU
            RQ9KNk670KnxvaKEbY40izlgVXSHXTq+JHz6nPf9TdzGYQxAfjdl6K2K
            -----END PRIVATE KEY-----
            """)

    func identity() throws -> TLSIdentity {
        try TLSIdentity(certificatePEM: Array(pem.utf8), privateKeyPEM: Array(key.utf8))
    }

    func trust() throws -> TLSTrust { try TLSTrust(pem: Array(pem.utf8)) }

    /// A key set with the public half of its key, under these names.
    func keySet(_ names: String...) throws -> String {
        var keys: [JSONValue] = []
        for name in names {
            let key = try SigningKey(pem: Array(key.utf8), algorithm: .es256, keyID: name)
            keys.append(.object(key.publicJWK ?? [:]))
        }
        return String(decoding: JSONWriter.encode(["keys": .array(keys)]), as: UTF8.self)
    }
}
