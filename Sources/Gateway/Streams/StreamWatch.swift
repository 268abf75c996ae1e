import Configuration
import HTTP
import Policy
import Transport

/// Looks after what is under way on a shard: whether its credential still holds, and whether a silent stream wants a sign
/// of life. Confined to the shard's queue; rests while nothing is under way.
final class StreamWatch: Channel {
    /// The longest time between two looks.
    private static let longestPeriod: Int64 = 250_000_000
    private static let shortestPeriod: Int64 = 20_000_000

    private unowned let worker: Worker
    private var timer: ShardTimer { self }
    /// What is under way; each knows its place.
    private var running: [Exchange] = []

    init(_ worker: Worker) { self.worker = worker }

    /// The exchange is under way until it is forgotten.
    func watch(_ exchange: Exchange) {
        guard exchange.watchPlace < 0 else { return }
        exchange.watchPlace = running.count
        running.append(exchange)
        if !timer.isSet { set() }
    }

    /// It is over: the last one takes its place.
    func forget(_ exchange: Exchange) {
        guard exchange.watchPlace >= 0 else { return }
        let last = running.removeLast()
        if last !== exchange {
            running[exchange.watchPlace] = last
            last.watchPlace = exchange.watchPlace
        }
        exchange.watchPlace = -1
    }

    /// There will be nothing more.
    func stop() { worker.shard.remove(timer) }

    /// Several looks within `revocation_lag`, so that an event under way may end in the rest of it.
    private func set() {
        let lag = worker.serving.configuration.revocationLag.nanoseconds
        worker.shard.set(timer, after: min(max(lag / 4, Self.shortestPeriod), Self.longestPeriod))
    }

    override func timerFired(_ timer: ShardTimer) {
        // A look may end what is under way.
        let found = running
        if !found.isEmpty { set() }
        let moment = Moment(
            now: worker.shard.now, seconds: worker.clock.update(),
            lag: worker.serving.configuration.revocationLag.nanoseconds)
        for exchange in found { exchange.review(moment) }
    }

    /// The time of one look.
    struct Moment {
        let now: MonotonicTime
        /// Seconds since 1970.
        let seconds: Int64
        /// `revocation_lag` in nanoseconds.
        let lag: Int64
    }
}
