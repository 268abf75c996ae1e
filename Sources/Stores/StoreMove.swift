internal import Foundation
internal import GRDB
public import Identity

/// Takes all that a SQLite store keeps over into an empty PostgreSQL store, or nothing.
public enum StoreMove {
    /// A table, and what moves of a row. Places in logs and readings of counters are the new store's own.
    private struct Table {
        let name: String
        let columns: [String]
        var order = "rowid"
    }

    /// In an order in which each row finds what it refers to.
    private static let tables = [
        Table(
            name: "users",
            columns: [
                "id", "email", "first_name", "last_name", "password_hash", "password_version", "created_at",
                "disabled_at",
                "password_changed_at",
            ]),
        Table(name: "sessions", columns: ["id", "user_id", "created_at", "expires_at", "revoked_at"]),
        Table(
            name: "refresh_tokens",
            columns: ["id", "access_id", "session_id", "issued_at", "expires_at", "spent_at_ms", "successor_id"]),
        Table(
            name: "api_keys",
            columns: [
                "id", "agent_id", "owner_id", "name", "prefix", "digest", "created_at", "expires_at", "revoked_at",
                "grace_until", "successor_id", "last_used_at", "rate_limit", "quota",
            ]),
        Table(name: "revocations", columns: ["kind", "subject", "moment", "until"], order: "sequence"),
        Table(name: "usage", columns: ["scope", "subject", "starts_at", "ends_at", "count"], order: "scope, subject"),
    ]

    /// Rows in one statement: 500 of the widest table are 7,000 parameters, of 65,535 that the protocol can number.
    private static let rowsAtOnce = 500

    /// Copies; how many rows each table had. Throws, and leaves nothing behind, unless `new` is empty.
    public static func copy(
        _ old: SQLiteStore, to new: PostgresStore
    ) throws(StoreError) -> [(table: String, count: Int)] {
        // A key that cannot be read would keep every gateway from starting.
        _ = try old.keys()
        var counts: [(table: String, count: Int)] = []
        try old.snapshot { database throws(StoreError) in
            try new.write { connection throws(PostgresFailure) in
                counts = []
                for table in tables {
                    guard try connection.query("SELECT 1 FROM gatehouse.\(table.name) LIMIT 1").count == 0 else {
                        throw PostgresFailure(
                            "there is something in it already, and only an empty store takes another's place")
                    }
                }
                for table in tables {
                    counts.append((table.name, try copy(table, from: database, to: connection, old.path)))
                }
            }
        }
        return counts
    }

    private static func copy(
        _ table: Table, from database: Database, to connection: PostgresConnection, _ path: String
    ) throws(PostgresFailure) -> Int {
        let columns = table.columns.joined(separator: ", ")
        var count = 0
        var waiting: [String?] = []
        func send() throws(PostgresFailure) {
            guard !waiting.isEmpty else { return }
            let width = table.columns.count
            let firsts = stride(from: 0, to: waiting.count, by: width)
            if table.name == "revocations" {
                try PostgresRevocations.append(firsts.map { entry(waiting[$0..<$0 + width]) }, to: connection)
            } else {
                let rows = firsts.map { first in
                    "(" + (first + 1...first + width).map { "$\($0)" }.joined(separator: ", ") + ")"
                }
                try connection.query(
                    "INSERT INTO gatehouse.\(table.name) (\(columns)) VALUES \(rows.joined(separator: ", "))", waiting)
            }
            waiting.removeAll(keepingCapacity: true)
        }
        do {
            let cursor = try Row.fetchCursor(
                database, sql: "SELECT \(columns) FROM \(table.name) ORDER BY \(table.order)")
            while let row = try cursor.next() {
                waiting += row.databaseValues.map(text)
                count += 1
                if count % rowsAtOnce == 0 { try send() }
            }
            try send()
        } catch let failure as PostgresFailure {
            throw failure
        } catch {
            throw PostgresFailure(StoreError(error, path: path).message)
        }
        return count
    }

    /// The log numbers its rows itself, many at once.
    private static func entry(_ cells: ArraySlice<String?>) -> RevocationEntry {
        let texts = cells.map { $0 ?? "" }
        return RevocationEntry(
            kind: Int(texts[0]) ?? 0, subject: texts[1], moment: Int64(texts[2]), until: Int64(texts[3]) ?? 0)
    }

    private static func text(_ value: DatabaseValue) -> String? {
        switch value.storage {
        case .null: nil
        case .int64(let number): String(number)
        case .double(let number): String(number)
        case .string(let text): text
        case .blob(let data):
            "\\x" + data.map { byte in String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }.joined()
        }
    }
}
