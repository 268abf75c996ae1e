import CLinux
import Glibc
import Synchronization

/// How many clients' connections all shards may hold together, so that descriptors are left for upstreams and the store.
///
/// Shared by the shards as atomics: touched once when a connection opens and once when it ends, never by a request.
final class Admission: Sendable {
    /// Descriptors kept back for the store, logs and the like, and for `operatorsAtMost`.
    private static let reservedDescriptors = 60 + operatorsAtMost
    /// Connections to `admin` beyond the limit: however many clients there are, probes and scrapes are answered.
    private static let operatorsAtMost = 16
    /// Descriptors of a shard itself: two epoll sets.
    private static let descriptorsOfShard = 2

    /// Connections at most.
    let limit: Int
    /// Descriptors that clients and upstreams share.
    private let available: Int
    private let upstreams = Atomic<Int>(0)
    private let isCrowded = Atomic<Bool>(false)
    private let open = Atomic<Int>(0)
    private let isFull = Atomic<Bool>(false)

    /// By default as many as leave each connection a descriptor for an upstream. Who names a number knows how many of them
    /// idle: it counts as long as a quarter of the descriptors is left.
    init(configured: Int?, shards: Int = 1, listeners: Int = 0) {
        let kept = Self.reservedDescriptors + shards * (listeners + Self.descriptorsOfShard)
        let available = max(Self.descriptorLimit() - kept, 16)
        self.available = available
        limit = configured.map { min($0, available / 4 * 3) } ?? available / 2
    }

    /// Raises the soft limit on descriptors to the hard one.
    static func raiseDescriptorLimit() {
        var limits = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else { return }
        limits.rlim_cur = limits.rlim_max
        unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
    }

    private static func descriptorLimit() -> Int {
        var limits = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else { return 1024 }
        return Int(clamping: limits.rlim_cur)
    }

    /// Counts one more connection; false when there is no room, and the listener has to wait.
    func admit(isAdmin: Bool) -> Bool {
        let count = open.add(1, ordering: .relaxed).newValue
        if count <= limit + (isAdmin ? Self.operatorsAtMost : 0) { return true }
        open.subtract(1, ordering: .relaxed)
        isFull.store(true, ordering: .relaxed)
        return false
    }

    /// Counts one less; true when listeners that wait may try again.
    func release() -> Bool {
        open.subtract(1, ordering: .relaxed)
        return isFull.load(ordering: .relaxed) && isFull.exchange(false, ordering: .relaxed)
    }

    // MARK: Upstreams

    /// Counts one more connection to an upstream. True when that leaves none of the descriptors, and once until `relieved`:
    /// connections that idle in one shard's pools should go before another's clients need theirs.
    func upstreamOpened() -> Bool {
        let count = upstreams.add(1, ordering: .relaxed).newValue
        return count + open.load(ordering: .relaxed) >= available && crowd()
    }

    /// Descriptors are short. True once until `relieved`.
    func crowd() -> Bool { !isCrowded.exchange(true, ordering: .relaxed) }

    /// Counts one less.
    func upstreamClosed() { upstreams.subtract(1, ordering: .relaxed) }

    /// The shards have given up what idles.
    func relieved() { isCrowded.store(false, ordering: .relaxed) }
}
