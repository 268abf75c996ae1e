/// Keys made for these tests and used nowhere else.
enum TestKeys {
    static let secret = [UInt8]("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef".utf8)
    static let otherSecret = [UInt8]("fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210".utf8)

    /// An RSA key of 2048 bits.
    static let rsa = """
        -----BEGIN PRIVATE KEY-----
        MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCWVBzFR1hgZLKs
        lF0hY70HOqXUkrnZ4CRd5y9WJr1TPITk0frzJnvp6YQqC37oclgcsnkEtpPdUKe3
        Ko0tXklhQ4lb7BcxLKYE4ZQsyyPqGnECIskPihERuZ2gxU47Y6qLThOwA6wU/7Ue
        WVzFr3uFPtmJPl5crQzLfQL0grDlS1iAgWd+snG3H20c5C/dtPE8o1XylL9R8HO4
        T0nM0lVYtvi047/CTdlKsoszh/lw0JJNsB2dzEbfu+mZihGZI6zRfXBvUplTwVeV
        JAHubkY8D8wjLpSEVimBPMnUpE+FJVGbJAl0RovetRvHjTSypQMcv/bOzm/R89Ds
        LSCEbO+zAgMBAAECggEABvuSOIxXVmbnBm1/zptnk4yNrmGVthabadc2vi2KJsci
        tHmXyq/oxT/pDoY+ggU/Ato8FSl2ldWiF2J9G0nhZl4GOoRYEXCC/QAOFhnmKat1
        FgXP9A5UO6VfuoY1Bjzba6FtTa7l++Biz9g+dG+ccQnZ00OtNhMoYH1b4/KmzTJl
        UtgKJsSs/dgn03mMWrBmkkNP9AdKm7lznEH+LHs335GYpB4+/8LamSCnBqJuU0dR
        da46HG64g9UZVicFk9B/0ZEu/j1u1CR5zROWM3BauADvUuoOnwPAQQWmh+OUd+Hs
        vkmfqRYTrzIwO2iS7I5SBmkEgGc7fDcaHrbdfXnQ9QKBgQDSbfHMuqJwZjdnxesF
        P/UPDNhi2CuyyYYBDdAQTZHsEbQnCv/TfU5jZlVaaIKGS4fHVi5r2r1l5j9LFZFO
        9D81EAG/xScMhAuHVFdYrVyRGNmI0hEy/S0FRovLtpwYwLEwGhWSQLLwrDdpY8WT
        i8GOkvFX14ZPGhmrqRbe7zn81QKBgQC24je5s3fedPTxdEqD1dkBkYkHXpdNyhpq
        yRW/MlsGja5+8Br3qfBHdYFhdcfE8E5oPTS1a7KBK+ucWZXqQLNUuXrbq/+XKaqi
        MUsWzNSyfIlHjF6xJWkkuZI1lr3UZKLV0IYRRj1ixj45l8DDBHHn4jOgdVIk/1b8
        HOUZbTpeZwKBgQCjRY9RzJXxJD5lFFnwbtmT3eGfgB8Xz+lbs/32SFmqk2n2yUAK
        NrW1xlb/mQt9a+lkL2hBYy2FfQsrFQbz/et1HoBc7XoI6gOP8076jTi/lEplMKkL
        qQlfiIc7furLAef5bKPEINM2jklISpOokc2S9EyyXZXmllfIq6AFRhT2KQKBgD3T
        xJsXPVMLnzNx6S8gwLhzByxioiw+QygOyzdUQsm4ZGGtsrA/12eRJihYtSyzQQ6k
        golC25onywOUlcYYEYh3HD3frAzinTkwCP6wSMf+qjpyDiE9UIqF4hQT3iFL1HEM
        igaVBHO8KZU25IgJnKiUJHf+scKoQDQDYMBz2OPJAoGALvWMnAe99GL9WWyjKg1F
        p0ZqLW1JptYzBoCdITUlMxOjMsal7wAuUstkd6/9VLo15i58GwLy7z/rDZ6+i4Ui
        1tGK6ZNvnr2z51ElpZ7jidEptmRIn8DJuuzK/lXgI3HViOMbWqLoNab/bSZLqeNN
        ADr1E3YdxDzxDRZ+H8hr+Oc=
        -----END PRIVATE KEY-----

        """

    /// The public half of `rsa`.
    static let rsaPublic = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAllQcxUdYYGSyrJRdIWO9
        Bzql1JK52eAkXecvVia9UzyE5NH68yZ76emEKgt+6HJYHLJ5BLaT3VCntyqNLV5J
        YUOJW+wXMSymBOGULMsj6hpxAiLJD4oREbmdoMVOO2Oqi04TsAOsFP+1Hllcxa97
        hT7ZiT5eXK0My30C9IKw5UtYgIFnfrJxtx9tHOQv3bTxPKNV8pS/UfBzuE9JzNJV
        WLb4tOO/wk3ZSrKLM4f5cNCSTbAdncxG37vpmYoRmSOs0X1wb1KZU8FXlSQB7m5G
        PA/MIy6UhFYpgTzJ1KRPhSVRmyQJdEaL3rUbx400sqUDHL/2zs5v0fPQ7C0ghGzv
        swIDAQAB
        -----END PUBLIC KEY-----

        """

    /// The public half of `rsa` in the older form.
    static let rsaPublicPKCS1 = """
        -----BEGIN RSA PUBLIC KEY-----
        MIIBCgKCAQEAllQcxUdYYGSyrJRdIWO9Bzql1JK52eAkXecvVia9UzyE5NH68yZ7
        6emEKgt+6HJYHLJ5BLaT3VCntyqNLV5JYUOJW+wXMSymBOGULMsj6hpxAiLJD4oR
        EbmdoMVOO2Oqi04TsAOsFP+1Hllcxa97hT7ZiT5eXK0My30C9IKw5UtYgIFnfrJx
        tx9tHOQv3bTxPKNV8pS/UfBzuE9JzNJVWLb4tOO/wk3ZSrKLM4f5cNCSTbAdncxG
        37vpmYoRmSOs0X1wb1KZU8FXlSQB7m5GPA/MIy6UhFYpgTzJ1KRPhSVRmyQJdEaL
        3rUbx400sqUDHL/2zs5v0fPQ7C0ghGzvswIDAQAB
        -----END RSA PUBLIC KEY-----

        """

    /// Another RSA key of 2048 bits.
    static let otherRSA = """
        -----BEGIN PRIVATE KEY-----
        MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDB+yIlNoL6FxG9
        tW0N6pB+q0am8XQMjYMG5hK342ETmUzvPDtBM59snaLJvWFQECbKXweXQsQsAsvl
        tRTh91HoRalhjuLwpMox4P426CITAB++ZEhz3JwSGsbLUZ4LiYgN8/7xjs8XNJmI
        79OnW1QGr7wdk4lmCkvvwEAJhpgVNQmClgiIJjwOUkVZkKRZ18RWRH5LhwwDFjB+
        pQvZVRytmkRx3FBMiA2hL3z1bBx/f0oFFv9v3EJkSJbFY+9NstIOooVwJn8F8yDC
        ZulAepw6A+YcrIWQy0H+q8NlQ1DrlqU6nXFZoJuOvXXKQrffBYg2xiUwXxrd82qL
        +5t7LWslAgMBAAECggEAFEr5X3s8aH1RVc9NAU+wng+87GoGAeor8uTOwH4BAdPf
        wIdEi6Wi3/H9va0aKQ4HgNRALwrFCvWf7v/ql1kQMIRZG+Oeyh3zKRSog4X1SpeQ
        upIzIivKB/rVISAAsKRKn2sPGKYf9AWEqlasha2ANNLdkxqEHTCmkQZDrLtv3Yfo
        Fak2mw8+fkSburA++vkTxSf6IeQeoD7sRrB8EbiCsDezBf6jXT88u9Jbk9T5/FKU
        xdv/DdzzC0GJK3ByLSYl/H6DRumtZvJNN5qNDJE7/e1VvwJcS7s87bpO0lQmeg/E
        6UrkiQ1FybK9hWeyz8YFC0AIq9fCeQV3u80NpxNQAQKBgQDyHWLo1nnJENovil6h
        DajwY74aojSnCXCKoCU2qrmZYLRdc0g962AZULYirMhKkp5ZiWsU5LFHGlhtTAJe
        s/bQo0Jna+o50F824YZBu03HTVzI7KlPudCZ/dh5i51aLrFNvn9YSF6vTAqAktns
        BRyYC1jLukog+4BQhQkIOabCgQKBgQDNGxHOlRO/QXXravoXMP9hAesVU/RHibhM
        V+YwgcdCc6RcxluQSvQz06T82mSS2P4sNb5AzaHWPYUOZ2XV/hdLs38xOwOm3cQm
        clxyrinS3V5jhb18aHiwoUO8FeDH5/n91IuCXfXLJDXTKEdU+1XKL2tpJgKEwjDC
        KDmdjo8OpQKBgAp4Pti2vZl2QxkfMKxiPNX4WjYooYI/pEA6YKGWjGQXjHUmEQ+s
        aAFwPhANzLN816Ajkx/aK9hZSU2gpdGWkqu/A5YZUo2hdxyWcAnToa9mpwaBRWkP
        LfgaxAutf+ZwcnZcMIGOz5lg/mtE7muIZQ4mH3bf3WjDt27D8foLFC0BAoGAcqGy
        bhb7lmTrlsuPQu7rjDgaPy1Q1bqu+lwWFv4xc35WWlOyUQ7TNTQQfhFBLKGCTQss
        beN/k9GGT+qSC+ua8YA8kjM9c0F2o1Y/PQkB7wwx+MWChcmNyooW5UQFATUxjx//
        aLlC6mouevmEBIcEB6BBE99egPxXa+w3Z0uJwNECgYEAjgzpxerqFTz7o2aYTD8b
        S2nEUfFe11E+rJxd8jTaYL3vO37m5St08oryXZT4Mr3JdxYWRVZOqP3C8Wa1rJ6Q
        4JKAUupE5wl3aQTmpRqXP+cjkb8X8W5NMjGA0Te20wmj0QLrwvo915bAeUO/YI1o
        QutB4qiwncL7sTNuqMYMxuM=
        -----END PRIVATE KEY-----

        """

    /// An RSA key of 1024 bits.
    static let weakRSAPublic = """
        -----BEGIN PUBLIC KEY-----
        MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCUti6h10IalemBmF64Q/JqU3Vh
        XemZtsA0EEE1fw/fzxUBwKE4avTOc/E51x7xXJD4MDmv2ecTawp2fBWVzapbK10L
        JN40u/WyH2CXVRSfvPZ2GzNwj4LvQm5hXOAu8eNKQxxIuiPkJ+gEPCZIvHHumNOy
        elaMmf+8dWBGTNMquwIDAQAB
        -----END PUBLIC KEY-----

        """

    /// A key on P-256.
    static let p256 = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg4vMZCHJ7F9fdf4W3
        DrP8wIjMiOuQlRMRCPAd0FA6WzWhRANCAATmzzLtpbc/K/RX6LlDZLcBJWuQRgg6
        83TD7Ka0NBYHnvJGn38W0dqMdtugKfv8sTm/v2+tKbS4KyU3Qlg008gF
        -----END PRIVATE KEY-----

        """

    /// `p256` in the older form.
    static let p256SEC1 = """
        -----BEGIN EC PRIVATE KEY-----
        MHcCAQEEIOLzGQhyexfX3X+Ftw6z/MCIzIjrkJUTEQjwHdBQOls1oAoGCCqGSM49
        AwEHoUQDQgAE5s8y7aW3Pyv0V+i5Q2S3ASVrkEYIOvN0w+ymtDQWB57yRp9/FtHa
        jHbboCn7/LE5v79vrSm0uCslN0JYNNPIBQ==
        -----END EC PRIVATE KEY-----

        """

    /// The public half of `p256`.
    static let p256Public = """
        -----BEGIN PUBLIC KEY-----
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5s8y7aW3Pyv0V+i5Q2S3ASVrkEYI
        OvN0w+ymtDQWB57yRp9/FtHajHbboCn7/LE5v79vrSm0uCslN0JYNNPIBQ==
        -----END PUBLIC KEY-----

        """

    /// A certificate for `p256`.
    static let p256Certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBHzCBxaADAgECAgEBMAoGCCqGSM49BAMCMBkxFzAVBgNVBAMMDmlzc3Vlci5l
        eGFtcGxlMB4XDTI0MDEwMTAwMDAwMFoXDTQ0MDEwMTAwMDAwMFowGTEXMBUGA1UE
        AwwOaXNzdWVyLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATmzzLt
        pbc/K/RX6LlDZLcBJWuQRgg683TD7Ka0NBYHnvJGn38W0dqMdtugKfv8sTm/v2+t
        KbS4KyU3Qlg008gFMAoGCCqGSM49BAMCA0kAMEYCIQDDN3L3Zjerr5eLPYLI7kzl
        usXe/8jGo/ZD6Gdq79g58AIhALTZHHpCQUoV+tWYcXq6+QQPbFJM96P1VuX0NFb0
        RAje
        -----END CERTIFICATE-----

        """

    /// `p256` under a pass phrase.
    static let p256Encrypted = """
        -----BEGIN ENCRYPTED PRIVATE KEY-----
        MIH0MF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBB1qOtQZM+HERICkSIt
        AOQaAgIIADAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQHqJptJzSogZRRaWz
        CbyAzwSBkBNNRMct6HorWXHOQkD2c/SwQJ+lBqsFWiCaUiaEsmR/7EiuMBtcw/Lw
        k4A+wVHpw8STPVWDIgKGxt0Dt07EtSUXwZMO0/UuuBgNNBM0MMbjetqimlxu33un
        KTbwGGVQxPHg356Sqy4DRIWnpmO0cpN3cKRhy+oBJaQrvEeNHL4dyGciZKf9sfqQ
        U0VzLiD5mw==
        -----END ENCRYPTED PRIVATE KEY-----

        """

    /// A key on P-384.
    static let p384 = """
        -----BEGIN PRIVATE KEY-----
        MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDDqZAh9sCxANtzxb6G1
        X6fHXYWxr6Rz3J1Zak1ohGXML7RERlUgfTud2ooB1s+A4tChZANiAATy1QnX2J/X
        4j8i8QwIu7hULv1vTWpcD7Igz3rYNU/DkffMlAgrBsLwZg9Y3Sg7//C+bgChZ2Mg
        7a10QJZM9Z7tGUbGkkBGhlrIN8XULb810QHWK3VXfIEhuIJzg6K+gyI=
        -----END PRIVATE KEY-----

        """

    /// A key on P-521.
    static let p521 = """
        -----BEGIN PRIVATE KEY-----
        MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIBeSpfLvFY6EWB19wh
        rDFYP/dRdyEINDizkChT9kt6JLctAFUIXEtVX9uYpmbY4EfAfLn7ayDzrk+iPFW8
        bFK8o/qhgYkDgYYABAG+qFGW4VBQK+65BYil3tPflislMXOHYxoGtK+xxMNfMvxK
        Zd2m8AT3jG2klFVFytWMF3jSaQYOlMkbQGcG8hfl5AAZ8/6uBaxYdQIPDL9CQF7K
        CbZqnQw80CNblQpsfed36cSBfeXlMXUrxmPfKXQg2jbL9IKOk/rgQjgVoux9VRX3
        Cg==
        -----END PRIVATE KEY-----

        """

    /// A key on a curve that is not taken.
    static let secp256k1 = """
        -----BEGIN PRIVATE KEY-----
        MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgfCy42MapEV26UFRxWJUE
        HsoUJbEH0qB4uFO6LUmhMxOhRANCAAStL+yrl8iZfQzmxiKPm5+WSvMGYSz1JQ5b
        mTKOKDJ5ifv3CxWdrGeDyUyWG8LvCIXeVaF/45yE0FfZd0V7/XPN
        -----END PRIVATE KEY-----

        """

    /// An Ed25519 key.
    static let ed25519 = """
        -----BEGIN PRIVATE KEY-----
        MC4CAQAwBQYDK2VwBCIEIM95wJ5fwhbQ4gj85Qs6vp9IA38TqBQC5YxJJTkjR/xO
        -----END PRIVATE KEY-----

        """

    /// The public half of `ed25519`.
    static let ed25519Public = """
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEAenSDNZbcHBlIgZbSVpxNAJkxEYXpp9Pv4YQUn1iasas=
        -----END PUBLIC KEY-----

        """

    /// A key of a kind that is not taken.
    static let ed448 = """
        -----BEGIN PRIVATE KEY-----
        MEcCAQAwBQYDK2VxBDsEOTOAD8CLeBbb6gAY2NG99YBb0zu6FZvuUve2ciLTjkMw
        h0BSb47URAGm0dWeUeOsq668fmrPfeG0+Q==
        -----END PRIVATE KEY-----

        """
}
