extension LineBuffer {
    /// Appends at most `limit` bytes of a text as the inside of a JSON string (RFC 8259 §7). A byte that is not part of valid
    /// UTF-8 becomes U+FFFD, so that the line stays valid JSON whatever a client sent; a character is never cut in two.
    mutating func append(jsonEscaped text: Span<UInt8>, limit: Int) {
        let end = min(text.count, limit)
        let clean = JSONEscaping.cleanPrefix(text, end)
        append(text.extracting(0..<clean))
        if clean < end { appendEscaping(text, from: clean, to: end) }
    }

    @inline(never)
    private mutating func appendEscaping(_ text: Span<UInt8>, from start: Int, to end: Int) {
        var index = start
        while index < end {
            let byte = text[index]
            if JSONEscaping.isClean(byte) {
                append(byte)
                index += 1
            } else if byte < 0x80 {
                append(jsonEscape: byte)
                index += 1
            } else {
                let length = UTF8Sequence.length(in: text, at: index)
                if index + length > end { return }  // a whole character, but beyond the limit
                if length == 0 { append("\\ufffd") } else { append(text.extracting(index..<index + length)) }
                index += max(length, 1)
            }
        }
    }

    private mutating func append(jsonEscape byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append("\\\"")
        case UInt8(ascii: "\\"): append("\\\\")
        case UInt8(ascii: "\n"): append("\\n")
        case UInt8(ascii: "\r"): append("\\r")
        case UInt8(ascii: "\t"): append("\\t")
        default:
            append("\\u00")
            append(hexDigit: byte >> 4)
            append(hexDigit: byte & 15)
        }
    }
}

/// Which bytes stand for themselves in a JSON string of the log: printable ASCII but `"` and `\`.
enum JSONEscaping {
    @inline(__always)
    static func isClean(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte < 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    /// How many of the first `end` bytes are clean. Eight at a time; the last eight may overlap the ones before.
    static func cleanPrefix(_ text: Span<UInt8>, _ end: Int) -> Int {
        let bytes = unsafe text.bytes
        var index = 0
        while index < end, end >= 8 {
            let place = min(index, end &- 8)
            guard isClean(unsafe bytes.unsafeLoadUnaligned(fromByteOffset: place, as: UInt64.self)) else { break }
            index = place &+ 8
        }
        while index < end, isClean(text[index]) { index &+= 1 }
        return index
    }

    /// Whether each of eight bytes is clean. In each test the top bit of a byte tells.
    @inline(__always)
    private static func isClean(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let tops: UInt64 = 0x8080_8080_8080_8080
        // With the top bits known to be clear, a difference borrows exactly where its byte is too small.
        let control = (word &- ones &* 0x20) | (word &+ ones)
        let quote = (word ^ (ones &* 0x22)) &- ones
        let backslash = (word ^ (ones &* 0x5C)) &- ones
        return (word | control | quote | backslash) & tops == 0
    }
}
