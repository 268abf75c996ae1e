import JOSE
import Testing

@Suite struct Base64URLTests {
    @Test(arguments: [
        ("", "", "nothing is nothing"),
        ("f", "Zg", "RFC 4648 §10"), ("fo", "Zm8", "RFC 4648 §10"), ("foo", "Zm9v", "RFC 4648 §10"),
        ("foob", "Zm9vYg", "RFC 4648 §10"), ("fooba", "Zm9vYmE", "RFC 4648 §10"),
        ("foobar", "Zm9vYmFy", "RFC 4648 §10"), ("??>", "Pz8-", "the alphabet of §5"), ("???", "Pz8_", "likewise"),
    ])
    func `canonical text goes both ways`(plain: String, text: String, why: String) {
        #expect(Base64URL.encode([UInt8](plain.utf8)) == text, "\(why)")
        #expect(Base64URL.decode(text) == [UInt8](plain.utf8), "\(why)")
    }

    @Test(arguments: [
        ("Zg==", "padding"), ("Zg=", "padding"), ("Zm8=", "padding"), ("Z", "one character alone"),
        ("Zm9vY", "five characters"), ("Pz8+", "the alphabet of §4"), ("Pz8/", "the alphabet of §4"),
        (" Zm9v", "white space"), ("Zm9v\n", "white space"), ("Zm 9v", "white space"), ("Zm9\u{0}", "NUL"),
        ("Zh", "trailing bits"), ("Zm9", "trailing bits"), ("Zm9vYh", "trailing bits behind a whole group"),
        ("Zm9é", "beyond ASCII"), ("Zm.v", "a dot"), ("Zm9v~m8", "a tilde"),
    ])
    func `any other spelling is refused`(text: String, why: String) {
        #expect(Base64URL.decode(text) == nil, "\(why)")
    }

    @Test func `all lengths and bytes go both ways`() {
        for count in 0..<70 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ count) }
            #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes)
        }
    }

    /// RFC 4648 §5: 64 characters and no others, wherever in a group of eight or in the rest behind it they stand.
    @Test(arguments: [8, 11, 12, 14, 16, 18, 23]) func `each character counts at each place`(length: Int) {
        let alphabet = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var bytes: [UInt8] = []
        // The last character of a text that ends within a byte has bits to be zero.
        for place in 0..<(length.isMultiple(of: 4) ? length : length - 1) {
            for character in UInt8.min...UInt8.max {
                var text = [UInt8](repeating: UInt8(ascii: "A"), count: length)
                text[place] = character
                let isGood = Base64URL.decode(text.span, into: &bytes)
                #expect(isGood == alphabet.contains(character), "\(character) at \(place)")
                if isGood { #expect(Base64URL.encode(bytes) == String(decoding: text, as: UTF8.self)) }
            }
        }
    }
}
