public import Configuration
public import JOSE

/// Asks issuers about opaque tokens (RFC 7662): the blocks of a configuration one after the other.
///
/// Nothing is guessed: an endpoint that cannot be asked, or answers what is no answer, decides nothing. It serves whoever holds
/// it, also after a reload has brought another one.
public final class Introspector: Sendable {
    /// What is known of a token.
    public enum Finding: Sendable {
        /// Its issuer vouches for it until `until`, in unix seconds: then it is asked again. `weight` is about how many bytes the
        /// claims take.
        case active(VerifiedClaims, until: Int64, weight: Int)
        /// It was good until its `exp`, or names nobody.
        case failed(TokenFailure)
        /// Nobody knows it.
        case inactive
        /// The endpoint of this block could not be asked.
        case unavailable(name: String)
    }

    /// Where a finding goes, on any queue.
    public typealias Reply = @Sendable (Finding) -> Void

    /// Something for the operator. No event holds a part of a token.
    public enum Event: Sendable {
        /// A token could not be asked about, the first time since one could.
        case failed(name: String, reason: String)
        /// Tokens can be asked about again.
        case recovered(name: String)
        /// A valid token named no user that may be told to an upstream.
        case unusable(name: String, reason: String)
    }

    private let endpoints: [IntrospectionEndpoint]

    /// An introspector for the blocks of a configuration, at least one.
    public init(_ blocks: [Introspection], report: @escaping @Sendable (Event) -> Void) throws(ProviderFailure) {
        var endpoints: [IntrospectionEndpoint] = []
        for block in blocks { endpoints.append(try IntrospectionEndpoint(block, report: report)) }
        self.endpoints = endpoints
    }

    /// Look-ups so far that were answered, and that failed, by the block's name.
    public var counts: [(name: String, answered: Int, failed: Int)] {
        endpoints.map { ($0.definition.name, $0.counts.answered, $0.counts.failed) }
    }

    /// Finds out about a token. `now` is in unix seconds; `client` tells those apart who ask, so that none takes all places.
    public func look(_ token: [UInt8], client: UInt64, now: Int64, reply: @escaping Reply) {
        look(token, at: 0, client, now, unavailable: nil, reply)
    }

    /// The first block that knows the token decides. One that cannot be asked might have.
    private func look(
        _ token: [UInt8], at index: Int, _ client: UInt64, _ now: Int64, unavailable: String?, _ reply: @escaping Reply
    ) {
        guard index < endpoints.count else {
            return reply(unavailable.map { .unavailable(name: $0) } ?? .inactive)
        }
        endpoints[index].look(token, client: client, now: now) { [self] finding in
            switch finding {
            case .active, .failed: reply(finding)
            case .inactive: look(token, at: index + 1, client, now, unavailable: unavailable, reply)
            case .unavailable(let name):
                look(token, at: index + 1, client, now, unavailable: unavailable ?? name, reply)
            }
        }
    }
}
