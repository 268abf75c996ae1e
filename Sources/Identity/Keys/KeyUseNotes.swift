/// When a key's use was last told of, so that it is told at most once a minute. Bounded by `keysAtMost`: beyond, it starts over and tells a little more often.
public struct KeyUseNotes: Sendable {
    /// Keys that are remembered.
    public static let keysAtMost = 65_536
    /// Seconds between two notes of a key.
    public static let interval: Int64 = 60

    private var told: [String: Int64] = [:]

    /// Nothing was told.
    public init() {}

    /// Whether a use at `now`, in unix seconds, is to be told.
    public mutating func isNew(_ id: String, now: Int64) -> Bool {
        if let last = told[id], now - last < Self.interval, now >= last { return false }
        if told.count >= Self.keysAtMost { told.removeAll(keepingCapacity: true) }
        told[id] = now
        return true
    }
}
