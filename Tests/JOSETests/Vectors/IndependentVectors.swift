import JOSE

/// One token for each algorithm, made with joserfc 1.6.5 (Python, on cryptography), so that our signer and our verifier
/// cannot agree on a mistake.
enum IndependentVectors {
    static let all: [SignatureVector] = [
        SignatureVector(
            name: "joserfc HS256", algorithm: .hs256,
            key: """
                {"k":"rAXqpTxzJotj3FtkqnBGrs9gP2sGnc5PC_99UL-cWKx3vWJm7fg4PF8wqWZ6tg8PG6ut-uYwNpnhJzDe5Y79eg","kty":\
                "oct"}
                """,
            token: """
                eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjogInVzZXItMSIsICJleHAiOiA0MDAwMDAwMDAwfQ.GSMYe3FZ\
                h_Fy2AKb5b2PiMqagFRMjlhhKQY2MAkvtrY
                """),
        SignatureVector(
            name: "joserfc HS384", algorithm: .hs384,
            key: """
                {"k":"rAXqpTxzJotj3FtkqnBGrs9gP2sGnc5PC_99UL-cWKx3vWJm7fg4PF8wqWZ6tg8PG6ut-uYwNpnhJzDe5Y79eg","kty":\
                "oct"}
                """,
            token: """
                eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjogInVzZXItMSIsICJleHAiOiA0MDAwMDAwMDAwfQ.RkjpZyFs\
                DWOzyybK3Gyc1Tjn08yhbHeWQAP-TPC_Ne5kS82ReCIdNby4ElXytCvD
                """),
        SignatureVector(
            name: "joserfc HS512", algorithm: .hs512,
            key: """
                {"k":"rAXqpTxzJotj3FtkqnBGrs9gP2sGnc5PC_99UL-cWKx3vWJm7fg4PF8wqWZ6tg8PG6ut-uYwNpnhJzDe5Y79eg","kty":\
                "oct"}
                """,
            token: """
                eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjogInVzZXItMSIsICJleHAiOiA0MDAwMDAwMDAwfQ.Ik9XYYnZ\
                Ssf894T4P8cHnKYtDrM-CC8lSzEuPmej2-rd-pryaTQCxdNPmJjFEa39VG9lxDWQ3Rk-sy4q50S0bA
                """),
        SignatureVector(
            name: "joserfc RS256", algorithm: .rs256,
            key: """
                {"n":"w0eoHCzpmaPJdqoIXmdqiLbbUaG6E_sUJPQWnmrRS7xdRpxErYY147b3hNfMqgyr1gVjhFDB0PPPnfcOKtxCpGPG14KAgx\
                hPEWBsksRztvxZtSRrkEHu8KntReReg76ihJCEjf0sj3edv6T78yMqVYH0ZZ3SXH4tzvJ6WofT7Y7QO4e2uqQ3ZpGEJdwSTH-aUK\
                ShPl-vTy9VRYjr5r_cIng-OHcrfwTBRUzJIEc-rA3ys1XJS1IMQvjsiGMe74PKlm4qy1_d7brL4N7D58N07z_kVkc_lehICWF0hp\
                VGatBo_hcn_Cy__tN_QWZhPmu7vMwZc6P0PMeXkl1IjivjeQ","e":"AQAB","kty":"RSA"}
                """,
            token: """
                eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjogInVzZXItMSIsICJleHAiOiA0MDAwMDAwMDAwfQ.FmYX3C68\
                8y8LPTq02_Gd0E4BjbmrL3GotRbLRh4UmnFoR6X49wVToiRsc2MaVTIt4Qqit9H2CpYdcRjLMEmMKT27WpgfI7flUw8lXi6xFhga\
                sHXCipM3TXBnrbqZj_wk0mpR1dohaZGWJ1-V7VuU94OXQ4aAU1UXFigRUuXnX-6NjeQeAzatA69KHfF9J3kgVHzj1HPsRBO8m2C0\
                j9MGFTSu5N9SA8AqsXpFp2-UFxhVa4fOhrcGvKBFVQgU5q8kG23wDe-2SYlkuENrHcda-h0Cs1xLFx3jbYJCm7fpTlKWev4jMons\
                ekpypbR0VjKVxLoF44gNnsgWxf809cPOvg
                """),
        SignatureVector(
            name: "joserfc RS384", algorithm: .rs384,
            key: """
                {"n":"w0eoHCzpmaPJdqoIXmdqiLbbUaG6E_sUJPQWnmrRS7xdRpxErYY147b3hNfMqgyr1gVjhFDB0PPPnfcOKtxCpGPG14KAgx\
                hPEWBsksRztvxZtSRrkEHu8KntReReg76ihJCEjf0sj3edv6T78yMqVYH0ZZ3SXH4tzvJ6WofT7Y7QO4e2uqQ3ZpGEJdwSTH-aUK\
                ShPl-vTy9VRYjr5r_cIng-OHcrfwTBRUzJIEc-rA3ys1XJS1IMQvjsiGMe74PKlm4qy1_d7brL4N7D58N07z_kVkc_lehICWF0hp\
                VGatBo_hcn_Cy__tN_QWZhPmu7vMwZc6P0PMeXkl1IjivjeQ","e":"AQAB","kty":"RSA"}
                """,
            token: """
                eyJhbGciOiJSUzM4NCIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjogInVzZXItMSIsICJleHAiOiA0MDAwMDAwMDAwfQ.fuRZozS2\
                PG_oyFbqUyQdGKX7YbMGaZ6Z2PMHni3rHl38fi7Z-_0tq3hNZlQd8egQmBa0ntJxnCTgOCBcFD-u7Fngf3A5In81dJKAA_JkGo7z\
                4m7D7YAahgsDJnSwZAW74NlFZBjzW3avm1FhfGhtsC9JWF8eZ8A4CSmjoz2ekG0Tdrbqo-7Evky87HMzNxDMmUSDIT_u0PtGx-KU\
                k8G1efyNd44zj78CI-TxUiN3EXFui-SjIBbG-oxowLxHb8atJxBQrvG6GtBKOqjuDEjdNcfqIeD4RPWWSxjWgDuvvIJL6WxowknU\
                beRjZtfn0cp2W32ig5wWNosnQaVGwVAQww
                """),
        SignatureVector(
            name: "joserfc RS512", algorithm: .rs512,
            key: """
                {"n":"w0eoHCzpmaPJdqoIXmdqiLbbUaG6E_sUJPQWnmrRS7xdRpxErYY147b3hNfMqgyr1gVjhFDB0PPPnfcOKtxCpGPG14KAgx\
                hPEWBsksRztvxZtSRrkEHu8KntReReg76ihJCEjf0sj3edv6T78yMqVYH0ZZ3SXH4tzvJ6WofT7Y7QO4e2uqQ3ZpGEJdwSTH-aUK\
                ShPl-vTy9VRYjr5r_cIng-OHcrfwTBRUzJIEc-rA3ys1XJS1IMQvjsiGMe74PKlm4qy1_d7brL4N7D58N07z_kVkc_lehICWF0hp\
                VGatBo_hcn_Cy__tN_QWZhPmu7vMwZc6P0PMeXkl1IjivjeQ","e":"AQAB","kty":"RSA"}
                """,
            token: """
                eyJhbGciOiJSUzUxMiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjogInVzZXItMSIsICJleHAiOiA0MDAwMDAwMDAwfQ.qFBGGrL_\
                knh0k6v31Ms3Fnc_v3J4AUqsbpROOGIbQzPsN0G9Ls_yNXGxj2av1Bg0URxzxJgO22rX7BT49zxaO0Se2TqjY8I9HMrsnfgFtH7y\
                3B1bgckhmA2pO4HQXbFAiZSaDdrOLMRvP-UQszBUkwCoX47Ht6Y9nZoxakrz4ad4dGQ9dirC-399NkCltlb0cnhIpks410ZR3NTF\
                08hN_YEzOB5CoYLhJcYKvRcsB83Sf5Rsz6GUc2ei6Cu-HxFy9FAtPmk5T0J30hmOqvlIOSIeiIoSS3CpffOXEfcS7t4JnIjvzIHC\
                CXY0yL3ncZhglASzXWeknDokAnn1sCA2Ew
                """),
        SignatureVector(
            name: "joserfc PS256", algorithm: .ps256,
            key: """
                {"n":"w0eoHCzpmaPJdqoIXmdqiLbbUaG6E_sUJPQWnmrRS7xdRpxErYY147b3hNfMqgyr1gVjhFDB0PPPnfcOKtxCpGPG14KAgx\
                hPEWBsksRztvxZtSRrkEHu8KntReReg76ihJCEjf0sj3edv6T78yMqVYH0ZZ3SXH4tzvJ6WofT7Y7QO4e2uqQ3ZpGEJdwSTH-aUK\
                ShPl-vTy9VRYjr5r_cIng-OHcrfwTBRUzJIEc-rA3ys1XJS1IMQvjsiGMe74PKlm4qy1_d7brL4N7D58N07z_kVkc_lehICWF0hp\
                VGatBo_hcn_Cy__tN_QWZhPmu7vMwZc6P0PMeXkl1IjivjeQ","e":"AQAB","kty":"RSA"}
                """,
            token: """
                eyJhbGciOiJQUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjogInVzZXItMSIsICJleHAiOiA0MDAwMDAwMDAwfQ.fm-gLahd\
                UdLo4RTdk4oyTgsXWv7EGcjMWDq8kO3qWgwFCjIo4qN57t2ufmWGsYz-ZF-EhvrS_Qi0tH_g9fFIzFuzS-Quo-P0G0vVhlB4Gv5C\
                wFaO3k4VOmUjJGcbow_WkjVrQsR0w_BfRYC2EXzLXwCOfPPjsyRi6AaipKtA29-KWhaV0WzBah0ntmYzH_jpztj4OfOoGE8b5iHw\
                ZoWP29ciFW3pBh2oPNWR4TJ_N-PMeklv2bh-ubAqMIHFs9G94fwGx36B3FMFa5P9lS-02Y6tGDqaQePXe8_szhfuAeWf9b9-3u9m\
                EBP5BOP_TXQPY7TUrqiNusxhnjpeinRSXw
                """),
        SignatureVector(
            name: "joserfc PS384", algorithm: .ps384,
            key: """
                {"n":"w0eoHCzpmaPJdqoIXmdqiLbbUaG6E_sUJPQWnmrRS7xdRpxErYY147b3hNfMqgyr1gVjhFDB0PPPnfcOKtxCpGPG14KAgx\
                hPEWBsksRztvxZtSRrkEHu8KntReReg76ihJCEjf0sj3edv6T78yMqVYH0ZZ3SXH4tzvJ6WofT7Y7QO4e2uqQ3ZpGEJdwSTH-aUK\
                ShPl-vTy9VRYjr5r_cIng-OHcrfwTBRUzJIEc-rA3ys1XJS1IMQvjsiGMe74PKlm4qy1_d7brL4N7D58N07z_kVkc_lehICWF0hp\
                VGatBo_hcn_Cy__tN_QWZhPmu7vMwZc6P0PMeXkl1IjivjeQ","e":"AQAB","kty":"RSA"}
                """,
            token: """
                eyJhbGciOiJQUzM4NCIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjogInVzZXItMSIsICJleHAiOiA0MDAwMDAwMDAwfQ.HJX96F__\
                SSPLWYW4jiI1ayOKL1ro539xx2FEwnkKbWECCv1eQ1o6j_GjwNHAbiN8b4VwLbROQWO3fJueRdARHUO-ZQfEHsHIU62z2KLrBOZm\
                mj5Dsf1aGSlVnXT_XhOctnD03PcvqlXY0pXwoPWnxL6jhr80bo2IB-KOvNRaMnfl62D7mqF6yvOYkFMzESDO03HPCjP8eRoIXU51\
                usbuwWP-R1nxONP2IlaIFt8gT1mruZqF8OPbYqpoHdwKJrxh7926ybDpE-eUS66hWKD5xu3Rrns9iTuIv8IgShcu1WCrI7QYN7Sq\
                0HrGG8R0c2CB4odF-15qlSHwdSpOR96o0g
                """),
        SignatureVector(
            name: "joserfc PS512", algorithm: .ps512,
            key: """
                {"n":"w0eoHCzpmaPJdqoIXmdqiLbbUaG6E_sUJPQWnmrRS7xdRpxErYY147b3hNfMqgyr1gVjhFDB0PPPnfcOKtxCpGPG14KAgx\
                hPEWBsksRztvxZtSRrkEHu8KntReReg76ihJCEjf0sj3edv6T78yMqVYH0ZZ3SXH4tzvJ6WofT7Y7QO4e2uqQ3ZpGEJdwSTH-aUK\
                ShPl-vTy9VRYjr5r_cIng-OHcrfwTBRUzJIEc-rA3ys1XJS1IMQvjsiGMe74PKlm4qy1_d7brL4N7D58N07z_kVkc_lehICWF0hp\
                VGatBo_hcn_Cy__tN_QWZhPmu7vMwZc6P0PMeXkl1IjivjeQ","e":"AQAB","kty":"RSA"}
                """,
            token: """
                eyJhbGciOiJQUzUxMiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjogInVzZXItMSIsICJleHAiOiA0MDAwMDAwMDAwfQ.i8RWmDNs\
                nLldbyWqpcvXVi85IRV4l75DA2Q8goCqQzRKVplCIh1n4B1-p_7VUXcmx9dikMBmqDDFWw3NlujSui0roNW8kcvDQzfrmjd_SKHJ\
                8SCCMQ-LIHAameQNrYUyF3Ir0U1eXRFsrGb1haMc-HhuAT5zbEWn3jRkRF2BFX_KjfuaqcNea6JUq5dLppcm505lXVz6PEYtBgLU\
                8W4Kq34gTWkP0HKrtImlvrkDhNo1cs7yVWb4E-IA5OCKDCpvsOq4lDmMUX8r16wmIbsth8VUak7mCNwOQ975WO4VcIuPoOsSpalw\
                B2FD4G1nAI-CvkpiNdZ8fb-YhDK_HujEqA
                """),
        SignatureVector(
            name: "joserfc ES256", algorithm: .es256,
            key: """
                {"crv":"P-256","x":"JgKAH8SwaVoSVNrTVn81PktbjqsJPDxA2gs95SQ5BhA","y":"DUnn-uWI1GwqI-elNmsEw6Q4bkxDEu\
                c5FLLTCxFUWDs","kty":"EC"}
                """,
            token: """
                eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjogInVzZXItMSIsICJleHAiOiA0MDAwMDAwMDAwfQ.K5xKtcH6\
                4T5tQYDTGKSxTR22qpYebb_GlCWWY0BVrB4xcihlfGQNxr2DolCkByttzUzOViaP2YkWjJYyCwV8Lg
                """),
        SignatureVector(
            name: "joserfc ES384", algorithm: .es384,
            key: """
                {"crv":"P-384","x":"hhHeE0qIFVApaZGQIEzS25rC0IavW-g7H7I4u8I3Y-uMe9x8DZ_eV2Gbo4RwoOYc","y":"d8rEyc9no\
                SYqW8EnYLxMtFFknYY8tzOIgXSnHw3pwsAVpFQpr6unvhIFRtafybzf","kty":"EC"}
                """,
            token: """
                eyJhbGciOiJFUzM4NCIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjogInVzZXItMSIsICJleHAiOiA0MDAwMDAwMDAwfQ.osGKiQ-7\
                4OO9grek5ENmy5NnYCYuY3vtR5XGjIf9QaJ8Tk0ocRBa2NWhrp_azPV3E2Z8xG4WGUjtauZd1phRmW3DmyhZHWj3rd1omtjE7GL5\
                8GM9H2AJbfe3FKXfksBX
                """),
        SignatureVector(
            name: "joserfc ES512", algorithm: .es512,
            key: """
                {"crv":"P-521","x":"ARc5rLUn5wOlASZzQH12Siju0vyeUNrnXyijCs4s_clWkv2cLImsZgPT2laBRPNEmsK57v2SlcpnQLxU\
                4dC4aiHw","y":"AB-61MotDyRU5YWIT4fM5w36m5wYwcrhq0ny_ju5PGx0xKnVKGnbV8-MpxWM6SPmgd8Zgx06gEDfEODAvLIlq\
                aPq","kty":"EC"}
                """,
            token: """
                eyJhbGciOiJFUzUxMiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjogInVzZXItMSIsICJleHAiOiA0MDAwMDAwMDAwfQ.AWXNkwsB\
                IUeXEYlL5Q6cwYxcpHnPbRyKwNGn97wcZl57d7GQ_pg4PtIvsT6m70LipA2F_s3b9I6Wfvw4pHnTfuXKATW5LTBMXlBu1IE1HCxB\
                o5cJTflLDBvIZYcWFJXU9EmTlBQHWN2zhAgxbP6AYDM0etTT1bOxvH4OTcWOaOdWf9cH
                """),
        SignatureVector(
            name: "joserfc EdDSA", algorithm: .edDSA,
            key: """
                {"crv":"Ed25519","x":"C0nTuw_phr31JX3Atn8L005su-rmRKiwrSZcB5sAdGw","kty":"OKP"}
                """,
            token: """
                eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjogInVzZXItMSIsICJleHAiOiA0MDAwMDAwMDAwfQ.ZRD5IC8C\
                vLTwQnxEVs0RJttyoO2LC6AoLRhR0fkD4U8uEpRu4tEiFtSkE3TVC8TKPnJL6qAg3qfWtX3gOlfEDQ
                """),
    ]
}
