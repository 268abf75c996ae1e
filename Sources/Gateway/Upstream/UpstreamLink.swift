import HTTP
import Transport

/// The upstream's side of one exchange: a lent HTTP/1.1 connection, or a stream of an HTTP/2 one.
///
/// The head of a request is written as HTTP/1.1 text into `takeHead`; bodies come unframed and are framed by the link.
protocol UpstreamLink: AnyObject {
    var pool: UpstreamPool { get }
    var server: ServerState { get }
    /// Its connection served an exchange before this one, so that its end says nothing about the server.
    var wasReused: Bool { get }
    /// A byte of the answer came.
    var hasAnswered: Bool { get }
    /// Bytes of the request that are gone, so that another link cannot have them.
    var sentCount: Int { get }
    /// The server may have seen the request, and carried it out.
    var mayHaveArrived: Bool { get }
    /// Bytes that wait for the server.
    var pendingCount: Int { get }

    /// Lends the link to `exchange`.
    func begin(_ exchange: Exchange)
    /// Where the text of the head is appended.
    func takeHead() -> ByteBuffer
    /// Only collects: sending may end the exchange, and with it the buffer that `bytes` lie in.
    func appendBody(_ bytes: Span<UInt8>, _ range: Range<Int>, isChunked: Bool)
    /// The end of a body that has no length, with its trailer lines.
    func appendBodyEnd(trailers: [UInt8])
    /// Nothing more of the request will come.
    func requestComplete()
    /// Sends what the server takes.
    func flush()
    /// What was not sent, for another link.
    func takeUnsent() -> UnsentRequest
    /// Takes over what another link did not send; false when it has a form that this one cannot send.
    func adopt(_ unsent: UnsentRequest, of exchange: Exchange) -> Bool
    /// The client takes more of the answer.
    func resumeReading()
    /// The exchange is ready for the answer that was held.
    func releaseAnswer()
    /// The client will say nothing more through the tunnel.
    func endTunnel()
    /// Ends: the exchange wants no answer any more.
    func cancel()
}

/// A request that no server has seen.
enum UnsentRequest {
    /// Its body so far, and its trailers when it has ended; the head is written anew.
    case body(ByteBuffer?, trailers: [UInt8]?)
    /// Head and body, framed for HTTP/1.1.
    case text(ByteBuffer)
}

/// Why a link could not bring an answer.
enum UpstreamFailure {
    /// No connection was made.
    case connect
    /// The server did nothing with the request and says so (RFC 9113 §8.7).
    case refused
    /// It broke.
    case broken
    /// What came is no HTTP.
    case malformed
    /// Nothing came in time.
    case timeout

    /// For the operator.
    var reason: String {
        switch self {
        case .connect: "no connection could be made"
        case .refused: "it refused the stream"
        case .broken: "the connection broke before the answer was complete"
        case .malformed: "what it answered is no HTTP"
        case .timeout: "no answer within response_timeout"
        }
    }
}
