extension [UInt8] {
    /// Appends the bytes of a literal.
    @inlinable
    public mutating func append(literal: StaticString) {
        unsafe append(contentsOf: UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    /// Appends a number in decimal digits.
    public mutating func append(decimal number: Int) {
        var rest = number.magnitude
        var place = count
        if number < 0 {
            append(UInt8(ascii: "-"))
            place += 1
        }
        repeat {
            insert(UInt8(truncatingIfNeeded: rest % 10) &+ UInt8(ascii: "0"), at: place)
            rest /= 10
        } while rest > 0
    }
}
