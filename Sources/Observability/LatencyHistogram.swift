/// How many requests took how long. Counted by bucket; rendered cumulatively.
struct LatencyHistogram: Sendable {
    /// The upper bounds, inclusive, in nanoseconds, and as Prometheus is to read them.
    static let bounds: [(nanoseconds: Int64, label: StaticString)] = [
        (500_000, "0.0005"), (1_000_000, "0.001"), (2_500_000, "0.0025"), (5_000_000, "0.005"), (10_000_000, "0.01"),
        (25_000_000, "0.025"), (50_000_000, "0.05"), (100_000_000, "0.1"), (250_000_000, "0.25"), (500_000_000, "0.5"),
        (1_000_000_000, "1"), (2_500_000_000, "2.5"), (5_000_000_000, "5"), (10_000_000_000, "10"),
        (30_000_000_000, "30"), (60_000_000_000, "60"),
    ]

    /// By bucket; the last one is for what exceeds every bound.
    private(set) var counts: [UInt64]
    /// All of it together.
    private(set) var sumNanoseconds: UInt64 = 0

    private let limits: [Int64]

    init() {
        limits = Self.bounds.map(\.nanoseconds)
        counts = Array(repeating: 0, count: Self.bounds.count + 1)
    }

    @inline(__always)
    mutating func record(nanoseconds: Int64) {
        var bucket = 0
        while bucket < limits.count, nanoseconds > limits[bucket] { bucket &+= 1 }
        counts[bucket] &+= 1
        sumNanoseconds &+= UInt64(max(nanoseconds, 0))
    }

    mutating func merge(_ other: LatencyHistogram) {
        for bucket in counts.indices { counts[bucket] += other.counts[bucket] }
        sumNanoseconds += other.sumNanoseconds
    }
}
