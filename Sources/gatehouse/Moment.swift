import ArgumentParser
import Identity

/// A point in time as in the contract: `2030-01-01T00:00:00Z`.
struct Moment: ExpressibleByArgument {
    let unixSeconds: Int64

    init?(argument: String) {
        guard let seconds = Timestamp.parse(argument) else { return nil }
        unixSeconds = seconds
    }
}
