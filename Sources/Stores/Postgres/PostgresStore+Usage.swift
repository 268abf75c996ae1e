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
            return try connection.query(sql, ["\(now)", "\(UsageTable.countersAtMost)"]).map(Self.usage)
        }
    }

    /// Adds to counts; gives what they are now. Rows are taken in an order that every process has.
    @discardableResult
    public func add(_ usages: [Usage]) throws(StoreError) -> [Int64] {
        guard !usages.isEmpty else { return [] }
        let order = usages.indices.sorted {
            let (left, right) = (usages[$0].key, usages[$1].key)
            return (left.scope, left.subject, left.start, left.end) < (
                right.scope, right.subject, right.start, right.end
            )
        }
        return try write { connection throws(PostgresFailure) in
            var totals = [Int64](repeating: 0, count: usages.count)
            for index in order {
                let key = usages[index].key
                let row = try connection.query(
                    """
                    INSERT INTO gatehouse.usage AS known (\(Self.columns)) VALUES ($1, $2, $3::bigint, $4::bigint, $5::bigint)
                    ON CONFLICT (scope, subject, starts_at, ends_at) DO UPDATE SET count = known.count + excluded.count
                    RETURNING count
                    """, [key.scope, key.subject, "\(key.start)", "\(key.end)", "\(usages[index].count)"]
                ).first
                totals[index] = try row?.integer(0) ?? 0
            }
            return totals
        }
    }

    /// What was counted for subjects of a scope, nil: for all.
    public func usages(scope: String, subjects: [String]?, now: Int64) throws(StoreError) -> [Usage] {
        try read { connection throws(PostgresFailure) in
            let sql = "SELECT \(Self.columns) FROM gatehouse.usage WHERE scope = $1 AND ends_at > $2::bigint"
            guard let subjects else { return try connection.query(sql, [scope, "\(now)"]).map(Self.usage) }
            var found: [Usage] = []
            for subject in subjects {
                found += try connection.query(sql + " AND subject = $3", [scope, "\(now)", subject]).map(Self.usage)
            }
            return found
        }
    }
}
