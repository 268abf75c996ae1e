/// A request method (RFC 9110 §9). Names are case-sensitive; what is not registered here is `.other` and keeps its
/// name as a range of the head.
public enum Method: UInt8, Sendable, CaseIterable {
    case get, head, post, put, delete, patch, options, connect, trace, other

    /// The name as it stands in a request line; empty for `.other`.
    public var name: StaticString {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .patch: "PATCH"
        case .options: "OPTIONS"
        case .connect: "CONNECT"
        case .trace: "TRACE"
        case .other: ""
        }
    }

    /// Repeating the request has the effect of sending it once (RFC 9110 §9.2.2). Unknown methods are not.
    public var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace: true
        case .post, .patch, .connect, .other: false
        }
    }

    /// The method with exactly this name, or `.other`.
    public init(_ name: Span<UInt8>) {
        self.init(name, ByteRange(start: 0, count: name.count))
    }

    init(_ bytes: Span<UInt8>, _ range: ByteRange) {
        let candidate: Method
        switch (range.count, range.isEmpty ? 0 : bytes[Int(range.start)]) {
        case (3, UInt8(ascii: "G")): candidate = .get
        case (3, _): candidate = .put
        case (4, UInt8(ascii: "P")): candidate = .post
        case (4, _): candidate = .head
        case (5, UInt8(ascii: "P")): candidate = .patch
        case (5, _): candidate = .trace
        case (6, _): candidate = .delete
        case (7, UInt8(ascii: "O")): candidate = .options
        case (7, _): candidate = .connect
        default: candidate = .other
        }
        self = candidate != .other && ByteScan.equal(bytes, range, candidate.name) ? candidate : .other
    }
}
