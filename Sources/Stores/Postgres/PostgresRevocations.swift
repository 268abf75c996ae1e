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

    /// What stands in the log behind a place and still counts, and the place behind that: in one statement, so that it belongs to the rows.
    static func entries(
        after sequence: Int64, now: Int64, _ connection: PostgresConnection
    ) throws(PostgresFailure) -> (last: Int64, [Revocation]) {
        let rows = try connection.query(
            """
            SELECT value, kind, subject, moment, until
            FROM gatehouse.revocation_count LEFT JOIN gatehouse.revocations ON sequence > $1::bigint AND until > $2::bigint
            ORDER BY sequence
            """, ["\(sequence)", "\(now)"])
        guard let first = rows.first else { throw PostgresRow.unreadable }
        let entries = try rows.map { row throws(PostgresFailure) in try revocation(row) }
        return (try first.known(first.integer(0)), entries.compactMap(\.self))
    }

    /// Nil where nothing is joined, and for a kind that a newer version has added.
    private static func revocation(_ row: PostgresRow) throws(PostgresFailure) -> Revocation? {
        guard let kind = try row.integer(1) else { return nil }
        let entry = try RevocationEntry(
            kind: Int(kind), subject: row.known(row.text(2)), moment: row.integer(3), until: row.known(row.integer(4)))
        return entry.revocation
    }
}
