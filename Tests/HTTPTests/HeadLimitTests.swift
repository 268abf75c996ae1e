import HTTP
import Testing

@Suite struct HeadLimitTests {
    /// Head of 128 bytes, 3 fields, target of 16 bytes.
    static let limits: HeadLimits = {
        var limits = HeadLimits()
        limits.head = 128
        limits.fields = 3
        limits.target = 16
        return limits
    }()
    private static func head(padding: Int) -> String {
        "GET / HTTP/1.1\r\nHost: x\r\nA: \(String(repeating: "a", count: padding))\r\n\r\n"
    }
    private static func target(_ count: Int) -> String { "/" + String(repeating: "a", count: count - 1) }
    private static let fits = 128 - "GET / HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n".utf8.count

    static let rows: [Row<RequestOutcome>] = [
        Row("a head as long as the limit", head(padding: fits), RequestOutcome(description: "GET / 1.1 host=x keeps")),
        Row("one byte more, RFC 6585 §5", head(padding: fits + 1), .failed(.headTooLarge(limit: 128))),
        Row(
            "a field line without an end", "GET / HTTP/1.1\r\nA: \(String(repeating: "a", count: 200))",
            .failed(.headTooLarge(limit: 128))),
        Row(
            "a field name without an end", "GET / HTTP/1.1\r\n\(String(repeating: "a", count: 200))",
            .failed(.headTooLarge(limit: 128))),
        Row(
            "what stands behind the limit is not looked at", head(padding: 200) + "\0",
            .failed(.headTooLarge(limit: 128))),
        Row(
            "as many fields as the limit", "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\nC: d\r\n\r\n",
            RequestOutcome(description: "GET / 1.1 host=x keeps")),
        Row(
            "one field more, RFC 6585 §5", "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\nC: d\r\nE: f\r\n\r\n",
            .failed(.tooManyFields(limit: 3))),
        Row(
            "one field more without an end", "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\nC: d\r\nE",
            .failed(.tooManyFields(limit: 3))),
        Row(
            "one field more, malformed", "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\nC: d\r\n E\r\n\r\n",
            .failed(.tooManyFields(limit: 3))),
        Row(
            "a target as long as the limit", "GET \(target(16)) HTTP/1.1\r\nHost: x\r\n\r\n",
            RequestOutcome(description: "GET \(target(16)) 1.1 host=x keeps")),
        Row(
            "one byte more, RFC 9110 §15.5.15", "GET \(target(17)) HTTP/1.1\r\nHost: x\r\n\r\n",
            .failed(.targetTooLong(limit: 16))),
        Row("a target without an end", "GET \(target(17))", .failed(.targetTooLong(limit: 16))),
        Row(
            "a target longer than the head may be", "GET \(target(500)) HTTP/1.1\r\n\r\n",
            .failed(.targetTooLong(limit: 16))),
        Row("a query without an end", "GET /?\(String(repeating: "a", count: 16))", .failed(.targetTooLong(limit: 16))),
        Row(
            "too long before it is malformed", "GET \(target(17))# HTTP/1.1\r\n\r\n", .failed(.targetTooLong(limit: 16))
        ),
        Row(
            "malformed before it is too long", "GET /#\(target(17)) HTTP/1.1\r\n\r\n",
            .failed(.malformed("fragment in the request target"))),
    ]

    @Test(arguments: rows) func bounds(_ row: Row<RequestOutcome>) {
        #expect(requestOutcome(row.input, limits: Self.limits) == row.expectation)
    }

    @Test func defaultsOfTheContract() {
        let big = "GET / HTTP/1.1\r\nHost: x\r\nA: \(String(repeating: "a", count: 32768))\r\n\r\n"
        #expect(requestOutcome(big) == .failed(.headTooLarge(limit: 32768)))
        let many = "GET / HTTP/1.1\r\nHost: x\r\n\(String(repeating: "A: b\r\n", count: 100))\r\n"
        #expect(requestOutcome(many) == .failed(.tooManyFields(limit: 100)))
        let long = "GET \(Self.target(8193)) HTTP/1.1\r\nHost: x\r\n\r\n"
        #expect(requestOutcome(long) == .failed(.targetTooLong(limit: 8192)))
    }

    @Test(arguments: [
        (HeadError.headTooLarge(limit: 9), 431, "headers_too_large"),
        (.tooManyFields(limit: 9), 431, "headers_too_large"),
        (.targetTooLong(limit: 9), 414, "uri_too_long"), (.unsupportedVersion, 400, "bad_request"),
        (.expectationFailed, 417, "bad_request"), (.repeatedAuthorization, 400, "bad_request"),
        (.malformed("x"), 400, "bad_request"),
    ])
    func eachErrorHasItsRefusal(_ error: HeadError, _ status: Int, _ code: String) {
        #expect(error.refusal.status == status)
        #expect("\(error.refusal.code)" == code)
    }
}
