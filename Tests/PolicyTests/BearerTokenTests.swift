import Testing

@testable import Policy

struct BearerTokenTests {
    private func credential(_ value: String) -> String? {
        let bytes = Array(value.utf8)
        return BearerToken.range(in: bytes.span).map { String(decoding: bytes[$0], as: UTF8.self) }
    }

    @Test(arguments: [
        ("Bearer abc", "abc", "the ordinary spelling"),
        ("bearer abc", "abc", "report 2: lower case"),
        ("BEARER abc", "abc", "report 2: upper case"),
        ("bEaReR abc", "abc", "any case"),
        ("Bearer  abc", "abc", "report 2: two spaces"),
        ("Bearer          abc", "abc", "or more"),
        ("Bearer a", "a", "one byte"),
        ("Bearer a b", "a b", "byte for byte to the end: a blank does not end it"),
        ("Bearer a,b", "a,b", "nor a comma"),
        ("Bearer \"a\"", "\"a\"", "quotes are part of it"),
    ])
    func finds(value: String, expected: String, why: String) {
        #expect(credential(value) == expected, "\(why)")
    }

    @Test(arguments: [
        ("", "nothing at all"), ("Bearer", "nothing behind the scheme"), ("Bearer ", "a blank only"),
        ("Bearer       ", "blanks only"), ("Basic YTpi", "another scheme"), ("Bearerabc def", "a longer scheme"),
        ("Beare abcd", "a shorter one"), ("Bearer\tabcd", "a tab is no space"), ("abcdefgh", "no scheme"),
        ("Token abcdef", "another word"), ("\"earer abc", "bit 5 alone does not make a letter"),
        ("Bearer\u{0}abc", "NUL is no space"), ("Negotiate Bearer x", "the scheme comes first"),
    ])
    func findsNone(value: String, why: String) {
        #expect(credential(value) == nil, "\(why)")
    }

    @Test(arguments: [
        ("rk_abc", BearerToken.Form.apiKey, "the prefix"),
        ("rk_", .apiKey, "only the prefix: a malformed key is a key"),
        ("rk_a.b.c", .apiKey, "three segments that are no JWT"),
        ("RK_abc", .unknown, "the prefix in its own case"),
        ("abc", .unknown, "neither"),
        ("a.b.c", .unknown, "three segments without a header"),
        ("eyJhbGciOiJIUzI1NiJ9.e30.c2ln", .jwt, "a header with alg"),
        ("eyJ0eXAiOiJKV1QifQ.e30.c2ln", .unknown, "a header without alg"),
        ("eyJhbGciOiJIUzI1NiJ9.e30", .unknown, "two segments"),
        ("eyJhbGciOiJIUzI1NiJ9.e30.c2ln.a", .unknown, "four"),
        ("eyJhbGciOiJIUzI1NiJ9.e30.c2ln.a.b", .unknown, "five: encrypted"),
        ("eyJhbGciOiJIUzI1NiJ9.e3+.c2ln", .unknown, "not base64url"),
    ])
    func forms(token: String, expected: BearerToken.Form, why: String) {
        let bytes = Array(token.utf8)
        #expect(BearerToken.form(of: bytes.span, keyPrefix: Array("rk_".utf8)) == expected, "\(why)")
    }
}
