/// Follows the messages of one direction of a gRPC call, each behind a byte of flags and four of length, so that they can
/// be bounded one by one: a stream of them has no length. What is not framed so, whatever its type says, is bounded as a
/// whole.
public struct GRPCMessages: Sendable {
    private var prefixCount = 0
    private var length = 0
    private var left = 0
    private var total = 0
    private var isOther = false

    /// The beginning of a call.
    public init() {}

    /// Takes bytes; false when a message is longer than `limit`.
    public mutating func advance(_ bytes: Span<UInt8>, _ range: Range<Int>, limit: Int) -> Bool {
        total += range.count
        var place = range.lowerBound
        while !isOther && place < range.upperBound {
            if left > 0 {
                let count = min(left, range.upperBound - place)
                left -= count
                place += count
                continue
            }
            if prefixCount == 0, bytes[place] > 1 { isOther = true }
            if prefixCount > 0 { length = length << 8 | Int(bytes[place]) }
            prefixCount += 1
            place += 1
            guard prefixCount == 5 else { continue }
            if length > limit { return false }
            (left, length, prefixCount) = (length, 0, 0)
        }
        return !isOther || total <= limit
    }
}
