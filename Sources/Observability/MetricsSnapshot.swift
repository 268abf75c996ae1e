/// What a shard has counted up to one moment. Snapshots of all shards are merged, off the shards, and rendered.
public struct MetricsSnapshot: Sendable {
    var routes = LabelSet([MetricsSnapshot.noRoute])
    var listeners = LabelSet()
    var statuses = StatusColumns()
    var errors: [StaticString] = []

    var requests = CounterTable(columns: MethodColumns.count * StatusColumns.count)
    var refusals = CounterTable(columns: MetricsSnapshot.errorBound)
    var latency = LatencyHistogram()
    var handshakes: [UInt64] = Array(repeating: 0, count: 4)  // 1.2, 1.2 resumed, 1.3, 1.3 resumed
    var connections: [Int] = []  // by listener
    var streams = 0
    var resetFloods: UInt64 = 0
    var controlFloods: UInt64 = 0
    var tokenCacheHits: UInt64 = 0
    var tokenCacheMisses: UInt64 = 0

    /// The value of the label `route` when no route was found.
    static let noRoute = "none"
    /// Error codes that are told apart; there are fewer than that. What comes beyond counts as the last.
    static let errorBound = 64

    /// Nothing counted: what snapshots are merged into.
    public init() {}

    /// Adds what another shard has counted. The shards may have met names in different orders.
    public mutating func merge(_ other: MetricsSnapshot) {
        let routeNumbers = other.routes.names.map { routes.number(of: $0) }
        let errorNumbers = other.errors.map { errorNumber($0) }
        other.requests.forEach { row, column, count in
            let (method, status) = column.quotientAndRemainder(dividingBy: StatusColumns.count)
            let own = statuses.column(of: other.statuses.status(of: status) ?? 0)
            requests.add(count, row: routeNumbers[row], column: method * StatusColumns.count + own)
        }
        other.refusals.forEach { row, column, count in
            refusals.add(count, row: routeNumbers[row], column: errorNumbers[column])
        }
        latency.merge(other.latency)
        for index in handshakes.indices { handshakes[index] += other.handshakes[index] }
        for (name, count) in zip(other.listeners.names, other.connections) {
            connections[listenerNumber(name)] += count
        }
        streams += other.streams
        resetFloods += other.resetFloods
        controlFloods += other.controlFloods
        tokenCacheHits += other.tokenCacheHits
        tokenCacheMisses += other.tokenCacheMisses
    }

    @inline(__always)
    mutating func addRequest(route: Int, method: Int, status: Int, nanoseconds: Int64) {
        let column = min(method, MethodColumns.count - 1) &* StatusColumns.count &+ statuses.column(of: status)
        requests.add(1, row: route, column: column)
        latency.record(nanoseconds: nanoseconds)
    }

    mutating func listenerNumber(_ name: String) -> Int {
        let number = listeners.number(of: name)
        if number == connections.count { connections.append(0) }
        return number
    }

    /// The number of an error code. Codes are literals, mostly each at one address, so a look-up compares addresses first.
    @inline(__always)
    mutating func errorNumber(_ code: StaticString) -> Int {
        for index in errors.indices where unsafe errors[index].utf8Start == code.utf8Start { return index }
        return errorNumberByText(code)
    }

    @inline(never)
    private mutating func errorNumberByText(_ code: StaticString) -> Int {
        let text = code.description
        if let known = errors.firstIndex(where: { $0.description == text }) { return known }
        if errors.count < Self.errorBound { errors.append(code) }
        return errors.count - 1
    }
}

/// Maps methods to columns.
enum MethodColumns {
    /// The values of the label `method`, in the order of `HTTP.Method`.
    static let labels: [StaticString] = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "other",
    ]
    static let count = 10
}
