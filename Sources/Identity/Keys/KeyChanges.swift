public import Policy

/// What became of API keys since a reading of the store's change counter.
public struct KeyChanges: Sendable {
    /// The counter that belongs to the records.
    public let counter: Int64
    /// Keys as they are now.
    public let records: [KeyRecord]
    /// The records are all that there are, not only what changed.
    public let isWhole: Bool

    /// Changes up to a reading.
    public init(counter: Int64, records: [KeyRecord], isWhole: Bool) {
        self.counter = counter
        self.records = records
        self.isWhole = isWhole
    }
}
