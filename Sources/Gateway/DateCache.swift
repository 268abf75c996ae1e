import HTTP
import Transport

/// The `Date` field, rendered once a second.
struct DateCache {
    /// Seconds since 1970 at the last update.
    private(set) var seconds: Int64 = -1
    /// The date as RFC 9110 §5.6.7 wants it: 29 bytes.
    private(set) var text: [UInt8] = []

    /// Seconds since 1970; renders the text anew when they moved on.
    @inline(__always)
    mutating func update() -> Int64 {
        let now = WallClock.seconds()
        if now != seconds { render(now) }
        return now
    }

    @inline(never)
    private mutating func render(_ now: Int64) {
        seconds = now
        text.removeAll(keepingCapacity: true)
        HTTPDate.format(unixSeconds: now, into: &text)
    }
}
