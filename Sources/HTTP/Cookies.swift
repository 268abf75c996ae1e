/// What a request's cookies hold under a name.
public enum CookieFinding: Equatable, Sendable {
    /// No cookie has it.
    case none
    /// The cookie's value is at this place of the head.
    case one(Range<Int>)
    /// It is there more than once: of which reader sees which one, nothing can be said.
    case several
}

extension RequestHead {
    /// Looks for a cookie in every `Cookie` line. `bytes` is the head; names are compared byte for byte.
    public func cookie(_ name: [UInt8], in bytes: Span<UInt8>) -> CookieFinding {
        var finding = CookieFinding.none
        for field in fields where field.id == .cookie && !field.isAlias {
            var rest = CookiePairs(field.value.range)
            while let pair = rest.next(bytes) {
                guard CookiePairs.isNamed(pair, name, bytes) else { continue }
                if finding != .none { return .several }
                finding = .one(pair.lowerBound + name.count + 1..<pair.upperBound)
            }
        }
        return finding
    }
}

/// The pairs of a `Cookie` value, without the blanks around them (RFC 6265 §5.4).
public struct CookiePairs {
    private var rest: Range<Int>

    /// Those of the value at this place.
    public init(_ value: Range<Int>) { rest = value }

    /// The next pair that is not empty.
    public mutating func next(_ bytes: Span<UInt8>) -> Range<Int>? {
        while !rest.isEmpty {
            var end = rest.lowerBound
            while end < rest.upperBound, bytes[end] != UInt8(ascii: ";") { end += 1 }
            var pair = rest.lowerBound..<end
            rest = min(end + 1, rest.upperBound)..<rest.upperBound
            while let first = pair.first, FieldSyntax.isBlank(bytes[first]) { pair = pair.dropFirst() }
            while let last = pair.last, FieldSyntax.isBlank(bytes[last]) { pair = pair.dropLast() }
            if !pair.isEmpty { return pair }
        }
        return nil
    }

    /// Whether a pair has this name.
    public static func isNamed(_ pair: Range<Int>, _ name: [UInt8], _ bytes: Span<UInt8>) -> Bool {
        guard pair.count > name.count, bytes[pair.lowerBound + name.count] == UInt8(ascii: "=") else { return false }
        for index in name.indices where bytes[pair.lowerBound + index] != name[index] { return false }
        return true
    }
}
