import Configuration
import HTTP
import Logging
import Observability
import Transport

/// A shard's listening socket.
///
/// Confined to its shard's queue. It owns its descriptor from `start` to `close`.
final class ListenerChannel: Channel {
    /// Connections accepted at one event at most, so that those that are open get their turn.
    private static let batch = 64
    /// Seconds that accepting rests after the system ran out of something.
    private static let rest: Int64 = 100_000_000

    let listener: Listener
    /// The listener's place in the metrics.
    let label: Int
    private let isAdmin: Bool
    private let worker: Worker
    private var descriptor: Int32
    private var isPaused = false
    private var retry: ShardTimer { self }

    init(_ listener: Listener, descriptor: Int32, label: Int, isAdmin: Bool, worker: Worker) {
        self.listener = listener
        self.descriptor = descriptor
        self.label = label
        self.isAdmin = isAdmin
        self.worker = worker
    }

    func start() { listen() }

    /// A Unix socket is shared by the shards: watched where the shard itself waits, it wakes one of them.
    private func listen() {
        let isUnix = listener.address.isUnix
        let isWatched = worker.shard.add(
            self, descriptor: descriptor, interest: isUnix ? [.readable, .exclusive] : .readable,
            precedence: isUnix ? .answers : .requests)
        guard !isWatched else { return }
        worker.logger.error("connections cannot be accepted for now: the system cannot watch \(listener.address)")
        pause()
    }

    func close() {
        guard descriptor >= 0 else { return }
        worker.shard.remove(retry)
        worker.shard.remove(self)
        Sockets.close(descriptor)
        descriptor = -1
    }

    /// Accepts again after there was no room.
    func resume() {
        guard isPaused, descriptor >= 0 else { return }
        isPaused = false
        listen()
    }

    private func pause() {
        isPaused = true
        worker.shard.remove(self)
        worker.shard.set(retry, after: Self.rest)
    }

    override func timerFired(_ timer: ShardTimer) { resume() }

    override func ready(_ readiness: Readiness) {
        for _ in 0..<Self.batch {
            guard worker.admission.admit(isAdmin: isAdmin) else { return pause() }
            do throws(SocketError) {
                guard let (accepted, peer) = try Sockets.accept(descriptor) else {
                    _ = worker.admission.release()
                    return
                }
                let client = ClientPeer(listener: listener, label: label, isAdmin: isAdmin)
                let connection = DownstreamConnection(
                    descriptor: accepted, peer: peer, client: client, worker: worker)
                worker.connectionOpened(label)
                connection.start()
            } catch {
                _ = worker.admission.release()
                if error.isOutOfDescriptors { worker.ranOutOfDescriptors() }
                worker.logger.error("connections cannot be accepted for now: \(error.message)")
                return pause()
            }
        }
    }
}
