import Configuration
import Transport

/// Who is connected, and how: what every request of a connection has in common.
///
/// Confined to its shard's queue.
final class ClientPeer {
    let listener: Listener
    /// The listener is `admin`.
    let isAdmin: Bool
    /// The listener's place in the metrics.
    let label: Int
    /// The client's address as logged and forwarded.
    private(set) var address: [UInt8] = []
    /// It is in `trusted_proxies`.
    private(set) var isTrusted = false
    /// It speaks TLS.
    var isSecure = false { didSet { describeWay() } }
    /// The way of its requests as upstreams are told, where no trusted proxy has told another: complete field lines.
    private(set) var way: [UInt8] = []
    /// The server name of the handshake, where it chose among certificates.
    var serverName: String?

    init(listener: Listener, label: Int, isAdmin: Bool) {
        self.listener = listener
        self.label = label
        self.isAdmin = isAdmin
    }

    /// Who is connected, or whom the PROXY header names.
    func set(_ address: SocketAddress, _ configuration: Configuration) {
        self.address = Array(address.hostText.utf8)
        isTrusted = configuration.trustedProxies.contains { $0.contains(address) }
        describeWay()
    }

    private func describeWay() {
        way = Array("X-Forwarded-For: ".utf8)
        way += address
        way += Array((isSecure ? "\r\nX-Forwarded-Proto: https\r\n" : "\r\nX-Forwarded-Proto: http\r\n").utf8)
    }

    /// Whether its PROXY header is believed. Who may connect to a Unix socket is for the socket's file to say: whoever may,
    /// may also name a trusted proxy.
    var mayNameClients: Bool { listener.address.isUnix || isTrusted }

    /// Whether the `Host` of a request names another certificate than the one that the server name chose (421).
    func isMisdirected(host: Span<UInt8>, serving: Serving) -> Bool {
        guard let serverName, let tls = serving.tls, tls.identities.count > 1 else { return false }
        let name = HostName.withoutPort(host)
        if name == serverName || tls.identities[tls.identityIndex(for: serverName) ?? 0].covers(name) { return false }
        return tls.identityIndex(for: name) != nil
    }
}
