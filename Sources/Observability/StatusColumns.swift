/// Gives statuses their columns in a table, as they first occur. Their number is bounded, so that what an upstream sends does
/// not decide how many series there are; what comes beyond counts as "other".
struct StatusColumns: Sendable {
    /// Columns in all, the last of which is "other".
    static let count = 64

    private var statuses: [Int] = []
    private var columns: [Int8] = Array(repeating: -1, count: 600)

    /// The column of a status.
    @inline(__always)
    mutating func column(of status: Int) -> Int {
        if status >= 0, status < columns.count, columns[status] >= 0 { return Int(columns[status]) }
        return newColumn(status)
    }

    @inline(never)
    private mutating func newColumn(_ status: Int) -> Int {
        guard status >= 100, status < columns.count, statuses.count < Self.count - 1 else { return Self.count - 1 }
        columns[status] = Int8(statuses.count)
        statuses.append(status)
        return statuses.count - 1
    }

    /// The status of a column; nil for "other".
    func status(of column: Int) -> Int? { column < statuses.count ? statuses[column] : nil }
}
