internal import GRDB
public import Identity

/// Counts of requests.
extension SQLiteStore {
    /// Every count whose period is not over.
    public func usages(now: Int64) throws(StoreError) -> [Usage] {
        try read { database in
            let sql = "SELECT * FROM usage WHERE ends_at > ? LIMIT ?"
            return try Row.fetchAll(database, sql: sql, arguments: [now, UsageTable.countersAtMost])
                .map(Self.usage)
        }
    }

    /// Adds to counts; gives what they are now.
    @discardableResult
    public func add(_ usages: [Usage]) throws(StoreError) -> [Int64] {
        guard !usages.isEmpty else { return [] }
        return try write { database in
            let statement = try database.cachedStatement(
                sql: """
                    INSERT INTO usage (scope, subject, starts_at, ends_at, count) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET count = count + excluded.count RETURNING count
                    """)
            return try usages.map { usage in
                let key = usage.key
                return try Int64.fetchOne(
                    statement, arguments: [key.scope, key.subject, key.start, key.end, usage.count]) ?? 0
            }
        }
    }

    /// What was counted for subjects of a scope, nil: for all.
    public func usages(scope: String, subjects: [String]?, now: Int64) throws(StoreError) -> [Usage] {
        try read { database in
            guard let subjects else {
                let sql = "SELECT * FROM usage WHERE scope = ? AND ends_at > ?"
                return try Row.fetchAll(database, sql: sql, arguments: [scope, now]).map(Self.usage)
            }
            return try subjects.flatMap { subject in
                let sql = "SELECT * FROM usage WHERE scope = ? AND subject = ? AND ends_at > ?"
                return try Row.fetchAll(database, sql: sql, arguments: [scope, subject, now]).map(Self.usage)
            }
        }
    }

    private static func usage(_ row: Row) -> Usage {
        let key = UsageKey(
            scope: row["scope"], subject: row["subject"], start: row["starts_at"], end: row["ends_at"])
        return Usage(key: key, count: row["count"])
    }
}
