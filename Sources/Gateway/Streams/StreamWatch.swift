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
    private lazy var timer = ShardTimer(channel: self)

    init(_ worker: Worker) { self.worker = worker }

    /// Something is under way from now on.
    @inline(__always)
    func arm() {
        if !timer.isSet { set() }
    }

    /// There will be nothing more.
    func stop() { worker.shard.remove(timer) }

    /// Several looks within `revocation_lag`, so that an event under way may end in the rest of it.
    private func set() {
        let lag = worker.serving.configuration.revocationLag.nanoseconds
        worker.shard.set(timer, after: min(max(lag / 4, Self.shortestPeriod), Self.longestPeriod))
    }

    override func timerFired(_ timer: ShardTimer) {
        var found: [Exchange] = []
        for case let channel as ClientChannel in worker.shard.watchedChannels {
            channel.forEachExchange { found.append($0) }
        }
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
