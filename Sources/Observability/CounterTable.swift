/// Counters by row and column, both small numbers. A row gets its memory when something in it is counted for the first
/// time, so that a configuration with hundreds of routes costs what it uses.
struct CounterTable: Sendable {
    private var places: [Int32] = []  // by row: where its counters start, or -1
    private var counters: [UInt64] = []
    private let columns: Int

    init(columns: Int) { self.columns = columns }

    /// Counts `count` more.
    @inline(__always)
    mutating func add(_ count: UInt64, row: Int, column: Int) {
        precondition(column >= 0 && column < columns)
        if row >= places.count || places[row] < 0 { grow(row) }
        counters[Int(places[row]) &+ column] &+= count
    }

    @inline(never)
    private mutating func grow(_ row: Int) {
        while places.count <= row { places.append(-1) }
        places[row] = Int32(counters.count)
        for _ in 0..<columns { counters.append(0) }
    }

    /// Calls `body` for each counter that is not 0, by row, then column.
    func forEach(_ body: (_ row: Int, _ column: Int, _ count: UInt64) -> Void) {
        for (row, place) in places.enumerated() where place >= 0 {
            for column in 0..<columns {
                let count = counters[Int(place) + column]
                if count > 0 { body(row, column, count) }
            }
        }
    }
}
