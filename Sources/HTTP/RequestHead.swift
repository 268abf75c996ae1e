/// A request's head as ranges into the bytes that `RequestHeadParser` was given. It is used again for each request of
/// a connection, so that a head costs no allocation once `fields` has its capacity.
public struct RequestHead: Sendable {
    /// The method; `methodRange` holds its name.
    public var method: Method = .other
    /// The method's name as sent.
    public var methodRange = ByteRange()
    /// The request target as sent.
    public var target = ByteRange()
    /// The target's path, never empty; begins with `/`, or is `*` (`OPTIONS` only).
    public var path = ByteRange()
    /// The target's query without the `?`; nil if there is no `?`.
    public var query: ByteRange?
    /// The authority of an absolute-form target. It is the same as `host`.
    public var authority: ByteRange?
    /// 0 or 1: the version is HTTP/1.0 or HTTP/1.1.
    public var minorVersion: UInt8 = 1
    /// The field lines in the order sent.
    public var fields: [Field] = []
    /// Bytes of the head, from the first one given up to and with the last CRLF.
    public var length = 0
    /// Where the body ends. Never `.untilClose`.
    public var framing: BodyFraming = .none
    /// The client lets the connection be used again.
    public var keepAlive = true
    /// The client waits for 100 (HTTP/1.1 only, RFC 9110 §10.1.1).
    public var expectsContinue = false
    /// There is an `Upgrade` field and a `Connection` option for it, in HTTP/1.1.
    public var isUpgrade = false
    /// The upgrade is to WebSocket, with GET (RFC 6455 §4.1).
    public var upgradesToWebSocket = false
    /// The valid `Host`. Nil only in HTTP/1.0.
    public var host: ByteRange?
    /// The value of the one `Authorization` line.
    public var authorization: ByteRange?
    /// The client's `X-Request-Id` if there is exactly one; not checked further (`FieldSyntax.isRequestID`).
    public var requestID: ByteRange?
    /// The first `Content-Type`.
    public var contentType: ByteRange?
    /// `Content-Type` is `application/grpc`, with or without a suffix.
    public var isGRPC = false

    /// An empty head.
    public init() {}

    /// Makes it empty and keeps the memory of `fields`.
    public mutating func reset() {
        fields.removeAll(keepingCapacity: true)
        method = .other
        methodRange = ByteRange()
        target = ByteRange()
        path = ByteRange()
        query = nil
        authority = nil
        minorVersion = 1
        length = 0
        framing = .none
        keepAlive = true
        expectsContinue = false
        isUpgrade = false
        upgradesToWebSocket = false
        host = nil
        authorization = nil
        requestID = nil
        contentType = nil
        isGRPC = false
    }

    /// The codec frames the body itself (HTTP/2): what has no length goes on in chunks. `isEnd`: there is no body.
    public mutating func settleFraming(isEnd: Bool) {
        switch framing {
        case .length(let count):
            // A length of 0 without the end may turn out to be a lie: then the server must not have seen a whole request.
            if isEnd { framing = .length(0) } else if count == 0 { framing = .chunked }
        default: framing = isEnd ? .none : .chunked
        }
    }

    /// The first field with this id that is not an alias of it.
    public func first(_ id: FieldName) -> Field? {
        for field in fields where field.id == id && !field.isAlias { return field }
        return nil
    }

    /// It asks for nothing to be changed (RFC 9110 §9.2.1). One that wants another protocol might, whatever its method.
    public var isSafe: Bool {
        switch method {
        case .get, .head, .options: !isUpgrade
        default: false
        }
    }
}
