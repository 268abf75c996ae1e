import Configuration
import Dispatch
import JOSE
import Logging
import Observability
import Providers

/// Who is asked, under one configuration, for keys and about opaque tokens.
struct Providers: Sendable {
    /// Issuers whose keys are fetched.
    var keys: KeyWatch?
    /// Where opaque tokens are asked about.
    var introspector: Introspector?

    func start() { keys?.start() }

    /// Others have taken their place. Requests that wait for these hear from them still.
    func retire() { keys?.stop() }

    /// How often they were asked.
    var reports: [ProviderReport] {
        var reports = (keys?.counts ?? []).map {
            ProviderReport(kind: "keys", name: $0.issuer, succeeded: UInt64($0.succeeded), failed: UInt64($0.failed))
        }
        for counts in introspector?.counts ?? [] {
            reports.append(
                ProviderReport(
                    kind: "introspection", name: counts.name, succeeded: UInt64(counts.answered),
                    failed: UInt64(counts.failed)))
        }
        return reports
    }
}

extension ProviderReport {
    /// The counts of several lists, added up by kind and name: those of a configuration that was replaced go on counting.
    static func sum(_ lists: [ProviderReport]...) -> [ProviderReport] {
        var sums: [ProviderReport] = []
        for report in lists.joined() {
            if let place = sums.firstIndex(where: { $0.kind == report.kind && $0.name == report.name }) {
                sums[place] = ProviderReport(
                    kind: report.kind, name: report.name, succeeded: sums[place].succeeded + report.succeeded,
                    failed: sums[place].failed + report.failed)
            } else {
                sums.append(report)
            }
        }
        return sums
    }
}

/// How the shards learn which keys issuers elsewhere have.
extension Server {
    /// Those of a configuration; nothing is asked before `start`.
    func makeProviders(_ configuration: Configuration) throws(ServerError) -> Providers {
        var providers = Providers()
        if !configuration.remoteKeys.isEmpty {
            providers.keys = KeyWatch(
                configuration, folder: KeptKeys.folder(of: configuration),
                publish: { [weak self] watch, issuer, keys, done in
                    self?.publish(keys, of: issuer, from: watch, done)
                },
                report: { [weak self] event in self?.report(event) })
        }
        if !configuration.introspections.isEmpty {
            do throws(ProviderFailure) {
                providers.introspector = try Introspector(configuration.introspections) { [weak self] event in
                    self?.report(event)
                }
            } catch { throw ServerError(message: error.description) }
        }
        return providers
    }

    /// Tells every shard, and calls back when each has heard it. What comes from a watch that a reload has replaced is dropped: the
    /// issuer of that index may be another one now.
    private func publish(
        _ keys: [VerificationKey]?, of issuer: Int, from watch: KeyWatch?, _ done: @escaping @Sendable () -> Void
    ) {
        control.async { [self] in
            guard let watch, watch === providers.keys else { return done() }
            known.remoteKeys[issuer] = keys
            let issuers = known.issuers(configuration.issuers)
            ShardSurvey.ask(workers, { $0.replaceIssuers(issuers) }) { _ in done() }
        }
    }

    private func report(_ event: KeyWatch.Event) {
        switch event {
        case .failed(let issuer, let reason, let hasKeys, let wait):
            logger.error(
                "the keys of issuer \(issuer) cannot be fetched: \(reason)",
                metadata: ["kept": "\(hasKeys ? "the last good set" : "none")", "again_in": "\(wait) s"])
        case .recovered(let issuer): logger.notice("the keys of issuer \(issuer) can be fetched again")
        case .changed(let issuer, let count): logger.notice("issuer \(issuer) has \(count) keys now")
        case .stale(let issuer):
            logger.error(
                "the last good keys of issuer \(issuer) are too old: its tokens are refused with keys_unavailable")
        case .doubtful(let issuer, let reason): logger.warning("issuer \(issuer): \(reason)")
        case .notKept(let issuer, let reason):
            logger.warning("the keys of issuer \(issuer) are not kept over a restart: \(reason)")
        }
    }

    private func report(_ event: Introspector.Event) {
        switch event {
        case .failed(let name, let reason): logger.error("introspection \(name) cannot be asked: \(reason)")
        case .recovered(let name): logger.notice("introspection \(name) answers again")
        case .unusable(let name, let reason): logger.warning("introspection \(name): a token cannot be used: \(reason)")
        }
    }
}
