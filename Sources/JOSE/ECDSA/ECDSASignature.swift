/// ECDSA signatures: `r || s` in tokens (RFC 7518 §3.4), DER in OpenSSL.
enum ECDSASignature {
    /// Replaces `output` with the DER of a token's signature.
    ///
    /// - Returns: false unless `raw` is twice the curve's size and both numbers are in 1 ..< n. That is checked here and
    ///   not left to the library: a verifier that forgets it accepts all-zero signatures (CVE-2022-21449).
    static func encodeDER(_ raw: Span<UInt8>, on curve: Curve, into output: inout [UInt8]) -> Bool {
        let size = curve.size
        guard raw.count == 2 * size else { return false }
        let r = raw.extracting(0..<size)
        let s = raw.extracting(size..<(2 * size))
        let order = curve.order
        guard isInRange(r, below: order.span), isInRange(s, below: order.span) else { return false }
        let length = integerLength(r) + integerLength(s)
        output.removeAll(keepingCapacity: true)
        output.append(0x30)
        if length >= 0x80 { output.append(0x81) }
        output.append(UInt8(length))
        appendInteger(r, to: &output)
        appendInteger(s, to: &output)
        return true
    }

    /// A token's signature from the DER that OpenSSL signs with; nil when it is not that.
    static func decodeDER(_ der: [UInt8], on curve: Curve) -> [UInt8]? {
        var reader = DER.Reader(der)
        guard reader.enterSequence(), let r = reader.unsignedInteger(), let s = reader.unsignedInteger(),
            reader.isAtEnd,
            r.count <= curve.size, s.count <= curve.size
        else { return nil }
        return [UInt8](repeating: 0, count: curve.size - r.count) + r
            + [UInt8](repeating: 0, count: curve.size - s.count) + s
    }

    private static func isInRange(_ number: Span<UInt8>, below order: Span<UInt8>) -> Bool {
        var isZero = true
        var isBelow = false
        for index in 0..<number.count {
            if number[index] != 0 { isZero = false }
            if !isBelow, number[index] != order[index] {
                if number[index] > order[index] { return false }
                isBelow = true
            }
        }
        return isBelow && !isZero
    }

    /// Leading zero bytes of a number that is not zero.
    private static func leadingZeros(_ number: Span<UInt8>) -> Int {
        var zeros = 0
        while number[zeros] == 0 { zeros += 1 }
        return zeros
    }

    private static func integerLength(_ number: Span<UInt8>) -> Int {
        let zeros = leadingZeros(number)
        return 2 + number.count - zeros + (number[zeros] >= 0x80 ? 1 : 0)
    }

    private static func appendInteger(_ number: Span<UInt8>, to output: inout [UInt8]) {
        let zeros = leadingZeros(number)
        let length = integerLength(number) - 2
        output.append(0x02)
        output.append(UInt8(length))
        if length > number.count - zeros { output.append(0) }
        for index in zeros..<number.count { output.append(number[index]) }
    }
}
