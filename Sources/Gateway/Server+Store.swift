import Configuration
import Dispatch
import Identity
import Logging
import Policy
import Transport

/// How the shards learn what the store holds: at the start, when another process changes it, and at once when this one does.
extension Server {
    /// Loads what counts on requests and begins to follow the store; and begins the service that changes it.
    func followStore() throws(ServerError) {
        guard let store else { return }
        let follower = StoreFollower(
            store: store, revocationLag: configuration.revocationLag, silenceAtMost: configuration.storeStale
        ) { [weak self] event in self?.storeChanged(event) }
        self.follower = follower
        do throws(StoreError) {
            let found = try follower.start()
            known.keys = found.keys
            known.revocations = RevocationSet(found.revocations.entries, now: WallClock.seconds())
        } catch { throw ServerError(message: "\(error)") }
        let identity = IdentityService(
            store: store, cores: configuration.workers,
            publisher: IdentityService.Publisher(
                revoke: { [weak self] revocations, done in self?.publish(revocations, done) },
                reloadKeys: { [weak self] done in self?.reloadKeys(done) },
                report: { [logger] error in logger.error("a request was refused with store_unavailable: \(error)") }))
        do throws(StoreError) { try identity.prepare() } catch { throw ServerError(message: "\(error)") }
        if inherited != nil { identity.usage.hurry(seconds: Self.overlap) }
        self.identity = identity
    }

    private func storeChanged(_ event: StoreFollower.Event) {
        switch event {
        case .keys(let table):
            control.async { [self] in
                known.keys = table
                for worker in workers { worker.shard.post { worker.replaceKeys(table) } }
            }
        case .revocations(let log): control.async { [self] in take(log) }
        case .lost(let error): logger.error("the store cannot be read, what is known of it stays: \(error)")
        case .recovered: logger.notice("the store can be read again")
        case .silent(let isSilent):
            if isSilent { logger.error("store_stale is over: until the store answers, no credential is vouched for") }
            control.async { [self] in
                known.isSilent = isSilent
                for worker in workers { worker.shard.post { worker.setStoreSilent(isSilent) } }
            }
        }
    }

    private func take(_ log: RevocationLog) {
        if log.isWhole {
            let now = WallClock.seconds()
            var fresh = RevocationSet(log.entries, now: now)
            fresh.remember(known.revocations, now: now)
            known.revocations = fresh
            let all = fresh
            for worker in workers { worker.shard.post { worker.replaceRevocations(all) } }
        } else {
            enter(log.entries)
            for worker in workers { worker.shard.post { worker.apply(log.entries) } }
        }
    }

    private func enter(_ revocations: [Revocation]) {
        for revocation in revocations { known.revocations.apply(revocation, now: WallClock.seconds()) }
    }

    /// Tells every shard, and calls back when each has heard it.
    private func publish(_ revocations: [Revocation], _ done: @escaping @Sendable () -> Void) {
        control.async { [self] in
            enter(revocations)
            ShardSurvey.ask(workers, { $0.apply(revocations) }) { _ in done() }
        }
    }

    /// Reads the keys, and calls back when every shard has them: what the follower reports is posted before this asks.
    private func reloadKeys(_ done: @escaping @Sendable (Bool) -> Void) {
        control.async { [self] in
            guard let follower else { return done(false) }
            reloading.async { [self] in
                let isRead = follower.refresh()
                control.async { [self] in ShardSurvey.ask(workers, { _ in }) { _ in done(isRead) } }
            }
        }
    }
}
