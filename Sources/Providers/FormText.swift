internal import JOSE

/// `application/x-www-form-urlencoded` (RFC 6749 appendix B).
enum FormText {
    /// Bytes as a name or a value.
    static func encoded(_ bytes: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                output.append(byte)
            default:
                let digits = Array("0123456789ABCDEF".utf8)
                output += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return output
    }

    /// The value of `Authorization` by which a client names itself: RFC 6749 §2.3.1 encodes both parts before Basic does.
    static func basic(_ name: String, _ secret: [UInt8]) -> String {
        let pair = encoded(Array(name.utf8)) + [UInt8(ascii: ":")] + encoded(secret)
        return "Basic \(Base64.encode(pair, padded: true))"
    }
}
