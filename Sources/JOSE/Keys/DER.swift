/// The little DER (X.690) that keys and ECDSA signatures need. Used when keys are loaded and tokens signed.
enum DER {
    /// A SEQUENCE of elements that are DER already.
    static func sequence(_ elements: [[UInt8]]) -> [UInt8] { element(0x30, elements.flatMap { $0 }) }

    /// A BIT STRING of whole bytes.
    static func bitString(_ bytes: [UInt8]) -> [UInt8] { element(0x03, [0] + bytes) }

    /// A non-negative INTEGER from big-endian bytes without leading zeros.
    static func integer(_ bytes: [UInt8]) -> [UInt8] {
        let isHighBitSet = (bytes.first ?? 0x80) >= 0x80
        return element(0x02, isHighBitSet ? [0] + bytes : bytes)
    }

    private static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        switch content.count {
        case 0..<0x80: [tag, UInt8(content.count)] + content
        case 0x80..<0x100: [tag, 0x81, UInt8(content.count)] + content
        default: [tag, 0x82, UInt8(content.count >> 8), UInt8(content.count & 0xFF)] + content
        }
    }

    /// Reads a SEQUENCE of INTEGERs.
    struct Reader {
        private var rest: ArraySlice<UInt8>

        init(_ bytes: [UInt8]) { rest = bytes[...] }

        var isAtEnd: Bool { rest.isEmpty }

        /// Steps into a SEQUENCE that is all of the rest.
        mutating func enterSequence() -> Bool {
            guard let content = content(of: 0x30), rest.isEmpty else { return false }
            rest = content
            return true
        }

        /// The modulus and the exponent in a SubjectPublicKeyInfo (RFC 3279 §2.3.1).
        mutating func rsaPublicKey() -> (modulus: ArraySlice<UInt8>, exponent: ArraySlice<UInt8>)? {
            guard enterSequence(), content(of: 0x30) != nil, let bits = content(of: 0x03), bits.first == 0 else {
                return nil
            }
            rest = bits.dropFirst()
            guard enterSequence(), let modulus = unsignedInteger(), let exponent = unsignedInteger() else { return nil }
            return (modulus, exponent)
        }

        /// The bytes of a non-negative INTEGER, without leading zeros.
        mutating func unsignedInteger() -> ArraySlice<UInt8>? {
            guard let content = content(of: 0x02), let first = content.first, first < 0x80 else { return nil }
            return content.drop { $0 == 0 }
        }

        private mutating func content(of tag: UInt8) -> ArraySlice<UInt8>? {
            guard rest.popFirst() == tag, var length = rest.popFirst().map(Int.init) else { return nil }
            if length == 0x81 {
                guard let long = rest.popFirst() else { return nil }
                length = Int(long)
            } else if length == 0x82 {
                guard let high = rest.popFirst(), let low = rest.popFirst() else { return nil }
                length = Int(high) << 8 | Int(low)
            } else if length > 0x80 {
                return nil
            }
            guard rest.count >= length else { return nil }
            defer { rest = rest.dropFirst(length) }
            return rest.prefix(length)
        }
    }
}
