public import Configuration
public import JOSE

/// What one API key may do, on all routes together; nil: nothing is counted.
public struct KeyLimits: Sendable, Equatable {
    /// How fast its requests may come.
    public var rate: RateLimit?
    /// How many may come in a day or a month.
    public var quota: Quota?

    /// Limits.
    public init(rate: RateLimit? = nil, quota: Quota? = nil) {
        self.rate = rate
        self.quota = quota
    }
}

/// What is known of an API key; never the key itself. Times are seconds since 1970.
public struct KeyRecord: Sendable, Equatable {
    /// Its id, which is no secret.
    public var id: String
    /// The agent that it speaks for.
    public var agentID: String
    /// The user who owns the agent.
    public var ownerID: String
    /// What its owner calls it.
    public var name: String
    /// Its first characters, shown so that people can tell keys apart.
    public var prefix: String
    /// When it was made.
    public var createdAt: Int64
    /// From when on it is `api_key_expired`; nil: never.
    public var expiresAt: Int64?
    /// When it was revoked: whatever the value, it is `api_key_revoked` from now on.
    public var revokedAt: Int64?
    /// It was rotated and lives until then; afterwards it is `api_key_revoked`.
    public var graceUntil: Int64?
    /// SHA-256 of the key.
    public var digest: Digest256
    /// What it may do by itself.
    public var limits: KeyLimits

    /// A record.
    public init(
        id: String, agentID: String, ownerID: String, name: String = "", prefix: String = "", createdAt: Int64 = 0,
        expiresAt: Int64? = nil, revokedAt: Int64? = nil, graceUntil: Int64? = nil, digest: Digest256,
        limits: KeyLimits = KeyLimits()
    ) {
        self.id = id
        self.agentID = agentID
        self.ownerID = ownerID
        self.name = name
        self.prefix = prefix
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.revokedAt = revokedAt
        self.graceUntil = graceUntil
        self.digest = digest
        self.limits = limits
    }

    /// Whether it may be used at a time.
    public func standing(at now: Int64) -> KeyStanding {
        KeyStanding(expiresAt: expiresAt, revokedAt: revokedAt, graceUntil: graceUntil, now: now)
    }
}

/// Whether an API key may be used. A revocation counts before an expiry: it is what its owner has done.
public enum KeyStanding: Equatable, Sendable {
    /// It may.
    case active
    /// Its time is over.
    case expired(at: Int64)
    /// It was revoked, or rotated out of its grace.
    case revoked(at: Int64)

    init(expiresAt: Int64?, revokedAt: Int64?, graceUntil: Int64?, now: Int64) {
        // Another node's clock may be ahead of ours, and a revocation acts at once: its time is not compared.
        if let revokedAt {
            self = .revoked(at: revokedAt)
        } else if let graceUntil, now >= graceUntil {
            self = .revoked(at: graceUntil)
        } else if let expiresAt, now >= expiresAt {
            self = .expired(at: expiresAt)
        } else {
            self = .active
        }
    }
}
