internal import JOSE
public import Policy

/// What owners and operators do with API keys, over HTTP and on the command line alike. Blocks: not for a shard's queue.
///
/// `now` is unix seconds throughout. Where `agentID` may be given, a key of another agent is treated as unknown.
public struct KeyService: Sendable {
    /// How long a rotated key lives on when nobody says otherwise, in seconds.
    public static let defaultGrace: Int64 = 3_600
    /// The longest grace, in seconds: a year. A key that is to live longer was not to be rotated.
    public static let longestGrace: Int64 = 365 * 86_400

    private let store: any Store
    private let prefix: String

    /// A service on `store` whose new keys start with `prefix`.
    public init(store: any Store, prefix: String) {
        self.store = store
        self.prefix = prefix
    }

    /// Makes a key for an agent. The object returned is the only one that holds the key itself.
    public func create(
        agentID: String, ownerID: String, name: String, expiresAt: Int64?, limits: KeyLimits = KeyLimits(), now: Int64
    ) throws(KeyServiceError) -> KeyObject {
        try KeyFields.check(agentID: agentID, ownerID: ownerID, name: name)
        if let expiresAt, expiresAt <= now {
            throw .invalid(field: "expiresAt", reason: "is not in the future")
        }
        let (record, secret) = make(
            agentID: agentID, ownerID: ownerID, name: name, expiresAt: expiresAt, limits: limits, now: now)
        do { try store.create(record) } catch { throw .store(error) }
        return KeyObject(StoredKey(record: record, lastUsedAt: nil), now: now, key: secret)
    }

    /// The keys of one agent, or of all, oldest first.
    public func list(agentID: String?, now: Int64) throws(KeyServiceError) -> [KeyObject] {
        do {
            let keys = try store.storedKeys(ofAgent: agentID)
            let subjects = agentID == nil ? nil : keys.map { UsageTable.subject(ofKey: $0.record.id) }
            let usages = try store.usages(scope: UsageTable.keyScope, subjects: subjects, now: now)
            let counts = Dictionary(grouping: usages, by: \.key.subject)
            return keys.map { stored in
                var key = KeyObject(stored, now: now)
                for usage in counts[UsageTable.subject(ofKey: key.id)] ?? [] { key.count(usage) }
                return key
            }
        } catch { throw .store(error) }
    }

    /// Replaces a key by a new one with the same agent, owner, name, expiry and limits; the old one works for `grace` more seconds.
    public func rotate(id: String, agentID: String? = nil, grace: Int64, now: Int64) throws(KeyServiceError)
        -> KeyObject
    {
        guard (0...Self.longestGrace).contains(grace) else {
            throw .invalid(field: "graceSeconds", reason: "is not between 0 and \(Self.longestGrace)")
        }
        let old = try living(id: id, agentID: agentID, now: now)
        let (successor, secret) = make(
            agentID: old.agentID, ownerID: old.ownerID, name: old.name, expiresAt: old.expiresAt,
            limits: old.limits, now: now)
        let end = grace == 0 ? nil : now + grace
        let isRotated: Bool
        do {
            isRotated = try store.rotate(id: id, to: successor, graceUntil: end, now: now)
        } catch { throw .store(error) }
        guard isRotated else {
            _ = try living(id: id, agentID: agentID, now: now)  // says what somebody else did to it meanwhile
            throw .unknownKey(id: id)
        }
        return KeyObject(StoredKey(record: successor, lastUsedAt: nil), now: now, key: secret)
    }

    /// Revokes a key; one that is revoked already stays so, since when it was.
    public func revoke(id: String, agentID: String? = nil, now: Int64) throws(KeyServiceError) {
        _ = try find(id: id, agentID: agentID)
        let isKnown: Bool
        do { isKnown = try store.revoke(id: id, at: now) } catch { throw .store(error) }
        guard isKnown else { throw .unknownKey(id: id) }
    }

    private func make(
        agentID: String, ownerID: String, name: String, expiresAt: Int64?, limits: KeyLimits, now: Int64
    ) -> (record: KeyRecord, secret: String) {
        let (secret, digest) = APIKey.make(prefix: prefix)
        let record = KeyRecord(
            id: Identifier.uuid(), agentID: agentID, ownerID: ownerID, name: name,
            prefix: APIKey.shownPrefix(of: secret, prefix: prefix), createdAt: now, expiresAt: expiresAt,
            revokedAt: nil, graceUntil: nil, digest: digest, limits: limits)
        return (record, secret)
    }

    private func find(id: String, agentID: String?) throws(KeyServiceError) -> KeyRecord {
        let stored: StoredKey?
        do { stored = try store.key(id: id) } catch { throw .store(error) }
        guard let record = stored?.record, agentID == nil || record.agentID == agentID else {
            throw .unknownKey(id: id)
        }
        return record
    }

    private func living(id: String, agentID: String?, now: Int64) throws(KeyServiceError) -> KeyRecord {
        let record = try find(id: id, agentID: agentID)
        if let time = record.revokedAt { throw .revoked(id: id, at: time) }
        if let end = record.graceUntil { throw end <= now ? .revoked(id: id, at: end) : .rotated(id: id, until: end) }
        if let end = record.expiresAt, end <= now { throw .expired(id: id, at: end) }
        return record
    }
}
