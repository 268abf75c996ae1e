internal import Configuration
internal import HTTP
public import JOSE
public import Policy

/// An API key as its owner sees it, in the contract's words.
public struct KeyObject: Sendable {
    /// The key's id.
    public let id: String
    /// The agent that the key speaks for.
    public let agentID: String
    /// The user who owns the agent.
    public let ownerID: String
    /// What its owner calls it.
    public let name: String
    /// How the key starts: enough to recognise it by, too little to use it.
    public let prefix: String
    /// Unix seconds.
    public let createdAt: Int64
    /// Unix seconds at which it stops working by itself: its expiry, or the end of its grace when it was rotated.
    public let expiresAt: Int64?
    /// Unix seconds.
    public let lastUsedAt: Int64?
    /// Unix seconds at which it was revoked or its grace ended; `nil` while it works or has merely expired.
    public let revokedAt: Int64?
    /// What the key may do by itself.
    public let limits: KeyLimits
    /// Requests with the key since midnight (UTC).
    public private(set) var usedToday: Int64 = 0
    /// Requests with the key since the month began (UTC).
    public private(set) var usedThisMonth: Int64 = 0
    /// The key itself, in the one object that answers its making.
    public let key: String?

    /// The object for `stored` as of `now`, with the key itself when it has just been made.
    public init(_ stored: StoredKey, now: Int64, key: String? = nil) {
        let record = stored.record
        id = record.id
        agentID = record.agentID
        ownerID = record.ownerID
        name = record.name
        prefix = record.prefix
        createdAt = record.createdAt
        lastUsedAt = stored.lastUsedAt
        limits = record.limits
        self.key = key
        if let end = record.graceUntil {
            expiresAt = min(end, record.expiresAt ?? end)
            revokedAt = record.revokedAt ?? (end <= now ? end : nil)
        } else {
            expiresAt = record.expiresAt
            revokedAt = record.revokedAt
        }
    }

    /// Notes what was counted of its use in the present day or month.
    mutating func count(_ usage: Usage) {
        if usage.key.end - usage.key.start == 86_400 {
            usedToday += usage.count
        } else {
            usedThisMonth += usage.count
        }
    }

    /// The contract's members in its order; behind them, for a key with limits of its own, these and its use; and `key`, when it
    /// is known.
    public var json: JSONObject {
        func time(_ seconds: Int64?) -> JSONValue {
            seconds.map { .string(HTTPDate.iso8601($0)) } ?? .null
        }
        var object: JSONObject = [
            "id": .string(id), "name": .string(name), "prefix": .string(prefix), "createdAt": time(createdAt),
            "expiresAt": time(expiresAt), "lastUsedAt": time(lastUsedAt), "revokedAt": time(revokedAt),
        ]
        if let rate = limits.rate { object["rateLimit"] = .string(rate.text) }
        if let quota = limits.quota { object["quota"] = .string(quota.text) }
        if limits != KeyLimits() {
            object["usedToday"] = .integer(usedToday)
            object["usedThisMonth"] = .integer(usedThisMonth)
        }
        if let key { object["key"] = .string(key) }
        return object
    }
}
