public import Policy

/// An API key as the store keeps it: what a request is judged by, and when the key was last seen.
public struct StoredKey: Sendable {
    /// What a request is judged by.
    public let record: KeyRecord
    /// Unix seconds of a recent use, at most a minute behind; `nil` while never used.
    public let lastUsedAt: Int64?

    /// A stored key.
    public init(record: KeyRecord, lastUsedAt: Int64?) {
        self.record = record
        self.lastUsedAt = lastUsedAt
    }
}
