/// The options of a message's `Connection` lines (RFC 9110 §7.6.1).
struct ConnectionOptions: Sendable {
    /// No honest sender needs more; the bound keeps the comparison with the field names cheap.
    private static let limit = 64

    var closes = false
    var keepsAlive = false
    var upgrades = false
    /// There is an option that may name a field.
    var nominates = false
    private var count = 0

    /// Reads one line's value. False if an element is no token, or there are too many.
    mutating func read(_ bytes: Span<UInt8>, _ value: ByteRange) -> Bool {
        if ByteScan.equalFolded(bytes, value, "keep-alive") {
            keepsAlive = true
            return true
        }
        return readList(bytes, value)
    }

    private mutating func readList(_ bytes: Span<UInt8>, _ value: ByteRange) -> Bool {
        var list = ListElements(value)
        while let option = list.next(bytes) {
            count += 1
            guard count <= ConnectionOptions.limit, FieldSyntax.isToken(bytes, option) else { return false }
            if ByteScan.equalFolded(bytes, option, "keep-alive") {
                keepsAlive = true
            } else if ByteScan.equalFolded(bytes, option, "close") {
                closes = true
            } else if ByteScan.equalFolded(bytes, option, "upgrade") {
                upgrades = true
            } else {
                nominates = true
            }
        }
        return true
    }

    /// Marks the fields that the options name, but not those that a peer may not have removed.
    func nominate(_ fields: inout [Field], _ bytes: Span<UInt8>) {
        guard nominates else { return }
        for index in fields.indices where fields[index].id == .connection {
            var list = ListElements(fields[index].value)
            while let option = list.next(bytes) {
                for place in fields.indices where !fields[place].id.isProtectedFromNomination {
                    if ByteScan.equalFolded(bytes, option, fields[place].name) { fields[place].nominated = true }
                }
            }
        }
    }
}

/// The elements of a comma-separated value, without blanks and without empty ones (RFC 9110 §5.6.1).
struct ListElements {
    private var place: Int
    private let end: Int

    init(_ value: ByteRange) {
        place = Int(value.start)
        end = value.end
    }

    mutating func next(_ bytes: Span<UInt8>) -> ByteRange? {
        while place < end, FieldSyntax.isBlank(bytes[place]) || bytes[place] == UInt8(ascii: ",") { place &+= 1 }
        guard place < end else { return nil }
        let start = place
        while place < end, bytes[place] != UInt8(ascii: ",") { place &+= 1 }
        var last = place
        while last > start, FieldSyntax.isBlank(bytes[last &- 1]) { last &-= 1 }
        return ByteRange(from: start, to: last)
    }
}
