import HTTP
import Transport

/// The client's side of one exchange: an HTTP/1.1 connection, or a stream of an HTTP/2 one.
///
/// Heads are written as HTTP/1.1 text into `takeHead` and go out by `sendHead`; a codec that frames otherwise turns them
/// into its own form there. So the exchange has one way through, and knows of the version only `isMultiplexed`.
protocol Downstream: AnyObject {
    /// Who is connected.
    var client: ClientPeer { get }
    /// Other requests share the connection: bodies are framed by the codec, and no answer closes it.
    var isMultiplexed: Bool { get }

    /// The request has come in whole.
    var isUploadComplete: Bool { get }
    /// The trailer lines of an upload that has come in whole.
    var uploadTrailers: [UInt8] { get }
    /// More of the upload is taken.
    func resumeUpload()

    /// Where the text of a head is appended, and of a complete answer's body.
    func takeHead() -> ByteBuffer
    /// What was written to `takeHead` is complete.
    func sendHead(_ kind: AnswerHeadKind)
    /// Where bytes of a body are appended.
    func takeOutput() -> ByteBuffer
    /// Too much waits for the client: the upstream should not be read.
    var isBackedUp: Bool { get }
    /// Sends what the client takes.
    func flush()
    /// The answer is complete. `reusable` tells that the client knows where it ended.
    func answerComplete(reusable: Bool, trailers: [UInt8])
    /// From now on bytes go both ways as they are.
    func beginTunnel()
    /// Ends so that the client sees that the answer is not complete.
    func abort()
}

/// What a head stands before.
enum AnswerHeadKind {
    /// Another head (1xx).
    case interim
    /// A body that comes in pieces, by `takeOutput`.
    case streamed
    /// The body written behind it, perhaps an empty one.
    case complete
}
