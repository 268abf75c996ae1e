import ArgumentParser

/// A time as in gateway.conf: `500ms`, `30s`, `5m`, `1h`, `7d`. A number without its unit is none.
struct TimeSpan: ExpressibleByArgument {
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]

    let milliseconds: Int64

    /// Whole seconds; a part of one counts as one.
    var seconds: Int64 { (milliseconds + 999) / 1_000 }

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && $0.isNumber }
        let suffix = argument.dropFirst(digits.count)
        guard let unit = Self.units.first(where: { $0.suffix == suffix }), let number = Int64(digits) else {
            return nil
        }
        let (product, isTooLong) = number.multipliedReportingOverflow(by: unit.milliseconds)
        guard !isTooLong, product <= 100 * 366 * 86_400_000 else { return nil }
        milliseconds = product
    }
}
