internal import Dispatch
internal import Synchronization

/// Hears what PostgreSQL says on the store's channel, on a connection and a queue of its own. While there is no connection nothing is
/// heard, which who polls survives; one more try follows every second, and each that succeeds counts as a change.
final class PostgresListener: Sendable {
    private static let pause = DispatchTimeInterval.seconds(1)

    private struct State {
        var changed: (@Sendable () -> Void)?
        var source: (any DispatchSourceRead)?
        /// Which server let it in last.
        var server = 0
    }

    private let servers: PostgresServers
    private let queue = DispatchQueue(label: "gatehouse.store-listener", qos: .utility)
    private let state = Mutex(State())

    /// A listener that has not begun.
    init(_ servers: PostgresServers) { self.servers = servers }

    deinit { state.withLock { $0.source?.cancel() } }

    /// Begins to listen.
    func start(_ changed: @escaping @Sendable () -> Void) {
        state.withLock { $0.changed = changed }
        queue.async { [weak self] in self?.connect() }
    }

    private func connect() {
        var place = state.withLock { $0.server }
        guard let connection = try? servers.connect(from: &place) else { return retry() }
        guard (try? connection.query("LISTEN \(PostgresSchema.channel)")) != nil else {
            // A standby does not listen.
            state.withLock { $0.server = place + 1 }
            return retry()
        }
        state.withLock { state in
            let source = DispatchSource.makeReadSource(fileDescriptor: connection.descriptor, queue: queue)
            source.setEventHandler { [weak self] in self?.hear(connection) }
            // The descriptor stays open until nothing watches it.
            source.setCancelHandler { withExtendedLifetime(connection) {} }
            source.resume()
            state.source = source
            state.server = place
        }
        report()
    }

    /// Listens on another connection: the database is elsewhere now, and the old server may go on as if nothing had happened.
    func restart() {
        queue.async { [weak self] in
            guard let self, state.withLock({ $0.source != nil }) else { return }
            stop()
            connect()
        }
    }

    private func stop() {
        state.withLock { state in
            state.source?.cancel()
            state.source = nil
        }
    }

    private func hear(_ connection: PostgresConnection) {
        guard connection.consume() else {
            stop()
            return retry()
        }
        if connection.takeNotifications() > 0 { report() }
    }

    private func retry() { queue.asyncAfter(deadline: .now() + Self.pause) { [weak self] in self?.connect() } }

    private func report() { state.withLock { $0.changed }?() }
}
