/// A part of the bytes that a parser was given. Offsets count from the span's first byte.
public struct ByteRange: Equatable, Sendable {
    /// Offset of the first byte.
    public var start: Int32
    /// Number of bytes.
    public var count: Int32

    /// `count` bytes from `start` on. Heads are bounded far below 2 GiB, so 32 bits hold every offset.
    @inlinable
    public init(start: Int, count: Int) {
        self.start = Int32(truncatingIfNeeded: start)
        self.count = Int32(truncatingIfNeeded: count)
    }

    /// The bytes from `start` up to `end`.
    @inlinable
    public init(from start: Int, to end: Int) {
        self.init(start: start, count: end &- start)
    }

    /// An empty range at the beginning.
    @inlinable
    public init() { self.init(start: 0, count: 0) }

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
