/// What became of a line of a head.
enum LineOutcome {
    case field
    /// The empty line that ends the head.
    case end
    /// The line's end has not come yet.
    case incomplete
    case malformed
}

/// A field line under RFC 9112 §5, without the leniencies that it grants: no folding (§5.2), no bare CR or LF (§2.2),
/// no blank before the colon (§5.1). The outcome depends on the bytes alone, not on how many of them came at once.
///
/// The members say what the last line was; an enum with payloads would be packed and unpacked for each line.
struct FieldLine {
    /// After `.field`: its parts.
    var start = 0
    var name = ByteRange()
    var value = ByteRange()
    var id = FieldName.other
    var isAlias = false
    /// After `.field` and `.end`: where the next line, or the body, begins.
    var next = 0
    /// After `.malformed`: why.
    var reason: StaticString = ""

    @inline(__always)
    mutating func parse(_ bytes: Span<UInt8>, from start: Int, _ names: FieldNameTable) -> LineOutcome {
        let colon = ByteScan.firstNameEnd(bytes, from: start)
        guard colon < bytes.count else { return .incomplete }
        guard bytes[colon] == 0x3a, colon > start else {
            // By value: if `self` went there by reference, its members would live in memory for every line.
            switch FieldLine.withoutName(bytes, from: start, stop: colon) {
            case .end:
                next = colon &+ 2
                return .end
            case .incomplete: return .incomplete
            case .malformed(let why): return fail(why)
            }
        }
        let count = colon &- start
        var id = names.find(NameKey(bytes, from: start, count: count))
        var isAlias = false
        if id == .other {
            guard let alias = FieldLine.unknown(bytes, from: start, count: count, names: names) else {
                return fail("invalid byte in a field name")
            }
            id = alias
            isAlias = alias != .other
        }

        var valueStart = colon &+ 1
        // One space is what nearly every line has.
        if valueStart < bytes.count, bytes[valueStart] == 0x20 { valueStart &+= 1 }
        while valueStart < bytes.count, FieldSyntax.isBlank(bytes[valueStart]) { valueStart &+= 1 }
        var stop = ByteScan.firstControl(bytes, from: valueStart)
        while stop < bytes.count, bytes[stop] == 0x09 { stop = ByteScan.firstControl(bytes, from: stop &+ 1) }
        guard stop < bytes.count else { return .incomplete }
        guard bytes[stop] == 0x0d else {
            return fail(bytes[stop] == 0x0a ? "bare line feed" : "control byte in a field value")
        }
        guard stop &+ 1 < bytes.count else { return .incomplete }
        guard bytes[stop &+ 1] == 0x0a else { return fail("bare carriage return") }
        var valueEnd = stop
        while valueEnd > valueStart, FieldSyntax.isBlank(bytes[valueEnd &- 1]) { valueEnd &-= 1 }
        self.start = start
        name = ByteRange(start: start, count: count)
        value = ByteRange(from: valueStart, to: valueEnd)
        self.id = id
        self.isAlias = isAlias
        next = stop &+ 2
        return .field
    }

    /// After `.field`: the field.
    @inline(__always)
    var field: Field {
        Field(name: name, value: value, line: ByteRange(from: start, to: next), id: id, isAlias: isAlias)
    }

    @inline(__always)
    private mutating func fail(_ why: StaticString) -> LineOutcome {
        reason = why
        return .malformed
    }

    /// The end of the head, or a line that does not begin with a name and a colon.
    private enum Special {
        case end, incomplete
        case malformed(StaticString)
    }

    @inline(never)
    private static func withoutName(_ bytes: Span<UInt8>, from start: Int, stop: Int) -> Special {
        switch bytes[stop] {
        case 0x0d where stop &+ 1 == bytes.count: return .incomplete
        case 0x0d where bytes[stop &+ 1] != 0x0a: return .malformed("bare carriage return")
        case 0x0d where stop == start: return .end
        case 0x0d: return .malformed("field line without a colon")
        case 0x0a: return .malformed("bare line feed")
        case 0x20 where stop == start, 0x09 where stop == start: return .malformed("folded or indented field line")
        case 0x20, 0x09: return .malformed("blank in a field name")
        case 0x3a: return .malformed("empty field name")
        default: return .malformed("invalid byte in a field name")
        }
    }

    /// Checks a name that is not known: nil if it is no token, the known name that it is an alias of, or `.other`.
    @inline(__always)
    private static func unknown(
        _ bytes: Span<UInt8>, from start: Int, count: Int, names: FieldNameTable
    ) -> FieldName? {
        var separators = false
        for place in start..<(start &+ count) {
            let byte = bytes[place]
            if FieldSyntax.isAlphanumeric(byte) || byte == UInt8(ascii: "-") { continue }
            guard FieldSyntax.isTokenByte(byte) else { return nil }
            separators = true
        }
        return separators ? alias(bytes, from: start, count: count, names: names) : .other
    }

    @inline(never)
    private static func alias(
        _ bytes: Span<UInt8>, from start: Int, count: Int, names: FieldNameTable
    ) -> FieldName {
        let id = names.find(NameKey(aliasOf: bytes, from: start, count: count))
        return id.hasAliases ? id : .other
    }
}
