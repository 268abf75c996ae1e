public import HTTP

/// What a query says of one-time tickets, which stand for a credential where a browser cannot set headers
/// (contract.md "WebSocket").
public enum QueryTicket: Equatable {
    /// No parameter is named `token`.
    case none
    /// More than one is: which of them the upstream would read is anybody's guess.
    case several
    /// The only one: `parameter` is to be taken from the query. `ticket` is its value, nil where that has not a ticket's
    /// form: a JWT or a key in particular.
    case one(parameter: ByteRange, ticket: ByteRange?)

    /// 32 bytes in base64url.
    private static let ticketLength = 43
    private static let name = Array("token".utf8)

    /// Looks through the query of a target.
    public init(in query: ByteRange, of bytes: Span<UInt8>) {
        var found = QueryTicket.none
        var start = Int(query.start)
        while start <= query.end {
            var end = start
            while end < query.end, bytes[end] != UInt8(ascii: "&") { end += 1 }
            if let value = Self.valueOfToken(bytes, start..<end) {
                guard found == .none else {
                    self = .several
                    return
                }
                let hasForm = value.count == Self.ticketLength
                found = .one(
                    parameter: ByteRange(from: start, to: end),
                    ticket: hasForm ? ByteRange(from: value.lowerBound, to: value.upperBound) : nil)
            }
            start = end + 1
        }
        self = found
    }

    /// The value of a parameter that is named `token`, also when bytes of the name are escaped: the upstream would read
    /// it so. Nil for another name.
    private static func valueOfToken(_ bytes: Span<UInt8>, _ parameter: Range<Int>) -> Range<Int>? {
        var matched = 0
        var place = parameter.lowerBound
        while place < parameter.upperBound, bytes[place] != UInt8(ascii: "=") {
            var byte = bytes[place]
            place += 1
            if byte == UInt8(ascii: "%"), place + 1 < parameter.upperBound,
                let high = digit(bytes[place]), let low = digit(bytes[place + 1])
            {
                byte = high << 4 | low
                place += 2
            }
            guard matched < name.count, byte == name[matched] else { return nil }
            matched += 1
        }
        guard matched == name.count else { return nil }
        return min(place + 1, parameter.upperBound)..<parameter.upperBound
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
