import Testing

@testable import Transport

@Suite("ByteBuffer: a queue of bytes that grows on demand")
struct ByteBufferTests {
    private func text(_ buffer: ByteBuffer) -> String {
        let bytes = buffer.readable
        return String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
    }

    private func pattern(_ count: Int, from start: Int = 0) -> [UInt8] {
        (start..<start + count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    }

    private func holds(_ buffer: ByteBuffer, _ expected: [UInt8]) -> Bool {
        let bytes = buffer.readable
        return bytes.count == expected.count && bytes.indices.allSatisfy { bytes[$0] == expected[$0] }
    }

    @Test(
        "an integer is written in decimal",
        arguments: [
            Row("zero", 0, "0"), Row("one digit", 9, "9"), Row("a power of ten", 10, "10"),
            Row("below a power of ten", 999, "999"), Row("above", 1000, "1000"), Row("negative", -1, "-1"),
            Row("the largest", Int.max, "9223372036854775807"),
            Row("the smallest", Int.min, "-9223372036854775808", why: "its magnitude does not fit in Int"),
        ])
    func decimal(_ row: Row<Int, String>) {
        // Every fill level of a small buffer, so that the digits meet its end.
        for offset in 0..<64 {
            let buffer = ByteBuffer(capacity: 64)
            buffer.append([UInt8](repeating: UInt8(ascii: "x"), count: offset))
            buffer.append(decimal: row.input)
            buffer.consume(offset)
            #expect(text(buffer) == row.expectation)
        }
    }

    @Test(
        "a chunk size is written in lower-case hexadecimal without leading zeros",
        arguments: [
            Row("zero", UInt64(0), "0"), Row("nine", 9, "9"), Row("ten", 10, "a"), Row("sixteen", 16, "10"),
            Row("a record", 16384, "4000"), Row("odd digits", 0xabc, "abc"),
            Row("the largest", UInt64.max, "ffffffffffffffff"),
        ])
    func hexadecimal(_ row: Row<UInt64, String>) {
        let buffer = ByteBuffer(capacity: 64)
        buffer.append(hex: row.input)
        #expect(text(buffer) == row.expectation)
    }

    @Test("every kind of append adds behind what is there")
    func appends() {
        let buffer = ByteBuffer(capacity: 0)
        let bytes = Array("0123456789".utf8)
        buffer.append("static ")
        buffer.append(String("stríng "))
        buffer.append(Array("array ".utf8))
        buffer.append(byte: UInt8(ascii: "b"))
        buffer.append(bytes.span)
        buffer.append(bytes.span, 3..<5)
        buffer.append(bytes.span, 4..<4)
        buffer.append([])
        #expect(text(buffer) == "static stríng array b012345678934")
    }

    @Test("growth and moves to the front keep the bytes in order", arguments: [64, 65, 1000, 17 * 1024])
    func grows(capacity: Int) {
        let buffer = ByteBuffer(capacity: capacity)
        var (written, read) = (0, 0)
        for step in 1..<300 {
            let count = step * 37 % 601
            buffer.append(pattern(count, from: written))
            written += count
            let taken = min(step * 53 % 577, buffer.readableCount)
            buffer.consume(taken)
            read += taken
            #expect(buffer.readableCount == written - read)
            #expect(buffer.writeIndex <= buffer.capacity)
        }
        #expect(holds(buffer, pattern(written - read, from: read)))
    }

    @Test("what is spent makes room before the buffer grows")
    func reusesRoom() {
        let buffer = ByteBuffer(capacity: 1024)
        for round in 0..<100 {
            buffer.append(pattern(1000, from: round))
            buffer.consume(990)
            buffer.append(pattern(14))
            buffer.consume(24)
        }
        #expect(buffer.capacity == 1024)
        #expect(buffer.isEmpty && buffer.readIndex == 0)
    }

    @Test("one append larger than twice the capacity fits")
    func growsFar() {
        let buffer = ByteBuffer(capacity: 64)
        buffer.append("ab")
        buffer.append(pattern(100_000))
        buffer.consume(2)
        #expect(holds(buffer, pattern(100_000)))
    }

    @Test("consume gives up the front, truncate the end")
    func consumesAndTruncates() {
        let buffer = ByteBuffer(capacity: 64)
        buffer.append("head body tail")
        buffer.consume(5)
        buffer.truncate(to: 4)
        #expect(text(buffer) == "body")
        buffer.consume(0)
        buffer.truncate(to: 4)
        #expect(text(buffer) == "body")
        buffer.append("!")
        #expect(text(buffer) == "body!")
        buffer.truncate(to: 0)
        #expect(buffer.isEmpty)
        buffer.append("new")
        buffer.consume(3)
        #expect(buffer.readIndex == 0 && buffer.writeIndex == 0)
        buffer.append("x")
        buffer.removeAll()
        #expect(buffer.isEmpty && buffer.writableCount == buffer.capacity)
    }

    @Test("fill takes what the call says it wrote, and nothing when it failed")
    func fills() {
        let buffer = ByteBuffer(capacity: 64)
        let got = unsafe buffer.fill(100) { place, room in
            #expect(room >= 100)
            unsafe place.storeBytes(of: UInt8(ascii: "z"), as: UInt8.self)
            return 1
        }
        #expect(got == 1 && text(buffer) == "z")
        #expect(unsafe buffer.fill(10) { _, _ in -1 } == -1)
        #expect(unsafe buffer.fill(10) { _, _ in 0 } == 0)
        #expect(text(buffer) == "z")
    }

    @Test("the pool gives a buffer back empty, the newest first, and keeps no giant")
    func pools() {
        let pool = BufferPool()
        let (one, other) = (pool.take(), pool.take())
        one.append("secret")
        pool.give(other)
        pool.give(one)
        let again = pool.take()
        #expect(again === one && again.isEmpty)
        #expect(pool.take() === other)
        let giant = ByteBuffer(capacity: 1 << 20)
        pool.give(giant)
        #expect(pool.take() !== giant)
    }
}
