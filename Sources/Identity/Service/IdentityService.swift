internal import Dispatch
internal import HTTP
public import Policy
internal import Synchronization
internal import Transport

/// Login, refresh, logout and the management of API keys, behind the gateway's endpoints.
///
/// Every call may come from any queue and returns at once; its reply comes on a queue of the service's own, exactly once.
/// Requests are read one after the other on a serial queue; the store is asked on `WorkLanes`, those about one session, account
/// or agent one after the other; passwords are hashed beside them. Bounds: `waitingAtMost` requests, and those of
/// `WorkLanes`, `HashQueue` and `AttemptThrottle`. It lives as long as the process: what belongs to a configuration comes with each
/// call.
public final class IdentityService: Sendable {
    /// Where a reply goes.
    public typealias Reply = @Sendable (IdentityReply) -> Void

    /// How the gateway is told what the service has changed; each calls back when every shard knows it.
    public struct Publisher: Sendable {
        /// Revocations, already durable.
        public let revoke: @Sendable ([Revocation], @escaping @Sendable () -> Void) -> Void
        /// The store's API keys are others now; false when they could not be read, so that the shards do not know them yet.
        public let reloadKeys: @Sendable (@escaping @Sendable (Bool) -> Void) -> Void
        /// The store did not do what it was asked, the first time since it last did.
        public let report: @Sendable (StoreError) -> Void

        /// A publisher.
        public init(
            revoke: @escaping @Sendable ([Revocation], @escaping @Sendable () -> Void) -> Void,
            reloadKeys: @escaping @Sendable (@escaping @Sendable (Bool) -> Void) -> Void,
            report: @escaping @Sendable (StoreError) -> Void
        ) {
            self.revoke = revoke
            self.reloadKeys = reloadKeys
            self.report = report
        }
    }

    /// Requests that wait to be read at most; one more is `store_unavailable`.
    public static let waitingAtMost = 1_024
    /// Seconds until a login has a chance again that found the hash queue full.
    static let busyRetryAfter = 1
    /// Nanoseconds for which a login waits for those of its account that are being checked.
    static let loginPatience: Int64 = 30_000_000_000
    /// Logins that wait so at most, of all accounts: whoever logs in a thousand times at once keeps nobody else from the service.
    static let waitingLoginsAtMost = 128
    /// Until a login asks again whether those before it have failed.
    static let pause = DispatchTimeInterval.milliseconds(50)
    /// Nanoseconds between two lines about the store at least.
    private static let reportInterval: Int64 = 10_000_000_000
    /// Lanes that ask the store about tickets.
    private static let ticketLanesAtMost = 2
    /// Seconds between two purges of what has expired in the store.
    private static let purgeInterval: Int64 = 600
    /// How many seconds a change of the password or a disabled user kills tokens of other issuers, whose life is unknown.
    public static let longestForeignToken: Int64 = 30 * 86_400

    /// Seconds by which an issuer's tokens may outlive their `exp` (`leeway` at most): a revocation counts as long.
    static let longestLeeway: Int64 = 3_600

    let store: any IdentityStore
    let publisher: Publisher
    let hashes: HashQueue
    let logins = AttemptThrottle(perAccount: 10, perAddress: 300)
    let refreshes = AttemptThrottle(perAccount: 10, perAddress: .max)
    let successors = SuccessorCache()
    let passwordCost = PasswordCost()
    /// Counts of requests that outlive the process.
    public let usage: UsageTable
    private let uses: KeyUseWriter
    private let entrance = WorkLane("gatehouse.identity", waitingAtMost: waitingAtMost)
    private let lanes: WorkLanes
    let ticketLanes: WorkLanes
    let ticketMemory = TicketMemory()
    private let purging = DispatchQueue(label: "gatehouse.purge", qos: .background)
    private let isStoreFailing = Atomic(false)
    private let lastReport = Atomic<Int64>(0)
    private let waitingLogins = Atomic(0)
    private let lastPurge = Atomic<Int64>(0)

    /// A service on `store` that hashes on `cores` threads at once.
    public init(store: any IdentityStore, cores: Int, publisher: Publisher) {
        self.store = store
        lanes = WorkLanes(store.writersAtOnce)
        ticketLanes = WorkLanes(min(store.writersAtOnce, Self.ticketLanesAtMost))
        uses = KeyUseWriter(store: store)
        usage = UsageTable(store: store)
        self.publisher = publisher
        hashes = HashQueue(width: cores)
    }

    /// Learns from the store what a new process has to know of former ones. Blocks.
    public func prepare() throws(StoreError) { try usage.load(now: WallClock.seconds()) }

    /// An API key was used. Returns at once; the store hears of it later.
    public func note(_ use: KeyUse) { uses.note(use) }

    /// What is done for a request. Without a reply, it goes on elsewhere.
    typealias Work = @Sendable () throws(Refusal) -> IdentityReply?

    /// Runs what reads a request, which asks no store: it only decides whom the request is about.
    func enter(_ reply: @escaping Reply, _ work: @escaping Work) {
        enqueue(in: entrance, reply, work)
    }

    /// Runs what asks the store about a session, an account or an agent.
    func enqueue(about subject: String, _ reply: @escaping Reply, _ work: @escaping Work) {
        enqueue(in: lanes[subject], reply, work)
    }

    /// Runs work in its turn, or refuses it when too many wait, or when the store has kept those before it for too long.
    func enqueue(in lane: WorkLane, _ reply: @escaping Reply, _ work: @escaping Work) {
        purgeNowAndThen()
        let isTaken = lane.enqueue { [self] isInTime in
            if isInTime { run(work, reply) } else { reply(.refused(.storeUnavailable)) }
        }
        if !isTaken { reply(.refused(.storeUnavailable)) }
    }

    /// Runs a login's work a moment later, or refuses it when too many wait so.
    func enqueueLater(about subject: String, _ reply: @escaping Reply, _ work: @escaping Work) {
        guard waitingLogins.add(1, ordering: .relaxed).newValue <= Self.waitingLoginsAtMost else {
            waitingLogins.subtract(1, ordering: .relaxed)
            return reply(.refused(.loginBusy(retryAfter: Self.busyRetryAfter)))
        }
        lanes[subject].enqueue(after: Self.pause) { [self] in
            waitingLogins.subtract(1, ordering: .relaxed)
            run(work, reply)
        }
    }

    private func run(_ work: () throws(Refusal) -> IdentityReply?, _ reply: Reply) {
        do throws(Refusal) { if let answer = try work() { reply(answer) } } catch { reply(.refused(error)) }
    }

    /// What the store says, or `store_unavailable`.
    func asking<Result>(_ body: (any IdentityStore) throws(StoreError) -> Result) throws(Refusal) -> Result {
        do throws(StoreError) {
            let result = try body(store)
            isStoreFailing.store(false, ordering: .relaxed)
            return result
        } catch { throw refusal(for: error) }
    }

    /// What a client is answered that the store failed; the operator is told why, once for each time that it begins to, and where what
    /// reads succeeds and what writes does not, every ten seconds.
    func refusal(for error: StoreError) -> Refusal {
        let (now, last) = (MonotonicTime.now().nanoseconds, lastReport.load(ordering: .relaxed))
        if !isStoreFailing.exchange(true, ordering: .relaxed), last == 0 || now - last > Self.reportInterval {
            lastReport.store(now, ordering: .relaxed)
            publisher.report(error)
        }
        return .storeUnavailable
    }

    /// When the last access token has surely expired that a session got until `moment`, whoever verifies it.
    static func end(ofTokensIssuedBy moment: Int64, accessTTL: Int64) -> Int64 { moment + accessTTL + longestLeeway }

    /// What is over is forgotten in passing; a store that cannot do it now can do it later.
    private func purgeNowAndThen() {
        let (now, last) = (WallClock.seconds(), lastPurge.load(ordering: .relaxed))
        guard now - last >= Self.purgeInterval,
            lastPurge.compareExchange(expected: last, desired: now, ordering: .relaxed).exchanged
        else { return }
        purging.async { [store] in try? store.purge(now: now) }
    }
}
