internal import HTTP

/// Names as they may stand in the file.
enum NameSyntax {
    /// Labels of letters, digits, `-` and `_`, at most 253 bytes.
    static func isHostName(_ text: String) -> Bool {
        guard (1...253).contains(text.utf8.count) else { return false }
        return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.utf8.count) && label.utf8.first != UInt8(ascii: "-")
                && label.utf8.last != UInt8(ascii: "-") && label.utf8.allSatisfy(Self.isNameByte)
        }
    }

    /// A port as people write it: digits without sign and leading zeros, 1 to 65535.
    static func isPort(_ text: some StringProtocol) -> Bool {
        (1...5).contains(text.utf8.count) && text.utf8.allSatisfy { (0x30...0x39).contains($0) } && !text.hasPrefix("0")
            && UInt16(text) != nil
    }

    /// A name of a block: letters, digits, `-`, `_` and `.`, at most 64 bytes.
    static func isIdentifier(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && text.utf8.allSatisfy { isNameByte($0) || $0 == UInt8(ascii: ".") }
    }

    /// A header field's name (RFC 9110 §5.1).
    static func isFieldName(_ text: String) -> Bool { FieldSyntax.isToken(Array(text.utf8).span) }

    static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
