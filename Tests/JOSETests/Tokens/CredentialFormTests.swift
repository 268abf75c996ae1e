import JOSE
import Testing

@Suite struct CredentialFormTests {
    @Test(arguments: [
        ("eyJhbGciOiJIUzI1NiJ9.e30.AAAA", CredentialForm.jwt, "three segments and alg"),
        ("eyJhbGciOiJub25lIn0.e30.", .jwt, "alg none has the form: it is an invalid token"),
        ("eyJhbGciOjF9.e30.AAAA", .jwt, "whatever alg is"), ("e30.e30.AAAA", .notJWT, "no alg"),
        ("eyJhbGciOiJIUzI1NiJ9.e30", .notJWT, "two segments"), ("eyJhbGciOiJIUzI1NiJ9.e30.AAAA.", .notJWT, "four"),
        ("rk_0123456789", .notJWT, "an API key"), ("", .notJWT, "nothing"), ("..", .notJWT, "dots"),
        ("eyJhbGciOiJIUzI1NiJ9=.e30.AAAA", .notJWT, "padding"),
        ("eyJhbGciOiJIUzI1NiJ9.e3+.AAAA", .notJWT, "another alphabet"),
        ("YWxn.e30.AAAA", .notJWT, "a header that is not JSON"),
    ])
    func `the form decides`(text: String, form: CredentialForm, why: String) {
        let bytes = [UInt8](text.utf8)
        let found = CredentialForm(of: bytes.span)
        #expect(found == form, "\(why)")
    }

    @Test func `what is too long is none`() {
        let bytes = [UInt8](("eyJhbGciOiJIUzI1NiJ9." + String(repeating: "A", count: 1 << 20) + ".AAAA").utf8)
        let isOne = looksLikeJWT(bytes.span)
        #expect(!isOne)
    }
}
