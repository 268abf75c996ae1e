extension [UInt8] {
    /// Appends a literal's bytes.
    @inline(__always)
    mutating func append(literal: StaticString) {
        unsafe append(contentsOf: UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }
}
