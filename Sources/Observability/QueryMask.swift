import Glibc

/// Writes a path with its query for the log, with the values of credentials as `***` (CWE-532: no credential in a log).
///
/// A parameter is masked when its name is one of `names` (in any case, with escapes decoded, `-` as `_`) or when its value
/// looks like a credential: a JWT, whose header begins with `eyJ`, or an API key. Servers differ in what ends a parameter, so
/// a name may start after `?`, `&` or `;`, while a masked value runs to the next `&`.
struct QueryMask: Sendable {
    /// Parameters that carry credentials.
    static let names: [StaticString] = [
        "token", "access_token", "refresh_token", "id_token", "jwt", "key", "api_key", "apikey", "ticket", "password",
        "client_secret",
    ]

    /// What an API key begins with.
    let keyPrefix: [UInt8]

    /// Appends at most `limit` bytes of `target`, masked and escaped for JSON.
    func append(_ target: Span<UInt8>, limit: Int, to bytes: inout LineBuffer) {
        var index = Self.queryStart(target)
        var start = 0  // of what is not written yet
        while index < target.count, index < limit {
            // target[index] is `?`, `&` or `;`: a parameter follows.
            index += 1
            let name = index
            while index < target.count, !Self.endsName(target[index]) { index += 1 }
            guard index < target.count, target[index] == UInt8(ascii: "=") else { continue }
            let value = index + 1
            if isCredential(value: target, from: value) || Self.isCredential(name: target, name..<index) {
                guard value < limit else { break }
                bytes.append(jsonEscaped: target.extracting(start..<value), limit: value - start)
                bytes.append("***")
                index = value
                while index < target.count, target[index] != UInt8(ascii: "&") { index += 1 }
                start = index
            } else {
                index = value
                while index < target.count, !Self.startsName(target[index]) { index += 1 }
            }
        }
        guard start < limit else { return }
        bytes.append(jsonEscaped: target.extracting(start..<target.count), limit: limit - start)
    }

    /// Where the first `?` is, or the end.
    private static func queryStart(_ target: Span<UInt8>) -> Int {
        unsafe target.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress, let found = unsafe memchr(base, Int32(UInt8(ascii: "?")), bytes.count)
            else { return bytes.count }
            return unsafe UnsafeRawPointer(found) - UnsafeRawPointer(base)
        }
    }

    private static func startsName(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "&") || byte == UInt8(ascii: ";") || byte == UInt8(ascii: "?")
    }

    private static func endsName(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "=") || startsName(byte) }

    private func isCredential(value target: Span<UInt8>, from start: Int) -> Bool {
        Self.begins(target, at: start, with: "eyJ".utf8.span)
            || (!keyPrefix.isEmpty && Self.begins(target, at: start, with: keyPrefix.span))
    }

    private static func begins(_ target: Span<UInt8>, at start: Int, with prefix: Span<UInt8>) -> Bool {
        guard target.count - start >= prefix.count else { return false }
        for index in prefix.indices where target[start + index] != prefix[index] { return false }
        return true
    }

    private static func isCredential(name target: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard !range.isEmpty else { return false }
        for candidate in names where matches(target, range, candidate) { return true }
        return false
    }

    /// Whether the bytes in `range`, decoded, are `candidate`.
    private static func matches(_ target: Span<UInt8>, _ range: Range<Int>, _ candidate: StaticString) -> Bool {
        guard range.count >= candidate.utf8CodeUnitCount else { return false }
        let wanted = unsafe UnsafeBufferPointer(start: candidate.utf8Start, count: candidate.utf8CodeUnitCount)
        var index = range.lowerBound
        var position = 0
        while index < range.upperBound {
            var byte = target[index]
            index += 1
            if byte == UInt8(ascii: "%"), index + 1 < range.upperBound, let high = hexValue(target[index]),
                let low = hexValue(target[index + 1])
            {
                byte = high << 4 | low
                index += 2
            }
            if byte >= UInt8(ascii: "A"), byte <= UInt8(ascii: "Z") { byte |= 0x20 }
            if byte == UInt8(ascii: "-") { byte = UInt8(ascii: "_") }
            guard position < wanted.count, unsafe wanted[position] == byte else { return false }
            position += 1
        }
        return position == wanted.count
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
