import Configuration
import Glibc
import Transport

/// What a shard knows of one server of an upstream: addresses, load, health, kept connections.
///
/// Confined to its shard's queue.
final class ServerState {
    /// An ejection doubles with each one in a row, up to so many times the first.
    private static let ejectionGrowthAtMost = 32

    let definition: UpstreamServer
    private var addresses: [SocketAddress] = []
    private var nextAddressIndex = 0
    /// Requests under way.
    var activeCount = 0
    /// Connections kept for later, the most recent last.
    var idle: [UpstreamConnection] = []
    /// Connections that take streams.
    var multiplexed: [HTTP2Upstream] = []
    /// It is asked over HTTP/2: by configuration, or since it chose that when it was last connected to.
    var speaksHTTP2: Bool
    private var failuresInRow = 0
    private var ejectionsInRow = 0
    private var ejectedUntil = MonotonicTime(nanoseconds: .min)
    /// It was asked although it is ejected, for want of a better one.
    private var isOnTrial = false
    /// What active checks say; true until one failed.
    private(set) var isReported = true
    private let identity: UInt64

    init(_ definition: UpstreamServer) {
        self.definition = definition
        speaksHTTP2 = definition.h2c
        identity = StableHash.of(Array(definition.text.utf8).span)
        if case .address(let address) = definition.endpoint { addresses = [address] }
    }

    var text: String { definition.text }

    /// What `Host` says in what the gateway asks by itself; a Unix socket has no name of its own.
    var hostName: String {
        if case .address(.unix) = definition.endpoint { return "localhost" }
        return definition.text
    }

    /// The name that the server's certificate has to be for.
    func tlsName(_ settings: UpstreamTLS?) -> String {
        if let name = settings?.serverName { return name }
        switch definition.endpoint {
        case .host(let name, _): return name
        case .address(let address): return address.hostText
        }
    }

    // MARK: Addresses

    var addressCount: Int { addresses.count }

    /// The address to connect to next; nil while the name has none.
    func nextAddress() -> SocketAddress? {
        guard !addresses.isEmpty else { return nil }
        nextAddressIndex = (nextAddressIndex + 1) % addresses.count
        return addresses[nextAddressIndex]
    }

    /// Takes newly resolved addresses. Connections to an address that is gone are no longer kept.
    func replaceAddresses(_ fresh: [SocketAddress]) {
        guard !fresh.isEmpty, Set(fresh) != Set(addresses) else { return }
        let isFirst = addresses.isEmpty
        addresses = fresh
        nextAddressIndex = 0
        if !isFirst {
            for connection in idle { connection.close(reset: false) }
            for connection in multiplexed { connection.retire() }
        }
    }

    // MARK: Load

    /// Requests under way for each unit of weight, this one counted.
    var load: Double { Double(activeCount + 1) / Double(definition.weight) }

    /// How much a key belongs to this server: the largest wins.
    func affinity(to key: UInt64) -> Double {
        var mixed = (key ^ identity) &* 0x9e37_79b9_7f4a_7c15
        mixed ^= mixed >> 29
        mixed &*= 0xbf58_476d_1ce4_e5b9
        mixed ^= mixed >> 32
        // Weighted highest random weight: only with the logarithm does each server win as often as its weight says.
        let uniform = (Double(mixed >> 11) + 0.5) / Double(1 << 53)
        return Double(definition.weight) / -log(uniform)
    }

    // MARK: Health

    /// Takes requests: not ejected by failures, nor reported ill.
    func isLive(_ now: MonotonicTime) -> Bool { isReported && ejectedUntil <= now && !addresses.isEmpty }

    /// A request will be sent to it.
    func chosen(_ now: MonotonicTime) { isOnTrial = ejectedUntil > now }

    /// An answer came in order. That ends an ejection during which somebody was sent here.
    func succeeded() {
        failuresInRow = 0
        ejectionsInRow = 0
        guard isOnTrial else { return }
        isOnTrial = false
        ejectedUntil = MonotonicTime(nanoseconds: .min)
    }

    /// A connection, a handshake or an answer failed. Those that were under way when the server was ejected fail after it:
    /// they are not the next ejection.
    func failed(_ now: MonotonicTime, _ upstream: Upstream) {
        guard ejectedUntil <= now else { return isOnTrial = false }
        failuresInRow += 1
        guard failuresInRow >= upstream.failLimit else { return }
        failuresInRow = 0
        let growth = min(1 << min(ejectionsInRow, 16), Self.ejectionGrowthAtMost)
        ejectedUntil = now.advanced(byNanoseconds: upstream.ejectTime.nanoseconds * Int64(growth))
        ejectionsInRow += 1
    }

    /// An active check came to a result.
    func reported(_ isHealthy: Bool) {
        isReported = isHealthy
        if isHealthy { ejectedUntil = MonotonicTime(nanoseconds: .min) }
    }
}
