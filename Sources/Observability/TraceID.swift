/// The trace id of a W3C `traceparent` field. The gateway passes the field on untouched and writes the id in the log.
public struct TraceID: Sendable, Hashable {
    /// The first eight bytes.
    public let high: UInt64
    /// The last eight bytes.
    public let low: UInt64

    /// The id in a `traceparent` value; nil when the value is not valid (W3C Trace Context §3.2): version `ff`, an id of
    /// zeros, upper-case digits, or a length that the version does not have.
    public init?(traceparent value: Span<UInt8>) {
        // version "-" trace-id "-" parent-id "-" trace-flags; what comes after in later versions begins with "-".
        guard value.count >= 55, value[2] == Self.dash, value[35] == Self.dash, value[52] == Self.dash,
            let version = Self.hex(value, 0..<2), version != 0xFF,
            value.count == 55 || (version > 0 && value[55] == Self.dash),
            let high = Self.hex(value, 3..<19), let low = Self.hex(value, 19..<35), high | low != 0,
            let parent = Self.hex(value, 36..<52), parent != 0, Self.hex(value, 53..<55) != nil
        else { return nil }
        self.high = high
        self.low = low
    }

    private static let dash = UInt8(ascii: "-")

    private static func hex(_ value: Span<UInt8>, _ range: Range<Int>) -> UInt64? {
        var result: UInt64 = 0
        for index in range {
            let byte = value[index]
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): result = result << 4 | UInt64(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): result = result << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return result
    }

    /// Appends the id as 32 lower-case hexadecimal digits.
    func appendHex(to bytes: inout LineBuffer) {
        for shift in stride(from: 60, through: 0, by: -4) { bytes.append(hexDigit: UInt8(high >> UInt64(shift) & 15)) }
        for shift in stride(from: 60, through: 0, by: -4) { bytes.append(hexDigit: UInt8(low >> UInt64(shift) & 15)) }
    }
}
