import Glibc

/// Bytes of text that grow at the end: what log lines and metrics are written into.
///
/// Invariant: owns `base`, which has room for `capacity` bytes, of which the first `count` are written; every write makes
/// room first. Its memory is kept when the bytes are taken, so that writing allocates nothing in the long run.
@safe
struct LineBuffer: ~Copyable {
    private var base: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    private(set) var count = 0

    init(capacity: Int) {
        self.capacity = max(capacity, 64)
        unsafe base = .allocate(capacity: self.capacity)
    }

    deinit { unsafe base.deallocate() }

    /// The bytes so far; the buffer starts over with nothing.
    mutating func take() -> [UInt8] {
        let taken = unsafe Array(UnsafeBufferPointer(start: base, count: count))
        count = 0
        return taken
    }

    @inline(__always)
    private mutating func reserve(_ more: Int) {
        if capacity &- count < more { grow(more) }
    }

    @inline(never)
    private mutating func grow(_ more: Int) {
        capacity = max(capacity * 2, count + more)
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        unsafe larger.update(from: base, count: count)
        unsafe base.deallocate()
        unsafe base = larger
    }

    /// Appends one byte.
    @inline(__always)
    mutating func append(_ byte: UInt8) {
        reserve(1)
        unsafe base[count] = byte
        count &+= 1
    }

    /// Appends bytes as they are.
    @inline(__always)
    mutating func append(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { source in
            guard let start = source.baseAddress else { return }
            reserve(source.count)
            unsafe memcpy(base + count, start, source.count)
            count &+= source.count
        }
    }

    /// Appends a literal as it is.
    @inline(__always)
    mutating func append(_ literal: StaticString) {
        let length = literal.utf8CodeUnitCount
        reserve(length)
        unsafe memcpy(base + count, literal.utf8Start, length)
        count &+= length
    }

    /// Appends a text as it is.
    mutating func append(text: String) {
        var text = text
        text.withUTF8 { append(unsafe Span(_unsafeElements: $0)) }
    }

    /// Appends an integer in decimal.
    mutating func append(decimal value: UInt64) {
        reserve(20)
        var digits = 1
        var rest = value / 10
        while rest > 0 {
            digits &+= 1
            rest /= 10
        }
        rest = value
        var place = count &+ digits
        count = place
        repeat {
            place &-= 1
            unsafe base[place] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
    }

    /// Appends an integer in decimal.
    mutating func append(decimal value: Int) {
        if value < 0 { append(UInt8(ascii: "-")) }
        append(decimal: UInt64(value.magnitude))
    }

    /// Appends 0 … 99 as two digits.
    @inline(__always)
    mutating func append(twoDigits value: Int) {
        append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value / 10 % 10))
        append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value % 10))
    }

    /// Appends 0 … 999 as three digits.
    @inline(__always)
    mutating func append(threeDigits value: Int) {
        append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value / 100 % 10))
        append(twoDigits: value % 100)
    }

    /// Appends four bits as a lower-case hexadecimal digit.
    @inline(__always)
    mutating func append(hexDigit value: UInt8) {
        append(value < 10 ? UInt8(ascii: "0") &+ value : UInt8(ascii: "a") &+ value &- 10)
    }
}
