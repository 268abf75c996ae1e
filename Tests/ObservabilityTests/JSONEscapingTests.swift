import Testing

@testable import Observability

@Suite("Escaping for JSON")
struct JSONEscapingTests {
    @Test("finds every byte that needs it, at every place of a word")
    func cleanPrefix() {
        for byte in UInt8.min...UInt8.max {
            for place in 0..<20 {
                for filler in [0x20, 0x21, 0x23, 0x5B, 0x5D, 0x7E] as [UInt8] {
                    var text = Array(repeating: filler, count: 20)
                    text[place] = byte
                    let expected = JSONEscaping.isClean(byte) ? 20 : place
                    let found = JSONEscaping.cleanPrefix(text.span, 20)
                    if found != expected { Issue.record("byte \(byte) at \(place) among \(filler): \(found)") }
                }
            }
        }
    }

    @Test("grows its buffer as needed")
    func grows() {
        var buffer = LineBuffer(capacity: 1)
        let text = String(repeating: "0123456789", count: 1000)
        buffer.append(text: text)
        buffer.append(decimal: Int.min)
        #expect(String(decoding: buffer.take(), as: UTF8.self) == text + "-9223372036854775808")
        #expect(buffer.count == 0)
    }
}
