/// Renders access log lines (one JSON object each) into a chunk of bytes that the shard hands over to `AccessLog`.
///
/// Invariant: confined to one shard. A line is `begin`, `add…` in the order of `AccessLogMember`, `end`; between lines the
/// chunk ends in a line feed. A line is at most `lineBound` bytes, since every value is bounded, so a chunk that is handed
/// over once `isFull` never outgrows `chunkCapacity`, and rendering allocates nothing.
public struct AccessLogRenderer: ~Copyable {
    /// Bytes of a chunk.
    public static let chunkCapacity = 64 * 1024
    /// Bytes of a path (with its query) that are logged; the rest is cut off.
    public static let pathBound = 1024
    /// Bytes of any other text that are logged; the rest is cut off.
    public static let valueBound = 256
    /// The longest line: each byte of a text may become `\u00XX`.
    static let lineBound = 6 * (pathBound + AccessLogMember.allCases.count * valueBound)

    private var chunk = LineBuffer(capacity: chunkCapacity)
    private var timestamp = TimestampText()
    private let mask: QueryMask
    private var last: AccessLogMember?

    /// A renderer without lines. In a path's query, values that begin with `keyPrefix` are masked whatever their name.
    public init(keyPrefix: String = "rk_") {
        mask = QueryMask(keyPrefix: Array(keyPrefix.utf8))
    }

    /// Bytes that wait to be handed over.
    @inline(__always) public var pendingCount: Int { chunk.count }

    /// The next line might not fit: the chunk is to be handed over now.
    @inline(__always) public var isFull: Bool { chunk.count > Self.chunkCapacity - Self.lineBound }

    /// The lines so far, in an array of their size: it may wait long. The renderer starts over with nothing.
    public mutating func takeChunk() -> [UInt8] {
        assert(last == nil, "a line is open")
        return chunk.take()
    }

    /// Opens a line with the time of the request, in nanoseconds since 1970.
    public mutating func begin(wallClockNanoseconds: Int64) {
        assert(last == nil, "the line before was not ended")
        last = .time
        chunk.append("{\"time\":\"")
        timestamp.append(wallClockNanoseconds, to: &chunk)
        chunk.append(UInt8(ascii: "\""))
    }

    /// Adds a text; nothing when it is empty.
    public mutating func add(_ member: AccessLogMember, _ value: Span<UInt8>) {
        guard !value.isEmpty else { return }
        open(member)
        chunk.append(UInt8(ascii: "\""))
        chunk.append(jsonEscaped: value, limit: Self.valueBound)
        chunk.append(UInt8(ascii: "\""))
    }

    /// Adds a literal that needs no escaping; nothing when it is empty.
    public mutating func add(_ member: AccessLogMember, _ value: StaticString) {
        guard value.utf8CodeUnitCount > 0 else { return }
        open(member)
        chunk.append(UInt8(ascii: "\""))
        chunk.append(value)
        chunk.append(UInt8(ascii: "\""))
    }

    /// Adds a text; nothing when it is empty or missing.
    public mutating func add(_ member: AccessLogMember, _ value: String?) {
        guard var value, !value.isEmpty else { return }
        value.withUTF8 { add(member, unsafe Span(_unsafeElements: $0)) }
    }

    /// Adds a number.
    public mutating func add(_ member: AccessLogMember, _ value: Int) {
        open(member)
        chunk.append(decimal: value)
    }

    /// Adds a time span as milliseconds with three decimals; nothing when it is negative, which is how a caller says
    /// that there was none.
    public mutating func add(_ member: AccessLogMember, nanoseconds: Int64) {
        guard nanoseconds >= 0 else { return }
        open(member)
        let microseconds = Int(nanoseconds / 1000)
        chunk.append(decimal: microseconds / 1000)
        chunk.append(UInt8(ascii: "."))
        chunk.append(threeDigits: microseconds % 1000)
    }

    /// Adds the path: the request's raw path with its query, in which the values of credentials are masked.
    public mutating func addPath(_ target: Span<UInt8>) {
        guard !target.isEmpty else { return }
        open(.path)
        chunk.append(UInt8(ascii: "\""))
        mask.append(target, limit: Self.pathBound, to: &chunk)
        chunk.append(UInt8(ascii: "\""))
    }

    /// Adds the trace id; nothing when there is none.
    public mutating func add(_ member: AccessLogMember, _ value: TraceID?) {
        guard let value else { return }
        open(member)
        chunk.append(UInt8(ascii: "\""))
        value.appendHex(to: &chunk)
        chunk.append(UInt8(ascii: "\""))
    }

    /// Closes the line.
    public mutating func end() {
        assert(last != nil, "no line is open")
        last = nil
        chunk.append("}\n")
    }

    @inline(__always)
    private mutating func open(_ member: AccessLogMember) {
        assert((last?.rawValue ?? .max) < member.rawValue, "members come in the order of the contract, each once")
        last = member
        chunk.append(member.label)
    }
}
