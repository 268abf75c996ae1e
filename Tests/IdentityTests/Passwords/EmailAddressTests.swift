import Testing

@testable import Identity

@Suite struct EmailAddressTests {
    private static let rows: [(text: String, normal: String?, why: String)] = [
        ("ann@example.com", "ann@example.com", "plain"), ("Ann.Lee@EXAMPLE.com", "ann.lee@example.com", "lower case"),
        ("cafe\u{301}@example.com", "caf\u{E9}@example.com", "NFC"),
        ("\u{C9}va@x.hu", "\u{E9}va@x.hu", "lower case of É"),
        ("a@b", "a@b", "the shortest"), ("a+b@c", "a+b@c", "a tag is part of it"), ("@b", nil, "nobody"),
        ("a@", nil, "nowhere"),
        ("a@b@c", nil, "two"), ("ab", nil, "none"), ("", nil, "empty"), ("a b@c", nil, "blank"),
        (" a@b", nil, "blank in front"),
        ("a@b\n", nil, "line feed"), ("a\0@b", nil, "NUL"), ("a\u{202E}@b", nil, "text direction"),
        ("a\u{200B}@b", nil, "invisible"),
        (String(repeating: "a", count: 250) + "@b.c", "\(String(repeating: "a", count: 250))@b.c", "254"),
        (String(repeating: "a", count: 251) + "@b.c", nil, "255 bytes, RFC 5321 §4.5.3.1.3"),
        ("\u{430}nn@example.com", "\u{430}nn@example.com", "a Cyrillic look-alike is somebody else"),
    ]

    @Test("addresses in their normal form", arguments: rows)
    func normal(_ row: (text: String, normal: String?, why: String)) {
        #expect(EmailAddress.normalized(row.text) == row.normal, "\(row.why)")
    }

    @Test("passwords are bounded")
    func passwords() {
        #expect(PasswordText.isAcceptable("x") && PasswordText.isAcceptable(String(repeating: "x", count: 1_024)))
        #expect(!PasswordText.isAcceptable("") && !PasswordText.isAcceptable(String(repeating: "x", count: 1_025)))
        #expect(!PasswordText.isAcceptable("a\0b"))
    }
}
