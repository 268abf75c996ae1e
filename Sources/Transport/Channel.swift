/// What a shard watches: a descriptor and who is told about it. Subclasses are connections and listeners. It is its own first
/// timer.
///
/// Invariant: confined to its shard's queue from `Shard.add` to `Shard.remove`.
open class Channel: ShardTimer {
    /// The place in the shard's table; -1 while it is not watched.
    final var slot = -1
    /// The descriptor that is watched.
    final var watched: Int32 = -1
    /// The shard watches it.
    public final var isWatched: Bool { slot >= 0 }
    /// The epoll set that it is watched in.
    final var set: Int32 = -1
    /// What the shard waits for now.
    public final internal(set) var interest: Readiness = []

    /// A channel that is not watched yet.
    public override init() {}

    /// The descriptor is ready. Called on the shard's queue.
    open func ready(_ readiness: Readiness) {}

    /// A timer of this channel is due: itself, or a further one.
    open func timerFired(_ timer: ShardTimer) {}

    final override func fire() { timerFired(self) }
}

/// What a descriptor is ready for, or what is waited for; the values are epoll's.
public struct Readiness: OptionSet, Sendable {
    /// epoll's bits.
    public let rawValue: UInt32
    /// The bits as a set.
    @inline(__always) public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// EPOLLIN.
    public static let readable = Readiness(rawValue: 0x001)
    /// EPOLLOUT.
    public static let writable = Readiness(rawValue: 0x004)
    /// EPOLLERR.
    public static let failed = Readiness(rawValue: 0x008)
    /// EPOLLHUP: both sides are closed.
    public static let hungUp = Readiness(rawValue: 0x010)
    /// EPOLLRDHUP: the peer will not send more.
    public static let peerClosed = Readiness(rawValue: 0x2000)
    /// EPOLLEXCLUSIVE: of several shards that watch one socket, one is woken.
    public static let exclusive = Readiness(rawValue: 1 << 28)
    /// EPOLLET: each arrival is told once, whether it is read or not.
    public static let fresh = Readiness(rawValue: 1 << 31)
}
