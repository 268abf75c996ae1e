/// Where a message's body ends (RFC 9112 §6.3).
public enum BodyFraming: Equatable, Sendable {
    /// No body.
    case none
    /// Exactly so many bytes; at most `Int64.max`.
    case length(UInt64)
    /// The chunked transfer coding.
    case chunked
    /// All that comes until the connection closes. Responses only.
    case untilClose
}
