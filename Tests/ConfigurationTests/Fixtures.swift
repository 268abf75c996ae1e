/// Keys and certificates that were made for these tests and protect nothing.
enum Fixtures {
    /// For localhost and *.example.com, until 2126.
    static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBpTCCAUqgAwIBAgIUfQ83nSFqfaxw+WFRWS++jtBlPoEwCgYIKoZIzj0EAwIw
        FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNTA0NTAzNFoYDzIxMjYxMTAx
        MDQ1MDM0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
        PQMBBwNCAAQsF+g3XtR8UaeSdJoZzFBBRFB6W7aLPM5ptyKZsnRUan+frJCxEO+N
        7Pu3hRmiPyb8bYeAMMFgF/25t7Ax84v5o3gwdjAdBgNVHQ4EFgQUh4mnQTdEiGt3
        JXvQvbvjnlfzIG4wHwYDVR0jBBgwFoAUh4mnQTdEiGt3JXvQvbvjnlfzIG4wDwYD
        VR0TAQH/BAUwAwEB/zAjBgNVHREEHDAagglsb2NhbGhvc3SCDSouZXhhbXBsZS5j
        b20wCgYIKoZIzj0EAwIDSQAwRgIhAOuAjyVg+9aDItZ9BWFwXy+9XdhpujNYehaS
        PxyhcYJpAiEAhejweR0B5jRNxFEi36Pq02Dk24i3afGyR9kJoc3zm5s=
        -----END CERTIFICATE-----
        """

    /// The private key of `certificate`.
    static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdNtu8+Kw8saq19r4
        hBYsUy/RXW52JlGeB1/t1QGTDP+hRANCAAQsF+g3XtR8UaeSdJoZzFBBRFB6W7aL
        PM5ptyKZsnRUan+frJCxEO+N7Pu3hRmiPyb8bYeAMMFgF/25t7Ax84v5
        -----END PRIVATE KEY-----
        """

    /// Another private key on the same curve.
    static let otherKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgrS0VAeaCj4vuJtsm
        fqTd5qjdYzfc9CU7IBAE+20vNnChRANCAAQ2fhlTgMGb0G2YpNg7Y70PkOPeK7AW
        OZ+LUby8gDYHLMRDmFZ5JZVqDcUVO/pSDS9SZZRBR8Jsy6SCu/xge/qS
        -----END PRIVATE KEY-----
        """

    /// The public half of `otherKey`.
    static let publicKey = """
        -----BEGIN PUBLIC KEY-----
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAENn4ZU4DBm9BtmKTYO2O9D5Dj3iuw
        Fjmfi1G8vIA2ByzEQ5hWeSWVag3FFTv6Ug0vUmWUQUfCbMukgrv8YHv6kg==
        -----END PUBLIC KEY-----
        """

    /// 40 characters: enough for HS256, too few for HS512.
    static let secret = "0123456789abcdef0123456789abcdef01234567"
}
