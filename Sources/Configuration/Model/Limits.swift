/// Bounds on what a client may send and how slowly. Each has a directive of its name.
public struct Limits: Sendable, Hashable {
    /// Bytes of a request head (`max_head`): 431 beyond.
    public var head = 32 * 1024
    /// Header fields of a request (`max_fields`): 431 beyond.
    public var fields = 100
    /// Bytes of a request target (`max_target`): 414 beyond.
    public var target = 8 * 1024
    /// Bytes of a token (`max_token`): `token_invalid` beyond.
    public var token = 16 * 1024
    /// Bytes of a request body where the route says nothing (`max_body`): 413 beyond.
    public var body = 10 * 1024 * 1024
    /// Bytes of a chunk's extensions (`max_chunk_extensions`): 400 beyond.
    public var chunkExtensions = 256
    /// How long a head may take (`head_timeout`): 408 beyond.
    public var headTimeout: Duration = .seconds(10)
    /// Bytes a second that a body has to come with, averaged over `bodyRateWindow` (`body_min_rate`): 408 below.
    public var bodyRate = 500
    /// What `bodyRate` is averaged over.
    public var bodyRateWindow: Duration = .seconds(20)
    /// How long a TLS handshake may take (`handshake_timeout`).
    public var handshakeTimeout: Duration = .seconds(10)
    /// How long a client's connection may idle between requests (`keepalive_timeout`).
    public var keepaliveTimeout: Duration = .seconds(75)
    /// How long a client may take nothing of what is written to it (`write_timeout`).
    public var writeTimeout: Duration = .seconds(30)
    /// Streams that a client may have open on one HTTP/2 connection (`http2_max_streams`).
    public var http2Streams = 128
    /// Bytes of one stream's upload that may be on their way (`http2_window`).
    public var http2Window = 256 * 1024
    /// Bytes of all uploads of a connection that may be on their way (`http2_connection_window`).
    public var http2ConnectionWindow = 1024 * 1024
    /// Streams that a client may reset, or make us reset, in ten seconds on one connection (`http2_resets`).
    public var http2Resets = 100
    /// Frames without data or effect that it may send in the same time (`http2_control_frames`).
    public var http2ControlFrames = 2000
    /// Clients' connections at a time in all shards (`max_connections`); nil: what the descriptor limit allows.
    public var connections: Int?

    /// The defaults.
    public init() {}
}
