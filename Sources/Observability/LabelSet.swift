/// Names that were given numbers, in the order in which they came. A name keeps its number for good, so that counters go on
/// over a reload.
struct LabelSet: Sendable {
    private(set) var names: [String]
    private var numbers: [String: Int]

    init(_ names: [String] = []) {
        self.names = []
        numbers = [:]
        for name in names { _ = number(of: name) }
    }

    /// The name's number; a new one when the name is new.
    mutating func number(of name: String) -> Int {
        if let known = numbers[name] { return known }
        numbers[name] = names.count
        names.append(name)
        return names.count - 1
    }
}
