/// A part of the bytes that a parser was given. Offsets count from the span's first byte.
public struct ByteRange: Equatable, Sendable {
    // One word: as two halves that are written apart and then copied together, each field line would stall the
    // processor's store forwarding (a quarter of the parser's time).
    @usableFromInline var bits: UInt64

    /// Offset of the first byte.
    @inlinable public var start: Int32 {
        get { Int32(truncatingIfNeeded: bits) }
        set { self = ByteRange(start: Int(newValue), count: Int(count)) }
    }

    /// Number of bytes.
    @inlinable public var count: Int32 {
        get { Int32(truncatingIfNeeded: bits &>> 32) }
        set { self = ByteRange(start: Int(start), count: Int(newValue)) }
    }

    /// `count` bytes from `start` on. Heads are bounded far below 2 GiB, so 32 bits hold every offset.
    @inlinable
    public init(start: Int, count: Int) {
        bits =
            UInt64(truncatingIfNeeded: count) &<< 32 | UInt64(UInt32(truncatingIfNeeded: start))
    }

    /// The bytes from `start` up to `end`.
    @inlinable
    public init(from start: Int, to end: Int) {
        self.init(start: start, count: end &- start)
    }

    /// An empty range at the beginning.
    @inlinable
    public init() { bits = 0 }

    /// Offset behind the last byte.
    @inlinable public var end: Int { Int(start) &+ Int(count) }
    /// The same as a `Range`, for `Span.extracting`.
    @inlinable public var range: Range<Int> { Int(start)..<end }
    /// No byte at all.
    @inlinable public var isEmpty: Bool { count == 0 }

    /// The same bytes when `distance` more lie before them.
    @inlinable
    public func moved(by distance: Int) -> ByteRange {
        ByteRange(start: Int(start) &+ distance, count: Int(count))
    }
}
