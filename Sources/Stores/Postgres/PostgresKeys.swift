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
        } catch { throw PostgresFailure("the limits of API key \(row.text(0) ?? "") cannot be read", state: "XX001") }
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
                let reading = try Self.reading(after: known, lent.connection)
                try check("key_changes", reading.table, lent)
                if known >= reading.whole, known <= reading.value {
                    return KeyChanges(counter: base + reading.value, records: reading.records, isWhole: false)
                }
            }
            let reading = try lent.connection.unhurried { () throws(PostgresFailure) in
                try Self.reading(after: -1, lent.connection)
            }
            try check("key_changes", reading.table, lent)
            return KeyChanges(counter: base + reading.value, records: reading.records, isWhole: true)
        }
    }

    /// Keys, and the row of their counter.
    private struct Reading {
        var value: Int64 = 0
        var whole: Int64 = 0
        var table: Int64 = 0
        var records: [KeyRecord] = []
    }

    /// In one statement, so that the counter belongs to the keys; they are taken one by one. No condition on keys but that on `changed`:
    /// else the index would not be used.
    private static func reading(
        after known: Int64, _ connection: PostgresConnection
    ) throws(PostgresFailure) -> Reading {
        var reading: Reading?
        let sql = """
            SELECT \(PostgresKeys.columns), value, whole, key_changes.tableoid::bigint
            FROM gatehouse.key_changes LEFT JOIN gatehouse.api_keys ON changed > $1::bigint
            WHERE \(PostgresSchema.countsKeys)
            """
        try connection.stream(sql, ["\(known)"]) { row throws(PostgresFailure) in
            if reading == nil {
                reading = try Reading(
                    value: row.known(row.integer(13)), whole: row.known(row.integer(14)),
                    table: row.known(row.integer(15)))
            }
            if row.text(0) != nil { reading?.records.append(try PostgresKeys.record(row)) }
        }
        guard let reading else { throw PostgresSchema.halfMade }
        return reading
    }

    /// The keys of one agent, or of all, oldest first.
    public func storedKeys(ofAgent agentID: String?) throws(StoreError) -> [StoredKey] {
        try read { connection throws(PostgresFailure) in
            let sql = """
                SELECT \(PostgresKeys.columns) FROM gatehouse.api_keys WHERE $1::text IS NULL OR agent_id = $1
                ORDER BY created_at, position
                """
            return try connection.unhurried { () throws(PostgresFailure) in
                try connection.query(sql, [agentID]).map(PostgresKeys.storedKey)
            }
        }
    }

    /// The key with this id.
    public func key(id: String) throws(StoreError) -> StoredKey? {
        try read { connection throws(PostgresFailure) in
            let sql = "SELECT \(PostgresKeys.columns) FROM gatehouse.api_keys WHERE id = $1"
            let found = try connection.query(sql, [id]).map(PostgresKeys.storedKey).first
            if found == nil { try PostgresSchema.requireWhole(connection) }
            return found
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

    /// Notes when keys were used, in one statement, which takes rows in an order that every process has.
    public func record(uses: [KeyUse]) throws(StoreError) {
        guard !uses.isEmpty else { return }
        _ = try write { connection throws(PostgresFailure) in
            try connection.query(
                """
                WITH given AS (
                    SELECT id, max(used) AS used FROM unnest($1::text[], $2::bigint[]) AS one (id, used) GROUP BY id
                ), locked AS (
                    SELECT api_keys.id, used FROM gatehouse.api_keys JOIN given ON given.id = api_keys.id
                    ORDER BY api_keys.id FOR NO KEY UPDATE OF api_keys
                )
                UPDATE gatehouse.api_keys SET last_used_at = used FROM locked
                WHERE api_keys.id = locked.id AND coalesce(last_used_at, 0) < used
                """,
                [
                    PostgresArray.text(uses.map { Optional($0.keyID) }),
                    PostgresArray.text(uses.map { Optional($0.usedAt) }),
                ])
        }
    }
}
