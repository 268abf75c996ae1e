import Testing

@testable import JOSE

@Suite struct ECDSASignatureTests {
    private static func number(_ value: [UInt8], _ size: Int) -> [UInt8] {
        [UInt8](repeating: 0, count: size - value.count) + value
    }

    @Test(arguments: Curve.allCases)
    func `r and s have to be in 1 ..< n`(curve: Curve) {
        let order = curve.order
        #expect(order.count == curve.size)
        let zero = [UInt8](repeating: 0, count: curve.size)
        let one = Self.number([1], curve.size)
        var below = order
        below[below.count - 1] -= 1
        var above = order
        above[above.count - 1] += 1
        let all = [UInt8](repeating: 0xFF, count: curve.size)
        for (name, bad) in [("0", zero), ("n", order), ("n + 1", above), ("2^k - 1", all)] {
            var der: [UInt8] = []
            for raw in [bad + one, one + bad, bad + bad] {
                let isTaken = ECDSASignature.encodeDER(raw.span, on: curve, into: &der)
                #expect(!isTaken, "\(name), CVE-2022-21449")
            }
        }
        for good in [one, below] {
            var der: [UInt8] = []
            let raw = good + one
            let isTaken = ECDSASignature.encodeDER(raw.span, on: curve, into: &der)
            #expect(isTaken)
            #expect(ECDSASignature.decodeDER(der, on: curve) == good + one)
        }
    }

    @Test func `DER has the shortest integers and a long length where P-521 needs one`() {
        var der: [UInt8] = []
        let small = Self.number([0x80], 32) + Self.number([0x7F], 32)
        _ = ECDSASignature.encodeDER(small.span, on: .p256, into: &der)
        #expect(der == [0x30, 0x07, 0x02, 0x02, 0x00, 0x80, 0x02, 0x01, 0x7F])
        var large = Curve.p521.order
        large[65] -= 1
        large += large
        _ = ECDSASignature.encodeDER(large.span, on: .p521, into: &der)
        #expect(der.prefix(5) == [0x30, 0x81, 0x88, 0x02, 0x42])
    }

    @Test(arguments: [0, 1, 63, 65, 128])
    func `another length is refused`(count: Int) {
        var der: [UInt8] = []
        let raw = [UInt8](repeating: 1, count: count)
        let isTaken = ECDSASignature.encodeDER(raw.span, on: .p256, into: &der)
        #expect(!isTaken)
    }

    @Test(
        arguments: [
            ([0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01], "cut short"),
            ([0x31, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01], "a SET"),
            ([0x30, 0x06, 0x02, 0x01, 0x81, 0x02, 0x01, 0x01], "negative"),
            ([0x30, 0x03, 0x02, 0x01, 0x01], "one number"),
            ([0x30, 0x09, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01], "three numbers"), ([], "nothing"),
        ] as [([UInt8], String)])
    func `DER that is no signature is refused`(der: [UInt8], why: String) {
        #expect(ECDSASignature.decodeDER(der, on: .p256) == nil, "\(why)")
    }
}
