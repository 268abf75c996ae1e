internal import GRDB
internal import Identity
internal import Policy

/// A row of the log of revocations.
enum RevocationRow {
    static func append(_ revocation: Revocation, now: Int64, to database: Database) throws {
        let entry = RevocationEntry(revocation, now: now)
        if case .userEnabled(let id) = revocation {
            try database.execute(
                sql: "DELETE FROM revocations WHERE kind = ? AND subject = ?",
                arguments: [RevocationEntry.userDisabled, id])
        }
        try database.execute(
            sql: "INSERT INTO revocations (kind, subject, moment, until) VALUES (?, ?, ?, ?)",
            arguments: [entry.kind, entry.subject, entry.moment, entry.until])
    }

    /// The entry of a row; nil for a kind that a newer version has added.
    static func revocation(_ row: Row) -> Revocation? {
        RevocationEntry(kind: row["kind"], subject: row["subject"], moment: row["moment"], until: row["until"])
            .revocation
    }
}
