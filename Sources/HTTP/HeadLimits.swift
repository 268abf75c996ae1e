/// Bounds of a request head (contract.md "Bounds").
public struct HeadLimits: Sendable {
    /// Bytes of the whole head with its last CRLF.
    public var head = 32768
    /// Field lines.
    public var fields = 100
    /// Bytes of the request target.
    public var target = 8192

    /// The defaults.
    public init() {}
}

/// How far a head has come.
public enum HeadProgress: Sendable, Equatable {
    /// Call again when more bytes have come.
    case incomplete
    /// The head is whole.
    case complete
    /// The head is refused, whatever may follow. The framing is not to be trusted: answer and close.
    case failed(HeadError)
}
