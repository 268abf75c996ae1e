internal import Configuration
internal import Foundation
internal import GRDB
internal import Identity
internal import JOSE
internal import Policy

/// A row of `api_keys` and the record that it holds.
enum KeyRow {
    static let columns = """
        id, agent_id, owner_id, name, prefix, digest, created_at, expires_at, revoked_at, grace_until, last_used_at,
        rate_limit, quota
        """

    static func record(_ row: Row) throws -> KeyRecord {
        let bytes = [UInt8](row["digest"] as Data)
        guard let digest = Digest256(bytes.span) else { throw DatabaseError(resultCode: .SQLITE_CORRUPT) }
        return KeyRecord(
            id: row["id"], agentID: row["agent_id"], ownerID: row["owner_id"], name: row["name"], prefix: row["prefix"],
            createdAt: row["created_at"], expiresAt: row["expires_at"], revokedAt: row["revoked_at"],
            graceUntil: row["grace_until"], digest: digest, limits: try limits(row))
    }

    /// A limit that cannot be read is none that may be ignored.
    private static func limits(_ row: Row) throws -> KeyLimits {
        let rate: String? = row["rate_limit"]
        let quota: String? = row["quota"]
        return KeyLimits(
            rate: try rate.map { try RateLimit(text: $0) }, quota: try quota.map { try Quota(text: $0) })
    }

    static func storedKey(_ row: Row) throws -> StoredKey {
        StoredKey(record: try record(row), lastUsedAt: row["last_used_at"])
    }

    static func insert(_ key: KeyRecord, into database: Database) throws {
        try database.execute(
            sql: """
                INSERT INTO api_keys (id, agent_id, owner_id, name, prefix, digest, created_at, expires_at, revoked_at, grace_until,
                    rate_limit, quota)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                key.id, key.agentID, key.ownerID, key.name, key.prefix, Data(key.digest.bytes), key.createdAt,
                key.expiresAt, key.revokedAt, key.graceUntil, key.limits.rate?.text, key.limits.quota?.text,
            ])
    }
}
