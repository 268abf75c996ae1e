internal import Configuration
internal import Foundation
public import Identity
internal import JOSE
public import Policy

/// Rows of `api_keys` and the records that they hold.
enum PostgresKeys {
    static let columns = """
        id, agent_id, owner_id, name, prefix, encode(digest, 'base64'), created_at, expires_at, revoked_at, grace_until, rate_limit,
        quota, last_used_at
        """

    static func record(_ row: PostgresRow) throws(PostgresFailure) -> KeyRecord {
        let bytes = row.text(5).flatMap { Data(base64Encoded: $0) } ?? Data()
        guard let digest = Digest256([UInt8](bytes).span) else { throw PostgresRow.unreadable }
        return try KeyRecord(
            id: row.known(row.text(0)), agentID: row.known(row.text(1)), ownerID: row.known(row.text(2)),
            name: row.known(row.text(3)), prefix: row.known(row.text(4)), createdAt: row.known(row.integer(6)),
            expiresAt: row.integer(7), revokedAt: row.integer(8), graceUntil: row.integer(9), digest: digest,
            limits: limits(row))
    }

    /// A limit that cannot be read is none that may be ignored.
    private static func limits(_ row: PostgresRow) throws(PostgresFailure) -> KeyLimits {
        do {
            return KeyLimits(
                rate: try row.text(10).map { try RateLimit(text: $0) },
                quota: try row.text(11).map { try Quota(text: $0) })
        } catch { throw PostgresRow.unreadable }
    }

    static func storedKey(_ row: PostgresRow) throws(PostgresFailure) -> StoredKey {
        StoredKey(record: try record(row), lastUsedAt: try row.integer(12))
    }

    static func insert(_ key: KeyRecord, into connection: PostgresConnection) throws(PostgresFailure) {
        try connection.query(
            """
            INSERT INTO gatehouse.api_keys (id, agent_id, owner_id, name, prefix, digest, created_at, expires_at, revoked_at,
                grace_until, rate_limit, quota)
            VALUES ($1, $2, $3, $4, $5, decode($6, 'base64'), $7::bigint, $8::bigint, $9::bigint, $10::bigint, $11, $12)
            """,
            [
                key.id, key.agentID, key.ownerID, key.name, key.prefix, Data(key.digest.bytes).base64EncodedString(),
                "\(key.createdAt)",
                key.expiresAt.map(String.init), key.revokedAt.map(String.init), key.graceUntil.map(String.init),
                key.limits.rate?.text, key.limits.quota?.text,
            ])
    }
}

/// API keys.
extension PostgresStore {
    /// The keys that changed behind a reading of the counter; all of them in another database or in one that was set back, and when one
    /// was deleted.
    public func keys(after counter: Int64) throws(StoreError) -> KeyChanges {
        try lent { lent throws(PostgresFailure) in
            let base = lent.generation << Self.generationShift
            let known = counter - base
            if known >= 0 {
                let (value, whole, records) = try Self.keys(after: known, lent.connection)
                if known >= whole, known <= value {
                    return KeyChanges(counter: base + value, records: records, isWhole: false)
                }
            }
            let (value, _, records) = try Self.keys(after: -1, lent.connection)
            return KeyChanges(counter: base + value, records: records, isWhole: true)
        }
    }

    /// In one statement, so that the reading belongs to the rows; they are taken one by one. No condition but that on `changed`: else the
    /// index would not be used.
    private static func keys(
        after known: Int64, _ connection: PostgresConnection
    ) throws(PostgresFailure) -> (value: Int64, whole: Int64, [KeyRecord]) {
        var reading: (value: Int64, whole: Int64)?
        var records: [KeyRecord] = []
        let sql = """
            SELECT \(PostgresKeys.columns), value, whole
            FROM gatehouse.key_changes LEFT JOIN gatehouse.api_keys ON changed > $1::bigint
            """
        try connection.stream(sql, ["\(known)"]) { row throws(PostgresFailure) in
            if reading == nil { reading = (try row.known(row.integer(13)), try row.known(row.integer(14))) }
            if row.text(0) != nil { records.append(try PostgresKeys.record(row)) }
        }
        guard let reading else { throw PostgresRow.unreadable }
        return (reading.value, reading.whole, records)
    }

    /// The keys of one agent, or of all, oldest first.
    public func storedKeys(ofAgent agentID: String?) throws(StoreError) -> [StoredKey] {
        try read { connection throws(PostgresFailure) in
            let sql = """
                SELECT \(PostgresKeys.columns) FROM gatehouse.api_keys WHERE $1::text IS NULL OR agent_id = $1
                ORDER BY created_at, position
                """
            return try connection.query(sql, [agentID]).map(PostgresKeys.storedKey)
        }
    }

    /// The key with this id.
    public func key(id: String) throws(StoreError) -> StoredKey? {
        try read { connection throws(PostgresFailure) in
            let sql = "SELECT \(PostgresKeys.columns) FROM gatehouse.api_keys WHERE id = $1"
            return try connection.query(sql, [id]).map(PostgresKeys.storedKey).first
        }
    }

    /// Adds a key.
    public func create(_ key: KeyRecord) throws(StoreError) {
        try write { connection throws(PostgresFailure) in try PostgresKeys.insert(key, into: connection) }
    }

    /// Adds `successor` and ends the key `id`, if that is neither revoked nor rotated.
    public func rotate(id: String, to successor: KeyRecord, graceUntil: Int64?, now: Int64) throws(StoreError) -> Bool {
        try write { connection throws(PostgresFailure) in
            let changed = try connection.query(
                """
                UPDATE gatehouse.api_keys SET grace_until = $2::bigint, successor_id = $4,
                    revoked_at = CASE WHEN $2::bigint IS NULL THEN $3::bigint END
                WHERE id = $1 AND revoked_at IS NULL AND grace_until IS NULL
                """, [id, graceUntil.map(String.init), "\(now)", successor.id])
            guard changed.affected == 1 else { return false }
            try PostgresKeys.insert(successor, into: connection)
            return true
        }
    }

    /// Revokes the key as of `time` unless it was revoked before.
    public func revoke(id: String, at time: Int64) throws(StoreError) -> Bool {
        try write { connection throws(PostgresFailure) in
            // A key whose grace is over has been dead since then.
            let sql = """
                UPDATE gatehouse.api_keys SET revoked_at = least($1::bigint, grace_until) WHERE id = $2 AND revoked_at IS NULL
                """
            if try connection.query(sql, ["\(time)", id]).affected == 1 { return true }
            return try connection.query("SELECT 1 FROM gatehouse.api_keys WHERE id = $1", [id]).count == 1
        }
    }

    /// Notes when keys were used, all of them in one transaction, in an order that every process has.
    public func record(uses: [KeyUse]) throws(StoreError) {
        let sorted = uses.sorted { $0.keyID < $1.keyID }
        try write { connection throws(PostgresFailure) in
            for use in sorted {
                try connection.query(
                    """
                    UPDATE gatehouse.api_keys SET last_used_at = $1::bigint WHERE id = $2 AND coalesce(last_used_at, 0) < $1::bigint
                    """, ["\(use.usedAt)", use.keyID])
            }
        }
    }
}
