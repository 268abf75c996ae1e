public import Transport

/// Text inside JSON strings (RFC 8259 §7). The result is valid whatever the bytes: what is not UTF-8 becomes U+FFFD.
public enum JSONText {
    /// Appends `text` escaped, without quotes.
    public static func appendEscaped(_ text: String, to output: inout [UInt8]) {
        var text = text
        text.withUTF8 { unsafe appendEscaped(Span(_unsafeElements: $0), to: &output) }
    }

    /// Appends `text` escaped, without quotes.
    public static func appendEscaped(_ text: String, to buffer: ByteBuffer) {
        var text = text
        text.withUTF8 { unsafe appendEscaped(Span(_unsafeElements: $0), to: buffer) }
    }

    /// Appends `bytes` escaped, without quotes.
    public static func appendEscaped(_ bytes: Span<UInt8>, to output: inout [UInt8]) {
        escape(
            bytes,
            run: { run in
                // Invariant: the pointer lives only in the closure, and `append` copies.
                unsafe bytes.extracting(run).withUnsafeBufferPointer { unsafe output.append(contentsOf: $0) }
            },
            byte: { output.append($0) })
    }

    /// Appends `bytes` escaped, without quotes.
    public static func appendEscaped(_ bytes: Span<UInt8>, to buffer: ByteBuffer) {
        escape(bytes, run: { buffer.append(bytes, $0) }, byte: { buffer.append(byte: $0) })
    }

    /// Appends `text` as a JSON string with its quotes.
    public static func appendQuoted(_ text: String, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        appendEscaped(text, to: &output)
        output.append(UInt8(ascii: "\""))
    }

    @inline(__always)
    private static func escape(_ bytes: Span<UInt8>, run: (Range<Int>) -> Void, byte put: (UInt8) -> Void) {
        var start = 0
        var place = 0
        while place < bytes.count {
            let byte = bytes[place]
            if byte >= 0x20, byte < 0x80, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                place &+= 1
                continue
            }
            let length = byte < 0x80 ? 0 : sequenceLength(bytes, at: place)
            if length > 0 {
                place &+= length
                continue
            }
            run(start..<place)
            escapeOne(byte, put)
            place &+= 1
            start = place
        }
        run(start..<place)
    }

    @inline(__always)
    private static func escapeOne(_ byte: UInt8, _ put: (UInt8) -> Void) {
        put(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): put(byte)
        case 0x0a: put(UInt8(ascii: "n"))
        case 0x0d: put(UInt8(ascii: "r"))
        case 0x09: put(UInt8(ascii: "t"))
        default:
            let unit: UInt16 = byte < 0x80 ? UInt16(byte) : 0xfffd
            put(UInt8(ascii: "u"))
            for shift: UInt16 in [12, 8, 4, 0] {
                let digit = UInt8(truncatingIfNeeded: unit >> shift & 15)
                put(digit < 10 ? digit + 0x30 : digit - 10 + UInt8(ascii: "a"))
            }
        }
    }

    /// Bytes of the well-formed UTF-8 sequence that begins at `place` with a byte of 0x80 or more, or 0 (Unicode table 3-7).
    private static func sequenceLength(_ bytes: Span<UInt8>, at place: Int) -> Int {
        let first = bytes[place]
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xbf
        switch first {
        case 0xc2...0xdf: length = 2
        case 0xe0...0xef:
            length = 3
            if first == 0xe0 { second = 0xa0...0xbf }
            if first == 0xed { second = 0x80...0x9f }
        case 0xf0...0xf4:
            length = 4
            if first == 0xf0 { second = 0x90...0xbf }
            if first == 0xf4 { second = 0x80...0x8f }
        default: return 0
        }
        guard place + length <= bytes.count, second.contains(bytes[place + 1]) else { return 0 }
        for index in 2..<max(length, 2) where bytes[place + index] & 0xc0 != 0x80 { return 0 }
        return length
    }
}
