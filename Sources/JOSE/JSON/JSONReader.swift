/// Reads JSON strictly (RFC 8259): nothing is repaired and nothing is guessed.
///
/// Refused: a member that occurs twice (RFC 7515 §4 leaves last-wins to choice; two readers of one token would then see
/// two tokens), bytes that are not UTF-8, lone surrogates, U+0000, a byte order mark, integers that do not fit 64 bits,
/// numbers that overflow a double, nesting beyond the bound. Memory is bounded by the size of the input.
public struct JSONReader {
    private let maximumDepth: Int
    private var position = 0

    private init(maximumDepth: Int) { self.maximumDepth = maximumDepth }

    /// Reads one value; white space may surround it.
    ///
    /// - Parameters:
    ///   - bytes: the text.
    ///   - maximumDepth: how many arrays and objects may lie in one another.
    ///   - maximumSize: the longest text that is looked at, in bytes.
    public static func parse(
        _ bytes: Span<UInt8>, maximumDepth: Int = 16, maximumSize: Int = 1 << 20
    ) throws(JSONError) -> JSONValue {
        if bytes.count > maximumSize { throw JSONError(reason: .tooLarge, offset: maximumSize) }
        var reader = JSONReader(maximumDepth: maximumDepth)
        reader.skipSpace(bytes)
        let value = try reader.value(bytes, depth: 0)
        reader.skipSpace(bytes)
        guard reader.position == bytes.count else { throw reader.error(.syntax) }
        return value
    }

    private func error(_ reason: JSONError.Reason) -> JSONError { JSONError(reason: reason, offset: position) }

    @inline(__always)
    private func peek(_ bytes: Span<UInt8>) -> UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace(_ bytes: Span<UInt8>) {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position &+= 1
            default: return
            }
        }
    }

    private mutating func value(_ bytes: Span<UInt8>, depth: Int) throws(JSONError) -> JSONValue {
        switch peek(bytes) {
        case UInt8(ascii: "\""):
            return .string(try string(bytes))
        case UInt8(ascii: "{"):
            return .object(try object(bytes, depth: depth + 1))
        case UInt8(ascii: "["):
            return .array(try array(bytes, depth: depth + 1))
        case UInt8(ascii: "t"):
            try literal("true", bytes)
            return .bool(true)
        case UInt8(ascii: "f"):
            try literal("false", bytes)
            return .bool(false)
        case UInt8(ascii: "n"):
            try literal("null", bytes)
            return .null
        default:
            let start = position
            let isInteger = try skipNumber(bytes)
            return try number(bytes.extracting(start..<position), isInteger: isInteger)
        }
    }

    private mutating func literal(_ text: StaticString, _ bytes: Span<UInt8>) throws(JSONError) {
        guard bytes.count - position >= text.utf8CodeUnitCount else { throw error(.syntax) }
        for character in text.description.utf8 {
            guard bytes[position] == character else { throw error(.syntax) }
            position += 1
        }
    }

    private mutating func object(_ bytes: Span<UInt8>, depth: Int) throws(JSONError) -> JSONObject {
        if depth > maximumDepth { throw error(.tooDeep) }
        position += 1
        var names = DistinctNames()
        var members: [JSONObject.Member] = []
        skipSpace(bytes)
        if peek(bytes) == UInt8(ascii: "}") {
            position += 1
            return JSONObject()
        }
        while true {
            guard peek(bytes) == UInt8(ascii: "\"") else { throw error(.syntax) }
            let name = try string(bytes)
            guard names.insert(name, among: members) else { throw error(.duplicateMember) }
            skipSpace(bytes)
            guard peek(bytes) == UInt8(ascii: ":") else { throw error(.syntax) }
            position += 1
            skipSpace(bytes)
            members.append(JSONObject.Member(name: name, value: try value(bytes, depth: depth)))
            if try isAtEnd(bytes, of: UInt8(ascii: "}")) { return JSONObject(distinct: members) }
        }
    }

    private mutating func array(_ bytes: Span<UInt8>, depth: Int) throws(JSONError) -> [JSONValue] {
        if depth > maximumDepth { throw error(.tooDeep) }
        position += 1
        var values: [JSONValue] = []
        skipSpace(bytes)
        if peek(bytes) == UInt8(ascii: "]") {
            position += 1
            return values
        }
        while true {
            values.append(try value(bytes, depth: depth))
            if try isAtEnd(bytes, of: UInt8(ascii: "]")) { return values }
        }
    }

    /// Passes a comma and the white space behind it, or the end of the array or object.
    private mutating func isAtEnd(_ bytes: Span<UInt8>, of close: UInt8) throws(JSONError) -> Bool {
        skipSpace(bytes)
        let next = peek(bytes)
        guard next == close || next == UInt8(ascii: ",") else { throw error(.syntax) }
        position += 1
        if next == close { return true }
        skipSpace(bytes)
        return false
    }

    private mutating func string(_ bytes: Span<UInt8>) throws(JSONError) -> String {
        position += 1
        let start = position
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                let text = try utf8(bytes.extracting(start..<position))
                position += 1
                return text
            }
            if byte < 0x20 { throw error(.syntax) }
            if byte == UInt8(ascii: "\\") { return try escapedString(bytes, from: start) }
            position &+= 1
        }
        throw error(.syntax)
    }

    /// The slower way for strings with escapes: `position` is at the first of them.
    private mutating func escapedString(_ bytes: Span<UInt8>, from start: Int) throws(JSONError) -> String {
        var text: [UInt8] = []
        for index in start..<position { text.append(bytes[index]) }
        while let byte = peek(bytes) {
            switch byte {
            case UInt8(ascii: "\""):
                let string = try utf8(text.span)
                position += 1
                return string
            case UInt8(ascii: "\\"):
                position += 1
                try escape(bytes, into: &text)
            case 0..<0x20:
                throw error(.syntax)
            default:
                text.append(byte)
                position += 1
            }
        }
        throw error(.syntax)
    }

    private mutating func escape(_ bytes: Span<UInt8>, into text: inout [UInt8]) throws(JSONError) {
        guard let kind = peek(bytes) else { throw error(.syntax) }
        position += 1
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(kind)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            // U+0000 is legal JSON (RFC 8259 §7), and a cut-off string in every C consumer behind us.
            let scalar = try escapedScalar(bytes)
            guard scalar.value != 0 else { throw error(.text) }
            text.append(contentsOf: String(scalar).utf8)
        default: throw error(.syntax)
        }
    }

    private mutating func escapedScalar(_ bytes: Span<UInt8>) throws(JSONError) -> Unicode.Scalar {
        let first = try fourHexDigits(bytes)
        if let scalar = Unicode.Scalar(first) { return scalar }
        // RFC 8259 §8.2: a surrogate only means something as the first half of a pair.
        guard first & 0xFC00 == 0xD800, bytes.count - position >= 6,
            bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u")
        else { throw error(.text) }
        position += 2
        let second = try fourHexDigits(bytes)
        guard second & 0xFC00 == 0xDC00,
            let scalar = Unicode.Scalar(0x10000 + (first & 0x3FF) << 10 + (second & 0x3FF))
        else { throw error(.text) }
        return scalar
    }

    private mutating func fourHexDigits(_ bytes: Span<UInt8>) throws(JSONError) -> UInt32 {
        guard bytes.count - position >= 4 else { throw error(.syntax) }
        var value: UInt32 = 0
        for _ in 0..<4 {
            let byte = bytes[position]
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw error(.syntax)
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    private func utf8(_ bytes: Span<UInt8>) throws(JSONError) -> String {
        guard let text = try? UTF8Span(validating: bytes) else { throw error(.text) }
        return String(copying: text)
    }

    /// Passes a number (RFC 8259 §6) and says whether it was written without fraction and exponent.
    private mutating func skipNumber(_ bytes: Span<UInt8>) throws(JSONError) -> Bool {
        if peek(bytes) == UInt8(ascii: "-") { position += 1 }
        if peek(bytes) == UInt8(ascii: "0") { position += 1 } else { try skipDigits(bytes) }
        var isInteger = true
        if peek(bytes) == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            try skipDigits(bytes)
        }
        if let byte = peek(bytes), byte | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            position += 1
            if let sign = peek(bytes), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
            try skipDigits(bytes)
        }
        return isInteger
    }

    private mutating func skipDigits(_ bytes: Span<UInt8>) throws(JSONError) {
        let start = position
        while let byte = peek(bytes), byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
        if position == start { throw error(.syntax) }
    }

    private func number(_ text: Span<UInt8>, isInteger: Bool) throws(JSONError) -> JSONValue {
        guard isInteger else {
            guard let value = Double(try utf8(text)), value.isFinite else { throw error(.numberRange) }
            return .number(value)
        }
        let isNegative = text[0] == UInt8(ascii: "-")
        var value: Int64 = 0
        for index in (isNegative ? 1 : 0)..<text.count {
            let digit = Int64(text[index] - UInt8(ascii: "0"))
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            // Counting down for negative numbers reaches Int64.min too.
            let (sum, overflowToo) =
                isNegative ? tens.subtractingReportingOverflow(digit) : tens.addingReportingOverflow(digit)
            if overflow || overflowToo { throw error(.numberRange) }
            value = sum
        }
        return isNegative && value == 0 ? .number(-0.0) : .integer(value)
    }
}
