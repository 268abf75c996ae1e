public import Configuration
public import JOSE
internal import Synchronization

/// Keeps the keys of all issuers whose keys are fetched while the gateway runs.
public final class KeyWatch: Sendable {
    /// Something for the operator. No event holds key material.
    public enum Event: Sendable {
        /// A set could not be fetched or used; the last good one, if there is any, stays.
        case failed(issuer: String, reason: String, hasKeys: Bool, retryAfter: Int64)
        /// It is fetched again.
        case recovered(issuer: String)
        /// The set is another one.
        case changed(issuer: String, count: Int)
        /// The last good set is older than `stale`: nothing verifies any more.
        case stale(issuer: String)
        /// A key of the set was passed over, or looks wrong.
        case doubtful(issuer: String, reason: String)
        /// The set could not be kept on disk.
        case notKept(issuer: String, reason: String)
    }

    /// How an issuer's keys come to the shards.
    public typealias Publish =
        @Sendable (_ watch: KeyWatch?, _ issuer: Int, [VerificationKey]?, @escaping @Sendable () -> Void) -> Void

    private let sources: [Int: KeySource]
    private let place = Place()

    /// How its sources find the watch.
    private final class Place: Sendable {
        private struct Found { weak var watch: KeyWatch? }
        private let found = Mutex(Found())
        var watch: KeyWatch? { found.withLock { $0.watch } }
        func set(_ watch: KeyWatch) { found.withLock { $0.watch = watch } }
    }

    /// The sources of a configuration; `folder` is where sets are kept.
    public init(
        _ configuration: Configuration, folder: String, publish: @escaping Publish,
        report: @escaping @Sendable (Event) -> Void
    ) {
        var sources: [Int: KeySource] = [:]
        for definition in configuration.remoteKeys {
            let index = definition.issuerIndex
            sources[index] = KeySource(
                definition, issuer: configuration.issuers[index], folder: folder,
                hooks: KeySource.Hooks(
                    publish: { [place] keys, done in publish(place.watch, index, keys, done) }, report: report))
        }
        self.sources = sources
        place.set(self)
    }

    /// The keys that are known without asking, by the issuer's index: those that a former watch has of the same place, and those on
    /// disk. Before `start`; blocks.
    public func takeKept(of former: KeyWatch?) -> [Int: [VerificationKey]] {
        sources.compactMapValues { source in
            let old = former?.sources.values.first {
                $0.issuer.name == source.issuer.name && $0.definition.location == source.definition.location
            }
            return source.takeKept(of: old)
        }
    }

    /// Begins to fetch.
    public func start() { for source in sources.values { source.start() } }

    /// Ends.
    public func stop() { for source in sources.values { source.stop() } }

    /// A token needs a key of an issuer that is not known. False when nothing is fetched for it now; else the reply comes, on
    /// any queue, when that is over and the shards know.
    public func demand(issuer: Int, reply: @escaping @Sendable (Bool) -> Void) -> Bool {
        sources[issuer]?.demand(reply) ?? false
    }

    /// Fetches so far, by the issuer's name.
    public var counts: [(issuer: String, succeeded: Int, failed: Int)] {
        sources.sorted { $0.key < $1.key }.map { _, source in
            let counts = source.counts
            return (source.issuer.name, counts.succeeded, counts.failed)
        }
    }
}
