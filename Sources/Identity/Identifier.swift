internal import JOSE

/// Ids that the gateway makes.
public enum Identifier {
    private static let digits = Array("0123456789abcdef")

    /// A random UUID (RFC 9562 §5.4) in lower case.
    public static func uuid() -> String {
        var bytes = RandomBytes.make(16)
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        var text = ""
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text.append("-") }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return text
    }
}
