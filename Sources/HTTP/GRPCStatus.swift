extension Refusal {
    /// The close code of a WebSocket that ends by it: 1001 (going away, RFC 6455 §7.4.1) while the gateway stops, else one
    /// of the private range.
    public var closeCode: UInt16 { self == .draining ? 1001 : 4401 }

    /// The `grpc-status` of a refused gRPC call (contract.md "Refusals"; for the statuses that it does not list, the
    /// nearest meaning in gRPC's own list of codes).
    public var grpcStatus: Int {
        switch status {
        case 401: 16  // UNAUTHENTICATED
        case 403: 7  // PERMISSION_DENIED
        case 404, 405: 12  // UNIMPLEMENTED
        case 408, 504: 4  // DEADLINE_EXCEEDED
        case 413, 414, 429, 431: 8  // RESOURCE_EXHAUSTED
        case 421, 502, 503: 14  // UNAVAILABLE
        default: 13  // INTERNAL
        }
    }
}
