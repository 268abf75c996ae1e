import Identity
import Testing

@Suite("Timestamp reads RFC 3339 and nothing else")
struct TimestampTests {
    @Test(
        "a time is its unix seconds",
        arguments: [
            ("1970-01-01T00:00:00Z", Int64(0), "the epoch"),
            ("2024-01-15T10:30:00Z", 1_705_314_600, "the contract's example"),
            ("2024-02-29T23:59:59Z", 1_709_251_199, "a leap day"),
            ("2000-03-01T00:00:00Z", 951_868_800, "the day after a leap day of a century"),
            ("2100-03-01T00:00:00Z", 4_107_542_400, "2100 is no leap year"),
            ("9999-12-31T23:59:59Z", 253_402_300_799, "the last second"),
            ("2024-01-15t10:30:00.999z", 1_705_314_600, "lower case, fractions dropped"),
            ("2024-01-15 10:30:00Z", 1_705_314_600, "a blank for the T, which §5.6 allows"),
            ("2024-01-15T12:30:00+02:00", 1_705_314_600, "an offset to the east"),
            ("2024-01-15T05:00:00-05:30", 1_705_314_600, "an offset to the west"),
        ])
    func valid(text: String, seconds: Int64, why: String) {
        #expect(Timestamp.parse(text) == seconds, "\(why)")
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", "2024", "2024-01-15", "2024-01-15T10:30:00", "2024-1-15T10:30:00Z", "2024-13-01T00:00:00Z",
            "2023-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2024-04-31T00:00:00Z", "2024-00-10T00:00:00Z",
            "2024-01-00T00:00:00Z", "2024-01-15T24:00:00Z", "2024-01-15T10:60:00Z", "2024-01-15T10:30:60Z",
            "2024-01-15T10:30:00.Z", "2024-01-15T10:30:00+2", "2024-01-15T10:30:00+0200", "2024-01-15T10:30:00ZZ",
            " 2024-01-15T10:30:00Z", "2024-01-15T10:30:00Z\n", "1969-12-31T23:59:59Z", "1705314600",
            "+024-01-15T10:30:00Z",
            "٢٠٢٤-01-15T10:30:00Z", "1970-01-01T00:00:00+01:00",
        ])
    func invalid(text: String) { #expect(Timestamp.parse(text) == nil) }
}
