/// Dates as HTTP and JSON write them. Seconds outside the years 1 to 9999 are drawn to the nearest end, so that a hostile
/// `exp` still gives a date.
public enum HTTPDate {
    /// Replaces the content of `output` by the IMF-fixdate of 29 bytes (RFC 9110 §5.6.7).
    public static func format(unixSeconds: Int64, into output: inout [UInt8]) {
        output.removeAll(keepingCapacity: true)
        let time = CivilTime(unixSeconds: unixSeconds)
        output += names("SunMonTueWedThuFriSat", time.weekday)
        output.append(literal: ", ")
        appendDigits(time.day, 2, to: &output)
        output.append(literal: " ")
        output += names("JanFebMarAprMayJunJulAugSepOctNovDec", time.month - 1)
        output.append(literal: " ")
        appendDigits(time.year, 4, to: &output)
        output.append(literal: " ")
        appendTime(time, to: &output)
        output.append(literal: " GMT")
    }

    /// As RFC 3339 has it: `2024-01-15T10:30:00Z`.
    public static func iso8601(_ unixSeconds: Int64) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(20)
        appendISO8601(unixSeconds, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    static func appendISO8601(_ unixSeconds: Int64, to output: inout [UInt8]) {
        let time = CivilTime(unixSeconds: unixSeconds)
        appendDigits(time.year, 4, to: &output)
        output.append(literal: "-")
        appendDigits(time.month, 2, to: &output)
        output.append(literal: "-")
        appendDigits(time.day, 2, to: &output)
        output.append(literal: "T")
        appendTime(time, to: &output)
        output.append(literal: "Z")
    }

    private static func appendTime(_ time: CivilTime, to output: inout [UInt8]) {
        appendDigits(time.second / 3600, 2, to: &output)
        output.append(literal: ":")
        appendDigits(time.second / 60 % 60, 2, to: &output)
        output.append(literal: ":")
        appendDigits(time.second % 60, 2, to: &output)
    }

    private static func names(_ list: StaticString, _ index: Int) -> ArraySlice<UInt8> {
        let all = [UInt8]("\(list)".utf8)
        return all[(index * 3)..<(index * 3 + 3)]
    }

    private static func appendDigits(_ value: Int, _ width: Int, to output: inout [UInt8]) {
        var divisor = 1
        for _ in 1..<width { divisor *= 10 }
        while divisor > 0 {
            output.append(0x30 + UInt8(value / divisor % 10))
            divisor /= 10
        }
    }
}

/// A moment in the Gregorian calendar, UTC.
private struct CivilTime {
    let year: Int
    /// 1 to 12.
    let month: Int
    let day: Int
    /// 0 is Sunday.
    let weekday: Int
    /// Of the day.
    let second: Int

    init(unixSeconds: Int64) {
        let seconds = Int(min(max(unixSeconds, -62_135_596_800), 253_402_300_799))
        var days = seconds / 86400
        if seconds % 86400 < 0 { days -= 1 }
        second = seconds - days * 86400
        // 1970-01-01 was a Thursday; 719,166 is a multiple of 7 that keeps the sum positive.
        weekday = (days + 4 + 719_166) % 7
        // Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days: years that begin in March.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }
}
