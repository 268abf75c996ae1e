public import Identity

/// Counts of requests.
extension PostgresStore {
    private static let columns = "scope, subject, starts_at, ends_at, count"

    private static func usage(_ row: PostgresRow) throws(PostgresFailure) -> Usage {
        let key = try UsageKey(
            scope: row.known(row.text(0)), subject: row.known(row.text(1)), start: row.known(row.integer(2)),
            end: row.known(row.integer(3)))
        return Usage(key: key, count: try row.known(row.integer(4)))
    }

    /// Every count whose period is not over.
    public func usages(now: Int64) throws(StoreError) -> [Usage] {
        try read { connection throws(PostgresFailure) in
            let sql = "SELECT \(Self.columns) FROM gatehouse.usage WHERE ends_at > $1::bigint LIMIT $2::bigint"
            return try connection.unhurried { () throws(PostgresFailure) in
                try connection.query(sql, ["\(now)", "\(UsageTable.countersAtMost)"]).map(Self.usage)
            }
        }
    }

    /// Adds to counts, in one statement, which takes rows in an order that every process has; gives what they are now.
    @discardableResult
    public func add(_ usages: [Usage]) throws(StoreError) -> [Int64] {
        guard !usages.isEmpty else { return [] }
        return try write { connection throws(PostgresFailure) in
            let rows = try connection.query(
                """
                WITH given AS (
                    SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
                        WITH ORDINALITY AS one (\(Self.columns), place)
                ), added AS (
                    INSERT INTO gatehouse.usage AS known (\(Self.columns))
                    SELECT scope, subject, starts_at, ends_at, sum(count)::bigint FROM given
                    GROUP BY scope, subject, starts_at, ends_at ORDER BY scope, subject, starts_at, ends_at
                    ON CONFLICT (scope, subject, starts_at, ends_at) DO UPDATE SET count = known.count + excluded.count
                    RETURNING *
                )
                SELECT added.count FROM given JOIN added USING (scope, subject, starts_at, ends_at) ORDER BY place
                """,
                [
                    PostgresArray.text(usages.map { Optional($0.key.scope) }),
                    PostgresArray.text(usages.map { Optional($0.key.subject) }),
                    PostgresArray.text(usages.map { Optional($0.key.start) }),
                    PostgresArray.text(usages.map { Optional($0.key.end) }),
                    PostgresArray.text(usages.map { Optional($0.count) }),
                ])
            return try rows.map { row throws(PostgresFailure) in try row.known(row.integer(0)) }
        }
    }

    /// What was counted for subjects of a scope, nil: for all.
    public func usages(scope: String, subjects: [String]?, now: Int64) throws(StoreError) -> [Usage] {
        try read { connection throws(PostgresFailure) in
            let sql = """
                SELECT \(Self.columns) FROM gatehouse.usage
                WHERE scope = $1 AND ends_at > $2::bigint AND ($3::text[] IS NULL OR subject = ANY ($3::text[]))
                """
            let names = subjects.map { PostgresArray.text($0.map(Optional.some)) }
            return try connection.query(sql, [scope, "\(now)", names]).map(Self.usage)
        }
    }
}
