import HTTP
import Testing

@testable import Providers

@Suite("FormText: what is posted to an issuer, RFC 6749 appendix B")
struct FormTextTests {
    @Test(
        "bytes as a value",
        arguments: [
            ("", "", "nothing"), ("abcXYZ019", "abcXYZ019", "letters and digits"), ("-._~", "-._~", "RFC 3986 §2.3"),
            (" ", "%20", "a blank, which every reader takes"), ("+", "%2B", "a plus would be read as a blank"),
            ("a&b=c", "a%26b%3Dc", "what parts fields"), ("%", "%25", "the escape itself"),
            ("/?#:;,", "%2F%3F%23%3A%3B%2C", "every other"),
            ("é", "%C3%A9", "the bytes of UTF-8"), ("\r\n\u{0}", "%0D%0A%00", "controls"),
            ("\u{7f}*", "%7F%2A", "two digits, upper case"),
        ])
    func encoded(text: String, expected: String, why: String) {
        let encoded = FormText.encoded(Array(text.utf8))
        #expect(String(decoding: encoded, as: UTF8.self) == expected, "\(why)")
    }

    @Test("every byte comes back through the gateway's own reader")
    func roundTrip() throws {
        let bytes = (UInt8.min...UInt8.max).map { $0 }
        let encoded = FormText.encoded(bytes)
        #expect(encoded.allSatisfy { (0x21...0x7e).contains($0) })
        #expect(FormBody.decode(encoded) == bytes)
        let body = Array("x=1&token=".utf8) + encoded + Array("&y=2".utf8)
        #expect(try FormBody.value(of: "token", in: body) == bytes)
    }

    @Test(
        "a client's name and secret, RFC 6749 §2.3.1",
        arguments: [
            (
                "s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw", "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3",
                "the RFC's example"
            ),
            ("a", "", "Basic YTo=", "an empty secret, padded"),
            ("gate house", "p:w", "Basic Z2F0ZSUyMGhvdXNlOnAlM0F3", "gate%20house:p%3Aw: encoded before Base64"),
            ("ü", "+", "Basic JUMzJUJDOiUyQg==", "%C3%BC:%2B"),
        ])
    func basic(name: String, secret: String, expected: String, why: String) {
        #expect(FormText.basic(name, Array(secret.utf8)) == expected, "\(why)")
    }
}
