/// Maps response statuses to the columns of a table: the ones that a gateway usually answers with have theirs, any other
/// three-digit status one of its class. So what an upstream sends does not decide how many series there are.
enum StatusColumns {
    /// Statuses with a column of their own.
    static let known: [Int] = [
        101, 200, 201, 202, 203, 204, 205, 206, 207, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405,
        406, 408,
        409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 499, 500, 501,
        502, 503,
        504, 505, 507, 508, 511,
    ]
    /// Columns in all: the known ones, then a class each from 1xx to 5xx, then whatever is no status.
    static let count = known.count + 6

    /// The column's value of the label `status`.
    static func label(_ column: Int) -> String {
        if column < known.count { return String(known[column]) }
        return column < count - 1 ? "\(column - known.count + 1)xx" : "0"
    }

    /// The column of each status from 0 to 599.
    static let byStatus: [UInt8] = (0..<600).map { status in
        if let column = known.firstIndex(of: status) { return UInt8(column) }
        return UInt8(status < 100 ? count - 1 : known.count + status / 100 - 1)
    }
}
