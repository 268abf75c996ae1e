/// The members of an access log line, in the order of the contract ("Access log"). They are added in that order.
public enum AccessLogMember: UInt8, Sendable, CaseIterable {
    case time, requestID, address, method, path, `protocol`, status, error, route, userID, apiKeyID, agentID, upstream
    case duration, upstreamDuration, bytesIn, bytesOut, traceID

    /// What stands before the member's value.
    var label: StaticString {
        switch self {
        case .time: ",\"time\":"
        case .requestID: ",\"request_id\":"
        case .address: ",\"address\":"
        case .method: ",\"method\":"
        case .path: ",\"path\":"
        case .protocol: ",\"protocol\":"
        case .status: ",\"status\":"
        case .error: ",\"error\":"
        case .route: ",\"route\":"
        case .userID: ",\"user_id\":"
        case .apiKeyID: ",\"api_key_id\":"
        case .agentID: ",\"agent_id\":"
        case .upstream: ",\"upstream\":"
        case .duration: ",\"duration_ms\":"
        case .upstreamDuration: ",\"upstream_ms\":"
        case .bytesIn: ",\"bytes_in\":"
        case .bytesOut: ",\"bytes_out\":"
        case .traceID: ",\"trace_id\":"
        }
    }
}
