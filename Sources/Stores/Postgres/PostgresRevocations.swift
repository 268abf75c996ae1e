internal import Identity
internal import Policy

/// Rows of the log of revocations.
enum PostgresRevocations {
    /// Adds an entry; the schema gives it its place.
    static func append(
        _ revocation: Revocation, now: Int64, to connection: PostgresConnection
    ) throws(PostgresFailure) {
        let entry = RevocationEntry(revocation, now: now)
        if case .userEnabled(let id) = revocation {
            try connection.query(
                "DELETE FROM gatehouse.revocations WHERE kind = $1::integer AND subject = $2",
                ["\(RevocationEntry.userDisabled)", id])
        }
        try connection.query(
            """
            INSERT INTO gatehouse.revocations (kind, subject, moment, until)
            VALUES ($1::integer, $2, $3::bigint, $4::bigint)
            """, ["\(entry.kind)", entry.subject, entry.moment.map(String.init), "\(entry.until)"])
    }

    /// The entry in a row of `revocations(after:now:)`; nil where nothing is joined, and for a kind that a newer version has added.
    static func revocation(_ row: PostgresRow) throws(PostgresFailure) -> Revocation? {
        guard let kind = try row.integer(1) else { return nil }
        let entry = try RevocationEntry(
            kind: Int(kind), subject: row.known(row.text(2)), moment: row.integer(3), until: row.known(row.integer(4)))
        return entry.revocation
    }
}
