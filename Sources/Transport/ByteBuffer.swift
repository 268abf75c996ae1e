import CLinux

/// A growable queue of bytes. Readable bytes lie between `readIndex` and `writeIndex`; what is before them is spent.
///
/// Invariant: owned by one shard and used on its queue only. `base` points at `capacity` bytes that this object
/// allocated and frees; `0 ≤ readIndex ≤ writeIndex ≤ capacity`. A span taken from `readable` is used up before the
/// next call that changes the buffer. What bounds it is its owner's limit: the buffer itself only grows on demand.
@safe
public final class ByteBuffer {
    private var base: UnsafeMutableRawPointer
    /// Bytes allocated.
    public private(set) var capacity: Int
    /// Offset of the first readable byte.
    public private(set) var readIndex = 0
    /// Offset behind the last readable byte.
    public private(set) var writeIndex = 0

    /// An empty buffer with room for `capacity` bytes.
    public init(capacity: Int) {
        self.capacity = max(capacity, 64)
        unsafe base = UnsafeMutableRawPointer.allocate(byteCount: self.capacity, alignment: 16)
    }

    deinit { unsafe base.deallocate() }

    /// Bytes that can be read.
    @inline(__always) public var readableCount: Int { writeIndex &- readIndex }

    /// Nothing to read.
    @inline(__always) public var isEmpty: Bool { writeIndex == readIndex }

    /// Bytes that can be written without growing.
    @inline(__always) public var writableCount: Int { capacity &- writeIndex }

    /// The readable bytes.
    public var readable: Span<UInt8> {
        @_lifetime(borrow self)
        @inline(__always)
        get {
            let start = unsafe UnsafeRawPointer(base + readIndex).assumingMemoryBound(to: UInt8.self)
            let span = unsafe Span(_unsafeStart: start, count: readableCount)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// Calls `body` with the readable bytes, for C calls that read them.
    @inline(__always)
    func withReadablePointer<R>(_ body: (UnsafeRawPointer, Int) -> R) -> R {
        unsafe body(base + readIndex, readableCount)
    }

    /// Makes room for `count` bytes, calls `body` with the place for them, and takes as many as it returns.
    @inline(__always)
    func fill(_ count: Int, _ body: (UnsafeMutableRawPointer, Int) -> Int) -> Int {
        reserve(count)
        let room = writableCount
        let got = unsafe body(base + writeIndex, room)
        if got > 0 {
            precondition(got <= room)
            writeIndex &+= got
        }
        return got
    }

    /// Makes room for `count` more bytes, by moving the readable bytes to the front or by growing.
    @inline(__always)
    public func reserve(_ count: Int) {
        if writableCount < count { makeRoom(count) }
    }

    @inline(never)
    private func makeRoom(_ count: Int) {
        let held = readableCount
        if capacity - held >= count {
            unsafe memmove(base, base + readIndex, held)
        } else {
            let grown = max(capacity * 2, held + count)
            let fresh = UnsafeMutableRawPointer.allocate(byteCount: grown, alignment: 16)
            unsafe fresh.copyMemory(from: base + readIndex, byteCount: held)
            unsafe base.deallocate()
            unsafe base = fresh
            capacity = grown
        }
        readIndex = 0
        writeIndex = held
    }

    /// Appends bytes.
    @inline(__always)
    public func append(_ bytes: Span<UInt8>) {
        let count = bytes.count
        reserve(count)
        let target = unsafe base + writeIndex
        unsafe bytes.withUnsafeBufferPointer { source in
            if let start = source.baseAddress { unsafe target.copyMemory(from: start, byteCount: count) }
        }
        writeIndex &+= count
    }

    /// Appends a part of `bytes`.
    @inline(__always)
    public func append(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        append(bytes.extracting(range))
    }

    /// Appends a literal.
    @inline(__always)
    public func append(_ text: StaticString) {
        let count = text.utf8CodeUnitCount
        reserve(count)
        unsafe (base + writeIndex).copyMemory(from: text.utf8Start, byteCount: count)
        writeIndex &+= count
    }

    /// Appends a text as UTF-8. A literal is a `StaticString`, which is copied without being counted or looked at.
    @_disfavoredOverload
    public func append(_ text: String) {
        var text = text
        text.withUTF8 { unsafe append(Span(_unsafeElements: $0)) }
    }

    /// Appends an array's bytes.
    @inline(__always)
    public func append(_ bytes: [UInt8]) {
        append(bytes.span)
    }

    /// Appends one byte.
    @inline(__always)
    public func append(byte: UInt8) {
        reserve(1)
        unsafe (base + writeIndex).storeBytes(of: byte, as: UInt8.self)
        writeIndex &+= 1
    }

    /// Appends an integer in decimal.
    public func append(decimal value: Int) {
        if value < 0 { append(byte: UInt8(ascii: "-")) }
        append(digitsOf: UInt64(value.magnitude), radix: 10)
    }

    /// Appends an integer in lower-case hexadecimal without leading zeros.
    public func append(hex value: UInt64) {
        append(digitsOf: value, radix: 16)
    }

    private func append(digitsOf value: UInt64, radix: UInt64) {
        reserve(20)
        var count = 1
        var rest = value / radix
        while rest > 0 {
            count += 1
            rest /= radix
        }
        rest = value
        var place = writeIndex + count
        writeIndex = place
        repeat {
            place -= 1
            let digit = UInt8(truncatingIfNeeded: rest % radix)
            let byte = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            unsafe (base + place).storeBytes(of: byte, as: UInt8.self)
            rest /= radix
        } while rest > 0
    }

    /// Gives up the first `count` readable bytes. The indices start over when nothing is left.
    @inline(__always)
    public func consume(_ count: Int) {
        precondition(count >= 0 && count <= readableCount)
        readIndex &+= count
        if readIndex == writeIndex { removeAll() }
    }

    /// Turns the ASCII letters of a part of the readable bytes into lower case.
    public func lowercase(_ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= readableCount)
        var place = range.lowerBound
        // Eight at a time: bit 7 of `letters` is set in those bytes that are upper-case letters, bit 5 makes them lower.
        while place &+ 8 <= range.upperBound {
            let start = unsafe base + readIndex + place
            let word = unsafe start.loadUnaligned(as: UInt64.self)
            let low = word & 0x7f7f_7f7f_7f7f_7f7f
            let letters =
                (low &+ 0x3f3f_3f3f_3f3f_3f3f) & ~(low &+ 0x2525_2525_2525_2525) & ~word & 0x8080_8080_8080_8080
            unsafe start.storeBytes(of: word | letters &>> 2, as: UInt64.self)
            place &+= 8
        }
        for place in place..<range.upperBound {
            let byte = unsafe (base + readIndex + place).load(as: UInt8.self)
            if byte &- 0x41 < 26 { unsafe (base + readIndex + place).storeBytes(of: byte | 0x20, as: UInt8.self) }
        }
    }

    /// Drops readable bytes from the end so that `count` are left.
    public func truncate(to count: Int) {
        precondition(count >= 0 && count <= readableCount)
        writeIndex = readIndex + count
    }

    /// Gives up all bytes; keeps the memory.
    @inline(__always)
    public func removeAll() {
        readIndex = 0
        writeIndex = 0
    }
}
