/// What log lines and metrics are written with: bytes appended to an array that keeps its capacity.
extension [UInt8] {
    /// Appends a literal as it is.
    @inline(__always)
    mutating func append(literal: StaticString) {
        unsafe append(contentsOf: UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    /// Appends bytes as they are.
    @inline(__always)
    mutating func append(bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }

    /// Appends a text as it is.
    mutating func append(text: String) { append(contentsOf: text.utf8) }

    /// Appends an integer in decimal.
    mutating func append(decimal value: Int) {
        if value < 0 { append(UInt8(ascii: "-")) }
        append(decimal: UInt64(value.magnitude))
    }

    /// Appends an integer in decimal.
    mutating func append(decimal value: UInt64) {
        var divisor: UInt64 = 1
        while value / divisor >= 10 { divisor *= 10 }
        repeat {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / divisor % 10))
            divisor /= 10
        } while divisor > 0
    }

    /// Appends 0 … 99 as two digits.
    @inline(__always)
    mutating func append(twoDigits value: Int) {
        append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / 10 % 10))
        append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10))
    }

    /// Appends 0 … 999 as three digits.
    @inline(__always)
    mutating func append(threeDigits value: Int) {
        append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / 100 % 10))
        append(twoDigits: value % 100)
    }

    /// Appends four bits as a lower-case hexadecimal digit.
    @inline(__always)
    mutating func append(hexDigit value: UInt8) {
        append(value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10)
    }

    /// Appends at most `limit` bytes of a text as the inside of a JSON string (RFC 8259 §7). A byte that is not part of valid UTF-8
    /// becomes U+FFFD, so that the line stays valid JSON whatever a client sent; a character is never cut in two.
    mutating func append(jsonEscaped text: Span<UInt8>, limit: Int) {
        let end = Swift.min(text.count, limit)
        var index = 0
        var clean = 0  // start of the run that needs no change
        while index < end {
            let byte = text[index]
            if byte >= 0x20, byte < 0x7F, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                index += 1
                continue
            }
            if byte >= 0x80 {
                let length = UTF8Sequence.length(in: text, at: index)
                if length > 0, index + length <= end {
                    index += length
                    continue
                }
                append(bytes: text.extracting(clean..<index))
                if length > 0 { return }  // a whole character, but beyond the limit
                append(literal: "\\ufffd")
            } else {
                append(bytes: text.extracting(clean..<index))
                append(jsonEscape: byte)
            }
            index += 1
            clean = index
        }
        append(bytes: text.extracting(clean..<end))
    }

    private mutating func append(jsonEscape byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append(literal: "\\\"")
        case UInt8(ascii: "\\"): append(literal: "\\\\")
        case UInt8(ascii: "\n"): append(literal: "\\n")
        case UInt8(ascii: "\r"): append(literal: "\\r")
        case UInt8(ascii: "\t"): append(literal: "\\t")
        default:
            append(literal: "\\u00")
            append(hexDigit: byte >> 4)
            append(hexDigit: byte & 15)
        }
    }
}
