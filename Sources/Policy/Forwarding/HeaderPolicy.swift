public import Configuration
public import HTTP
import JOSE

/// Which fields of a message go on to the other side. Pure, decided for each field from what the parser has recognised;
/// allocates nothing.
///
/// What the gateway writes by itself is never copied: framing, the identity, the request id and, from peers that are not
/// trusted, where the request came from. Spellings that applications take for one of those (`X_User_Id`) are dropped
/// always. A `Connection` option removes what it names, except what the gateway sets or decides on: `Field.nominated` is
/// false for those.
public enum HeaderPolicy {
    /// What happens to a field.
    public enum Disposition: Sendable, Equatable {
        /// Its line is copied as it is.
        case copy
        /// It ends here.
        case drop
        /// Its value is kept and the gateway's own is added behind it, in one line (`X-Forwarded-For`).
        case extend
    }

    /// What the fields of one request are judged by.
    public struct RequestContext: Sendable {
        /// The peer is in `trusted_proxies`: what it says of the way of the request is kept.
        public var trustsPeer: Bool
        /// `Authorization` goes on.
        public var forwardsAuthorization: Bool
        /// A gRPC request, which needs `TE: trailers`.
        public var isGRPC: Bool

        /// What holds for one request.
        public init(trustsPeer: Bool, forwardsAuthorization: Bool, isGRPC: Bool = false) {
            self.trustsPeer = trustsPeer
            self.forwardsAuthorization = forwardsAuthorization
            self.isGRPC = isGRPC
        }

        /// What holds for one request on a route. `principal` is nil on a public one.
        public init(route: Route, principal: Principal?, trustsPeer: Bool, isGRPC: Bool) {
            self.init(
                trustsPeer: trustsPeer,
                forwardsAuthorization: HeaderPolicy.forwardsAuthorization(route: route, principal: principal),
                isGRPC: isGRPC)
        }
    }

    /// Whether `Authorization` goes on to the upstream: as the route says; else a JWT does, an API key stays here, and on
    /// a public route, where nobody looks at it, it is a header like any other.
    public static func forwardsAuthorization(route: Route, principal: Principal?) -> Bool {
        route.forwardCredential ?? (principal?.kind != .apiKey)
    }

    /// What happens to a field of a request. `bytes` is the head that the field was found in.
    public static func disposition(
        of field: Field, in bytes: Span<UInt8>, _ context: RequestContext
    ) -> Disposition {
        if field.id == .other { return field.nominated ? .drop : .copy }
        if field.isAlias { return .drop }
        switch field.id {
        case .xUserID, .xAgentID, .xAPIKeyID, .xRequestID: return .drop
        case .contentLength, .transferEncoding, .expect: return .drop
        case .te: return context.isGRPC && isTrailers(field, bytes) ? .copy : .drop
        case .authorization: return context.forwardsAuthorization ? .copy : .drop
        case .xForwardedFor: return context.trustsPeer ? .extend : .drop
        default:
            if field.id.isForwarding { return context.trustsPeer ? .copy : .drop }
            return field.nominated || field.id.isHopByHop ? .drop : .copy
        }
    }

    /// What happens to a field of a response, an interim one too. `Content-Length` is copied, since the parser has made
    /// sure that it is true; `Transfer-Encoding` and `Upgrade` are written anew where they apply.
    public static func disposition(ofResponse field: Field) -> Disposition {
        switch field.id {
        case .other: field.nominated ? .drop : .copy
        case .xRequestID: .drop
        case .contentLength: field.isAlias ? .drop : .copy
        default: field.nominated || field.id.isHopByHop ? .drop : .copy
        }
    }

    /// Whether a trailer field goes on, in either direction: never framing, routing, credentials or identity
    /// (RFC 9110 §6.5.1).
    public static func forwardsTrailer(_ field: Field) -> Bool {
        if field.isAlias || field.nominated { return false }
        switch field.id {
        case .other: return true
        case .host, .authorization, .expect, .xRequestID, .cookie, .setCookie, .contentType, .contentEncoding:
            return false
        default:
            let id = field.id
            return !(id.isIdentity || id.isFraming || id.isForwarding || id.isHopByHop)
        }
    }

    private static func isTrailers(_ field: Field, _ bytes: Span<UInt8>) -> Bool {
        let word: [8 of UInt8] = [0x74, 0x72, 0x61, 0x69, 0x6c, 0x65, 0x72, 0x73]
        guard field.value.count == 8 else { return false }
        for index in 0..<8 where ByteWords.lowered(bytes[Int(field.value.start) &+ index]) != word[index] {
            return false
        }
        return true
    }
}
