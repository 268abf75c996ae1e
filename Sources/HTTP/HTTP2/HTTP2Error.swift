/// Error codes (RFC 9113 §7).
public struct HTTP2Error: RawRepresentable, Equatable, Sendable {
    /// The code on the wire.
    public let rawValue: UInt32
    /// Any code.
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// The end is no error.
    public static let noError = HTTP2Error(rawValue: 0x0)
    /// The peer broke a rule.
    public static let protocolError = HTTP2Error(rawValue: 0x1)
    /// Something here failed.
    public static let internalError = HTTP2Error(rawValue: 0x2)
    /// Nothing was done with it: it may be sent again.
    public static let refusedStream = HTTP2Error(rawValue: 0x7)
    /// Nobody wants it any more.
    public static let cancel = HTTP2Error(rawValue: 0x8)
    /// The peer asks too much of us.
    public static let enhanceYourCalm = HTTP2Error(rawValue: 0xb)
}
