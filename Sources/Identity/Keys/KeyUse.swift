/// A use of an API key, to be written behind the request.
public struct KeyUse: Sendable, Equatable {
    /// The key's id.
    public let keyID: String
    /// Unix seconds.
    public let usedAt: Int64

    /// A use of `keyID` at `usedAt`.
    public init(keyID: String, usedAt: Int64) {
        self.keyID = keyID
        self.usedAt = usedAt
    }
}
