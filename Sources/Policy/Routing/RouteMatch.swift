public import HTTP

/// Where a request's path met a route. Used again for each request of a connection, so that its memory is kept.
public struct RouteMatch: Sendable {
    /// The place in `Configuration.routes`; -1 before a route is found.
    public internal(set) var routeIndex = -1
    /// Of the routes that cover the path, but not with this method, the most specific one; 0 where there is none.
    public internal(set) var coveringIndex = 0
    /// What stood for the pattern's parameters, in their order, as ranges of the normalised path.
    public internal(set) var parameters: [ByteRange] = []
    /// What stood for the parameter that the route's `agent` names.
    public internal(set) var agent: ByteRange?

    /// No match yet.
    public init() {}

    mutating func reset() {
        routeIndex = -1
        agent = nil
        if !parameters.isEmpty { parameters.removeAll(keepingCapacity: true) }
    }
}
