/// What one shard counts: plain numbers, no locks.
///
/// Invariant: confined to one shard. Names (routes, listeners) are registered when a configuration takes effect and keep their
/// numbers over reloads; the request path counts by number. Labels come from the configuration and this code, never from
/// what clients or upstreams send.
public final class ShardMetrics {
    /// The number that stands for "no route was found".
    public static let noRoute = 0

    /// Confined to the shard and never touched from inside its own calls, so no two accesses overlap. Checking that at run time
    /// would take 16 of 27 ns a request.
    @exclusivity(unchecked) private var counted = MetricsSnapshot()

    /// Nothing counted yet.
    public init() {}

    /// The numbers to count by for routes of these names, in their order. A name that was registered before has the number it
    /// had, so counters go on over a reload.
    public func register(routes names: [String]) -> [Int] { names.map { unsafe counted.routes.number(of: $0) } }

    /// The numbers to count by for listeners of these names, in their order; likewise.
    public func register(listeners names: [String]) -> [Int] { names.map { unsafe counted.listenerNumber($0) } }

    /// A request was answered, or given up: `method` is the raw value of `HTTP.Method`; the status 499 stands for a client that
    /// left before its answer, by nginx's convention.
    public func recordRequest(route: Int, method: UInt8, status: Int, nanoseconds: Int64) {
        unsafe counted.addRequest(route: route, method: Int(method), status: status, nanoseconds: nanoseconds)
    }

    /// A request was refused with this error code of the contract.
    public func recordRefusal(route: Int, error: StaticString) {
        unsafe counted.refusals.add(1, row: route, column: counted.errorNumber(error))
    }

    /// The verified-token cache was asked.
    public func recordTokenCache(hit: Bool) {
        if hit { unsafe counted.tokenCacheHits &+= 1 } else { unsafe counted.tokenCacheMisses &+= 1 }
    }

    /// Takes over what the verified-token cache counted itself, since the start of the process.
    public func setTokenCache(hits: Int, misses: Int) {
        unsafe counted.tokenCacheHits = UInt64(max(hits, 0))
        unsafe counted.tokenCacheMisses = UInt64(max(misses, 0))
    }

    /// A TLS handshake with a client was completed; its version is 1.3, else 1.2.
    public func recordHandshake(isVersion13: Bool, isResumed: Bool) {
        unsafe counted.handshakes[(isVersion13 ? 2 : 0) + (isResumed ? 1 : 0)] &+= 1
    }

    /// A connection was accepted at the listener with this number.
    public func connectionOpened(listener: Int) { unsafe counted.connections[listener] += 1 }

    /// A connection of the listener with this number ended.
    public func connectionClosed(listener: Int) { unsafe counted.connections[listener] -= 1 }

    /// A long-lived answer or tunnel (SSE, WebSocket, gRPC) began.
    public func streamOpened() { unsafe counted.streams += 1 }

    /// A long-lived answer or tunnel ended.
    public func streamClosed() { unsafe counted.streams -= 1 }

    /// An HTTP/2 connection was ended since its client asked too much: by resets, else by frames without effect.
    public func recordAbuse(byResets: Bool) {
        if byResets { unsafe counted.resetFloods &+= 1 } else { unsafe counted.controlFloods &+= 1 }
    }

    /// All that was counted so far, to be handed to another queue.
    public func snapshot() -> MetricsSnapshot { unsafe counted }
}
