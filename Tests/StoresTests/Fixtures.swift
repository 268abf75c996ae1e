import Identity
import JOSE
import Policy

/// Keys as a test needs them.
enum Fixtures {
    static func key(
        _ id: String, agent: String = "agent-1", createdAt: Int64 = 1_000, expiresAt: Int64? = nil,
        revokedAt: Int64? = nil
    ) -> KeyRecord {
        KeyRecord(
            id: id, agentID: agent, ownerID: "user-1", name: "key \(id)", prefix: "rk_abcde", createdAt: createdAt,
            expiresAt: expiresAt, revokedAt: revokedAt, graceUntil: nil, digest: APIKey.digest(of: "rk_secret-\(id)"))
    }
}
