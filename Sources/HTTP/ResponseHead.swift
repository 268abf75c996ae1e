/// A response's head as ranges into the bytes that `ResponseHeadParser` was given; used again for each response.
public struct ResponseHead: Sendable {
    /// 100 to 599.
    public var status = 0
    /// The reason phrase; often empty.
    public var reason = ByteRange()
    /// 0 or 1: the version is HTTP/1.0 or HTTP/1.1.
    public var minorVersion: UInt8 = 1
    /// The field lines in the order sent.
    public var fields: [Field] = []
    /// Bytes of the head up to and with the last CRLF.
    public var length = 0
    /// Where the body ends, the method and the status considered (RFC 9112 §6.3).
    public var framing: BodyFraming = .none
    /// The connection can be used again once the body has ended.
    public var keepAlive = true
    /// A 101: what follows is no longer HTTP.
    public var isUpgrade = false
    /// The value of `Content-Length`, also where there is no body (HEAD, 304).
    public var declaredLength: UInt64?
    /// The first `Content-Type`.
    public var contentType: ByteRange?
    /// `Content-Type` is `application/grpc`, with or without a suffix.
    public var isGRPC = false
    /// `Content-Type` is `text/event-stream`.
    public var isEventStream = false

    /// 1xx: another head follows (except after 101).
    public var isInterim: Bool { status < 200 }

    /// An empty head.
    public init() {}

    /// Makes it empty and keeps the memory of `fields`.
    public mutating func reset() {
        fields.removeAll(keepingCapacity: true)
        status = 0
        reason = ByteRange()
        minorVersion = 1
        length = 0
        framing = .none
        keepAlive = true
        isUpgrade = false
        declaredLength = nil
        contentType = nil
        isGRPC = false
        isEventStream = false
    }

    /// The first field with this id that is not an alias of it.
    public func first(_ id: FieldName) -> Field? {
        for field in fields where field.id == id && !field.isAlias { return field }
        return nil
    }
}
