/// A body of type `application/x-www-form-urlencoded`, read strictly.
public enum FormBody {
    /// Why a form cannot be read.
    public enum Problem: Error, Equatable, Sendable {
        /// The field is not there, or is empty.
        case missing
        /// The field is there more than once (RFC 6749 §3.1 forbids that).
        case repeated
        /// An escape is broken.
        case malformed
    }

    /// The one value of a field.
    public static func value(of field: StaticString, in body: [UInt8]) throws(Problem) -> [UInt8] {
        let wanted = [UInt8](field.description.utf8)
        var found: [UInt8]?
        for pair in body.split(separator: UInt8(ascii: "&")) {
            let equals = pair.firstIndex(of: UInt8(ascii: "="))
            guard let name = decode(pair[..<(equals ?? pair.endIndex)]) else { throw .malformed }
            guard name == wanted else { continue }
            guard found == nil else { throw .repeated }
            guard let value = decode(equals.map { pair[pair.index(after: $0)...] } ?? []) else { throw .malformed }
            found = value
        }
        guard let found, !found.isEmpty else { throw .missing }
        return found
    }

    /// Bytes without their escapes; nil where one is broken.
    public static func decode(_ bytes: some Collection<UInt8>) -> [UInt8]? {
        var output: [UInt8] = []
        var rest = Array(bytes)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): output.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                    return nil
                }
                output.append(high << 4 | low)
            default: output.append(byte)
            }
        }
        return output
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
