internal import CPostgres

/// What a statement gave. Columns are told apart by their place in the statement.
///
/// Invariant: `result` is a live `PGresult` from `init` to `deinit`; places are within `count` and the statement's columns, which
/// libpq checks itself and answers with NULL.
@safe
final class PostgresRows {
    private let result: OpaquePointer

    /// Takes over a result.
    init(_ result: OpaquePointer) { unsafe self.result = result }

    deinit { unsafe PQclear(result) }

    /// How many rows there are.
    var count: Int { unsafe Int(PQntuples(result)) }

    /// How many rows the statement inserted, changed or deleted.
    var affected: Int { unsafe Int(String(cString: PQcmdTuples(result))) ?? 0 }

    /// What was done, as `COMMIT`.
    var command: String { unsafe String(cString: PQcmdStatus(result)) }

    /// The first row.
    var first: PostgresRow? { count > 0 ? PostgresRow(rows: self, index: 0) : nil }

    /// Each row's value.
    func map<Value>(
        _ body: (PostgresRow) throws(PostgresFailure) -> Value
    ) throws(PostgresFailure) -> [Value] {
        var values: [Value] = []
        values.reserveCapacity(count)
        for index in 0..<count { values.append(try body(PostgresRow(rows: self, index: Int32(index)))) }
        return values
    }

    fileprivate func value(_ row: Int32, _ column: Int32) -> String? {
        guard unsafe PQgetisnull(result, row, column) == 0, let text = unsafe PQgetvalue(result, row, column) else {
            return nil
        }
        return unsafe String(cString: text)
    }
}

/// One row, which keeps all of its statement's.
struct PostgresRow {
    fileprivate let rows: PostgresRows
    fileprivate let index: Int32

    /// A text that may be missing.
    func text(_ column: Int32) -> String? { rows.value(index, column) }

    /// A number that may be missing.
    func integer(_ column: Int32) throws(PostgresFailure) -> Int64? {
        guard let text = rows.value(index, column) else { return nil }
        guard let number = Int64(text) else { throw Self.unreadable }
        return number
    }

    /// A value that has to be there.
    func known<Value>(_ value: Value?) throws(PostgresFailure) -> Value {
        guard let value else { throw Self.unreadable }
        return value
    }

    /// Whether a condition holds.
    func isTrue(_ column: Int32) -> Bool { rows.value(index, column) == "t" }

    static let unreadable = PostgresFailure("a row is not as this version writes it", state: "XX001")
}
