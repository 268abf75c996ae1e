/// Recognises multi-byte UTF-8 (RFC 3629 §4: no overlong forms, no surrogates, nothing beyond U+10FFFF).
enum UTF8Sequence {
    /// Bytes of the valid sequence of two to four bytes that starts at `index`; 0 when none does.
    static func length(in text: Span<UInt8>, at index: Int) -> Int {
        let lead = text[index]
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch lead {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        case 0xF1...0xF3: length = 4
        default: return 0
        }
        guard index + length <= text.count, second.contains(text[index + 1]) else { return 0 }
        var next = index + 2
        while next < index + length {
            guard text[next] & 0xC0 == 0x80 else { return 0 }
            next += 1
        }
        return length
    }
}
