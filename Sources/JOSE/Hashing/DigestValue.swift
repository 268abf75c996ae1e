/// A hash value, on the stack.
struct DigestValue {
    /// The first `count` are the value.
    var storage = InlineArray<64, UInt8>(repeating: 0)
    /// How many bytes it has.
    var count = 0

    /// The value.
    var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get { storage.span.extracting(0..<count) }
    }
}
