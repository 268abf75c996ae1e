import Configuration
import HTTP
import Observability
import Transport

/// A shard's connections to one upstream: which server a request goes to, and which connections are kept.
///
/// Confined to its shard's queue. Bounds: `keepalive` idle connections for all servers together, and for a moment those beyond
/// it that a burst has left, `burstIdleAtMost`; lent ones are bounded by the clients' connections and streams.
final class UpstreamPool {
    /// An idle connection is kept for so long; most servers close after 60 s or more.
    private static let idleTime: Int64 = 55_000_000_000

    /// One beyond `keepalive` is kept for so long: a burst of streams, which end and begin together, would otherwise close and
    /// open as many connections as it has streams.
    private static let burstIdleTime: Int64 = 1_000_000_000
    /// Idle connections in such a moment.
    private static let burstIdleAtMost = 8_192

    private static let attemptsAtMost = 4

    let definition: Upstream
    /// `response_timeout` and `idle_timeout` in nanoseconds, reckoned once: every request sets them.
    let responseTimeout: Int64
    let idleTimeout: Int64
    let tls: TLSClientContext?
    /// The upstream's place in the configuration.
    var index: Int
    /// Whose it is: who holds the pool, its worker and lent connections, holds the worker too.
    private(set) unowned var worker: Worker?
    private(set) var servers: [ServerState]
    private(set) var activeCount = 0
    private(set) var isRetired = false
    private var idleCount = 0
    private var turn = 0
    private let turns: [Int]

    init(_ definition: Upstream, index: Int, tls: TLSClientContext?) {
        self.definition = definition
        responseTimeout = definition.responseTimeout.nanoseconds
        idleTimeout = definition.idleTimeout.nanoseconds
        self.index = index
        self.tls = tls
        servers = definition.servers.map { ServerState($0) }
        // Weighted turns, interleaved: each server as often as its weight says.
        let heaviest = definition.servers.map(\.weight).max() ?? 1
        turns = (0..<heaviest).flatMap { round in
            definition.servers.indices.filter { definition.servers[$0].weight > round }
        }
    }

    /// Connections tried for one request at most: each address of each server, within reason.
    var attempts: Int { min(servers.reduce(0) { $0 + max($1.addressCount, 1) }, Self.attemptsAtMost) }

    /// Whether `other` describes the same servers in the same way, so that a reload may keep this pool. One with
    /// TLS is made anew: the files that it trusts may have changed.
    func isInterchangeable(with other: Upstream) -> Bool {
        !isRetired && definition.name == other.name && definition.servers == other.servers
            && definition.balance == other.balance && definition.healthCheck == other.healthCheck
            && definition.connectTimeout == other.connectTimeout && definition.responseTimeout == other.responseTimeout
            && definition.idleTimeout == other.idleTimeout && definition.keepalive == other.keepalive
            && definition.failLimit == other.failLimit && definition.ejectTime == other.ejectTime
            && definition.tls == nil && other.tls == nil
    }

    func attach(to worker: Worker) { self.worker = worker }

    /// Lends a kept or a new connection; nil when no server can be tried.
    func lease(for exchange: Exchange, excluding failed: ServerState? = nil, fresh: Bool = false) -> (any UpstreamLink)?
    {
        guard let worker, let server = choose(for: exchange, excluding: failed, now: worker.shard.now) else {
            return nil
        }
        server.chosen(worker.shard.now)
        // WebSocket goes over HTTP/1.1: few servers know RFC 8441, and who speaks h2c there knows both.
        let isMultiplexed = server.speaksHTTP2 && !exchange.head.upgradesToWebSocket
        if isMultiplexed, let connection = server.multiplexed.first(where: \.hasRoom) { return lend(connection) }
        if !isMultiplexed, !fresh, let kept = server.idle.popLast() {
            idleCount -= 1
            lent(to: server)
            return kept
        }
        guard let address = server.nextAddress() else {
            self.failed(server, "its name has no address")
            return nil
        }
        do throws(SocketError) {
            return try connect(to: address, of: server, for: exchange, worker)
        } catch {
            if !error.isOutOfDescriptors { self.failed(server, error.message) }
            return nil
        }
    }

    /// Begins a connection. When there is no descriptor left, those of kept connections are given up for it.
    private func connect(
        to address: SocketAddress, of server: ServerState, for exchange: Exchange, _ worker: Worker
    ) throws(SocketError) -> any UpstreamLink {
        let begun: (descriptor: Int32, ready: Bool)
        do throws(SocketError) {
            begun = try Sockets.connect(to: address)
        } catch {
            guard error.isOutOfDescriptors else { throw error }
            worker.ranOutOfDescriptors()
            begun = try Sockets.connect(to: address)
        }
        worker.upstreamOpened()
        let isUpgrade = exchange.head.upgradesToWebSocket
        if server.speaksHTTP2, !isUpgrade {
            let connection = HTTP2Upstream(
                pool: self, server: server, descriptor: begun.descriptor, isConnected: begun.ready, worker: worker)
            entered(connection)
            return lend(connection)
        }
        lent(to: server)
        return UpstreamConnection(
            pool: self, server: server, descriptor: begun.descriptor, isConnected: begun.ready,
            offersHTTP2: !isUpgrade, worker: worker)
    }

    /// Keeps none of those that are not lent.
    func closeIdle() {
        for server in servers {
            for connection in server.idle { connection.close(reset: false) }
            for connection in server.multiplexed where connection.session.streamCount == 0 { connection.retire() }
        }
    }

    /// A server failed; the operator is told why, once a minute for each reason.
    func failed(_ server: ServerState, _ reason: String) {
        guard let worker else { return }
        let now = worker.shard.now
        let wasLive = server.isLive(now)
        server.failed(now, definition)
        let place = "upstream \(definition.name): \(server.text)"
        worker.troubles.warning("\(place): \(reason)", now: now.nanoseconds)
        guard wasLive, !server.isLive(now), servers.count > 1 else { return }
        worker.troubles.warning(
            "\(place): fail_limit failures in a row: others are asked for a while", now: now.nanoseconds)
    }

    // MARK: HTTP/2

    /// A stream on a connection that has room.
    func lend(_ connection: HTTP2Upstream) -> HTTP2UpstreamStream {
        lent(to: connection.server)
        return connection.lend()
    }

    /// A connection takes streams from now on.
    func entered(_ connection: HTTP2Upstream) { connection.server.multiplexed.append(connection) }

    /// It takes none any more.
    func left(_ connection: HTTP2Upstream) { connection.server.multiplexed.removeAll { $0 === connection } }

    /// A lent stream came back.
    func streamEnded(_ server: ServerState) { returned(server) }

    private func lent(to server: ServerState) {
        server.activeCount += 1
        activeCount += 1
    }

    // MARK: Choice

    private func choose(for exchange: Exchange, excluding failed: ServerState?, now: MonotonicTime) -> ServerState? {
        if servers.count == 1 { return servers[0].isReported ? servers[0] : nil }
        var candidates = servers.filter { $0.isLive(now) && $0 !== failed }
        // When passive checks have ejected them all, trying one is better than refusing everything.
        if candidates.isEmpty { candidates = servers.filter { $0.isReported && $0 !== failed } }
        if candidates.isEmpty { candidates = servers.filter { $0.isReported } }
        guard !candidates.isEmpty else { return nil }
        switch definition.balance {
        case .leastRequest: return leastBusy(candidates)
        case .roundRobin: return inTurn(candidates)
        case .hash(let field): return byHash(candidates, exchange.hashKey(field: field))
        }
    }

    /// The less busy of two random ones, by weight.
    private func leastBusy(_ candidates: [ServerState]) -> ServerState {
        guard candidates.count > 1, let worker else { return candidates[0] }
        let first = worker.requestIDs.number(below: candidates.count)
        var second = worker.requestIDs.number(below: candidates.count - 1)
        if second >= first { second += 1 }
        return candidates[first].load <= candidates[second].load ? candidates[first] : candidates[second]
    }

    private func inTurn(_ candidates: [ServerState]) -> ServerState {
        for _ in turns {
            turn = (turn + 1) % turns.count
            let server = servers[turns[turn]]
            if candidates.contains(where: { $0 === server }) { return server }
        }
        return candidates[0]
    }

    /// Highest random weight: a server that comes or goes moves only its own share.
    private func byHash(_ candidates: [ServerState], _ key: UInt64) -> ServerState {
        candidates.max { $0.affinity(to: key) < $1.affinity(to: key) } ?? candidates[0]
    }

    // MARK: Connections

    /// Keeps a connection whose exchange is over.
    func keep(_ connection: UpstreamConnection) {
        returned(connection.server)
        let isBurst = idleCount >= definition.keepalive
        guard !isRetired, !isBurst || definition.keepalive > 0 && idleCount < Self.burstIdleAtMost else {
            return connection.close(reset: false)
        }
        idleCount += 1
        connection.server.idle.append(connection)
        connection.idle(for: isBurst ? Self.burstIdleTime : Self.idleTime)
    }

    /// A connection is gone. `wasIdle` tells that it may be among the kept ones.
    func closed(_ connection: UpstreamConnection, wasIdle: Bool) {
        guard wasIdle else { return returned(connection.server) }
        if let place = connection.server.idle.lastIndex(where: { $0 === connection }) {
            connection.server.idle.remove(at: place)
            idleCount -= 1
        }
    }

    private func returned(_ server: ServerState) {
        server.activeCount -= 1
        activeCount -= 1
    }

    /// Keeps nothing from now on; what is lent is closed when it comes back.
    func retire() {
        isRetired = true
        closeIdle()
        for connection in servers.flatMap(\.multiplexed) { connection.retire() }
    }

    // MARK: What others find out

    /// New addresses of a host name; an empty list changes nothing.
    func resolved(_ server: Int, _ addresses: [SocketAddress]) {
        guard servers.indices.contains(server) else { return }
        servers[server].replaceAddresses(addresses)
    }

    /// The result of an active health check.
    func reported(_ server: Int, isHealthy: Bool) {
        guard servers.indices.contains(server) else { return }
        servers[server].reported(isHealthy)
    }
}
