/// Follows the frames of a connection without reading them (RFC 9113 §4.1), so that those are counted too that nghttp2
/// passes over without a word: unknown types, empty frames, pieces of a header block that never ends.
struct FrameScan {
    /// What a frame's head says.
    struct Head: Equatable {
        var type: UInt8
        var flags: UInt8
        var length: Int

        static let data: UInt8 = 0
        static let headers: UInt8 = 1
        static let resetStream: UInt8 = 3
        static let continuation: UInt8 = 9
        static let endStream: UInt8 = 1
        static let endHeaders: UInt8 = 4

        var isOfBlock: Bool { type == Self.headers || type == Self.continuation }
    }

    private static let headLength = 9
    private var skip: Int
    private var count = 0
    private var bits: UInt64 = 0
    private var last = Head(type: 0, flags: 0, length: 0)

    /// A header block has begun and is not whole.
    var isWithinBlock: Bool { last.isOfBlock && (skip > 0 || last.flags & Head.endHeaders == 0) }

    /// Begins with bytes that are no frame: a client's preface.
    init(preface: Int) { skip = preface }

    /// Reads on from `place`: the next frame's head, when it is whole; nil when the bytes are used up.
    mutating func next(_ bytes: Span<UInt8>, from place: inout Int) -> Head? {
        while place < bytes.count {
            if skip > 0 {
                let passed = min(skip, bytes.count - place)
                skip -= passed
                place += passed
                continue
            }
            // Length, type and flags are the first five bytes; the stream does not matter here.
            if count < 5 { bits = bits << 8 | UInt64(bytes[place]) }
            count += 1
            place += 1
            guard count == Self.headLength else { continue }
            let head = Head(
                type: UInt8(truncatingIfNeeded: bits >> 8), flags: UInt8(truncatingIfNeeded: bits),
                length: Int(bits >> 16 & 0xff_ffff))
            (skip, count, bits, last) = (head.length, 0, 0, head)
            return head
        }
        return nil
    }
}
