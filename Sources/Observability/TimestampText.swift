/// Writes points in time as ISO 8601 in UTC with milliseconds (`2024-01-15T10:30:00.123Z`). The part up to the second is
/// computed once a second and kept.
struct TimestampText {
    private var second = Int64.min
    private var prefix: [UInt8] = []

    /// Appends the time that is `nanoseconds` after 1970-01-01T00:00:00Z; before that, the epoch itself.
    mutating func append(_ nanoseconds: Int64, to bytes: inout LineBuffer) {
        let (wanted, rest) = max(nanoseconds, 0).quotientAndRemainder(dividingBy: 1_000_000_000)
        if wanted != second { render(wanted) }
        bytes.append(prefix.span)
        bytes.append(UInt8(ascii: "."))
        bytes.append(threeDigits: Int(rest / 1_000_000))
        bytes.append(UInt8(ascii: "Z"))
    }

    private mutating func render(_ wanted: Int64) {
        var text = LineBuffer(capacity: 64)
        let (days, time) = Int(wanted).quotientAndRemainder(dividingBy: 86_400)
        let date = Self.civil(days)
        text.append(twoDigits: date.year / 100)
        text.append(twoDigits: date.year % 100)
        text.append(UInt8(ascii: "-"))
        text.append(twoDigits: date.month)
        text.append(UInt8(ascii: "-"))
        text.append(twoDigits: date.day)
        text.append(UInt8(ascii: "T"))
        text.append(twoDigits: time / 3600)
        text.append(UInt8(ascii: ":"))
        text.append(twoDigits: time / 60 % 60)
        text.append(UInt8(ascii: ":"))
        text.append(twoDigits: time % 60)
        prefix = text.take()
        second = wanted
    }

    /// The Gregorian date of a day since 1970 (Howard Hinnant, "chrono-compatible low-level date algorithms").
    private static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}
