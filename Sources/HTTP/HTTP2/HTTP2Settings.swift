/// What one side of an HTTP/2 connection promises and bears.
public struct HTTP2Settings: Sendable {
    /// Streams that the peer may have open at once.
    public var maxStreams = 128
    /// Bytes of one stream that may be on their way here.
    public var window = 256 * 1024
    /// Bytes of all streams that may be on their way here.
    public var connectionWindow = 1024 * 1024
    /// Bytes of a header list, announced to the peer.
    public var headerList = 32 * 1024
    /// Streams that the peer may reset, or make us reset, in `HTTP2Abuse.period`.
    public var resets = 100
    /// Frames without data or effect that it may send in the same time.
    public var controlFrames = 2000
    /// Extended CONNECT is offered (RFC 8441 §3).
    public var offersConnectProtocol = false

    /// The defaults.
    public init() {}
}
