internal import Identity
internal import Policy

/// Rows of the log of revocations.
enum PostgresRevocations {
    /// Adds entries, in one statement however many they are: who holds the log's lock holds up every other log-out.
    static func append(
        _ revocations: [Revocation], now: Int64, to connection: PostgresConnection
    ) throws(PostgresFailure) {
        for case .userEnabled(let id) in revocations {
            try connection.query(
                "DELETE FROM gatehouse.revocations WHERE kind = $1::integer AND subject = $2",
                ["\(RevocationEntry.userDisabled)", id])
        }
        try append(revocations.map { RevocationEntry($0, now: now) }, to: connection)
    }

    /// Adds rows as they are.
    static func append(_ entries: [RevocationEntry], to connection: PostgresConnection) throws(PostgresFailure) {
        guard !entries.isEmpty else { return }
        let added = try connection.query(
            """
            WITH counted AS (UPDATE gatehouse.revocation_count SET value = value + $1::bigint RETURNING value)
            INSERT INTO gatehouse.revocations (sequence, kind, subject, moment, until)
            SELECT value - $1::bigint + place, kind, subject, moment, until
            FROM counted, unnest($2::integer[], $3::text[], $4::bigint[], $5::bigint[])
                WITH ORDINALITY AS given (kind, subject, moment, until, place)
            """,
            [
                "\(entries.count)", PostgresArray.text(entries.map { Int64($0.kind) }),
                PostgresArray.text(entries.map { Optional($0.subject) }), PostgresArray.text(entries.map(\.moment)),
                PostgresArray.text(entries.map { Optional($0.until) }),
            ])
        // Without the row that counts, none was.
        guard added.affected == entries.count else { throw PostgresSchema.halfMade }
    }

    /// What stands in the log behind a place and still counts, the place behind that, and the number of the table that counts: in one
    /// statement, so that they belong together.
    static func log(
        after sequence: Int64, now: Int64, _ connection: PostgresConnection
    ) throws(PostgresFailure) -> (last: Int64, table: Int64, entries: [Revocation]) {
        let rows = try connection.query(
            """
            SELECT value, kind, subject, moment, until, revocation_count.tableoid::bigint
            FROM gatehouse.revocation_count LEFT JOIN gatehouse.revocations ON sequence > $1::bigint AND until > $2::bigint
            WHERE \(PostgresSchema.countsRevocations) ORDER BY sequence
            """, ["\(sequence)", "\(now)"])
        guard let first = rows.first else { throw PostgresSchema.halfMade }
        let entries = try rows.map { row throws(PostgresFailure) in try revocation(row) }
        return (try first.known(first.integer(0)), try first.known(first.integer(5)), entries.compactMap(\.self))
    }

    /// Nil where nothing is joined, and for a kind that a newer version has added.
    private static func revocation(_ row: PostgresRow) throws(PostgresFailure) -> Revocation? {
        guard let kind = try row.integer(1) else { return nil }
        let entry = try RevocationEntry(
            kind: Int(kind), subject: row.known(row.text(2)), moment: row.integer(3), until: row.known(row.integer(4)))
        return entry.revocation
    }
}
