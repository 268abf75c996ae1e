/// Lists as parameters of one statement, in the form that PostgreSQL's array types read (8.15.2).
enum PostgresArray {
    /// Of any type; nil is NULL.
    static func text(_ values: some Sequence<String?>) -> String {
        let cells = values.map { value in
            guard let value else { return "NULL" }
            return "\"" + value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
        }
        return "{" + cells.joined(separator: ",") + "}"
    }

    /// Of numbers.
    static func text(_ values: some Sequence<Int64?>) -> String {
        "{" + values.map { $0.map(String.init) ?? "NULL" }.joined(separator: ",") + "}"
    }
}
