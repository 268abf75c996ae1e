import Testing

@testable import Observability

@Suite("A path in the log")
struct QueryMaskTests {
    static let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"

    static func masked(_ path: String, limit: Int = AccessLogRenderer.pathBound) -> String {
        var bytes = LineBuffer(capacity: 64)
        QueryMask(keyPrefix: Array("rk_".utf8)).append(path.utf8.span, limit: limit, to: &bytes)
        return String(decoding: bytes.take(), as: UTF8.self)
    }

    @Test(
        "has no credential",
        arguments: [
            ("no query", "/api/x/", "/api/x/", ""),
            ("an empty query", "/api/x/?", "/api/x/?", ""),
            ("nothing to hide", "/a?b=c&d=e", "/a?b=c&d=e", ""),
            ("access_token", "/a?access_token=S3CRET", "/a?access_token=***", ""),
            ("key, in the middle", "/a?x=1&key=S3CRET&y=2", "/a?x=1&key=***&y=2", ""),
            ("token, twice", "/a?token=S3CRET&token=S3CRET", "/a?token=***&token=***", ""),
            ("api_key and ticket", "/a?api_key=S3CRET&ticket=S3CRET", "/a?api_key=***&ticket=***", ""),
            ("an empty value", "/a?token=&x=1", "/a?token=***&x=1", ""),
            ("no value", "/a?token&x=1", "/a?token&x=1", ""),
            (
                "another case", "/a?Access_Token=S3CRET&KEY=S3CRET", "/a?Access_Token=***&KEY=***",
                "names vary by server"
            ),
            ("a dash", "/a?api-key=S3CRET", "/a?api-key=***", "aliases"),
            (
                "an escaped name", "/a?%74oken=S3CRET&acc%65ss%5Ftoken=S3CRET", "/a?%74oken=***&acc%65ss%5Ftoken=***",
                "the backend decodes it"
            ),
            ("a value with =", "/a?token=S3=CRET==&x=1", "/a?token=***&x=1", "up to the next &"),
            ("a value with ; and ?", "/a?token=S3;CRET?S3CRET&x=1", "/a?token=***&x=1", "up to the next &"),
            ("; as a separator", "/a?x=1;token=S3CRET", "/a?x=1;token=***", "some backends split there"),
            ("a second ?", "/a?next=/b?token=S3CRET", "/a?next=/b?token=***", "a URL in the query"),
            ("names that only contain one", "/a?tokens=1&monkey=2&key2=3", "/a?tokens=1&monkey=2&key2=3", ""),
            ("a JWT by another name", "/a?q=\(jwt)&x=1", "/a?q=***&x=1", "the value says what it is"),
            ("an API key by another name", "/a?q=rk_S3CRET", "/a?q=***", "the value says what it is"),
            ("a bad escape", "/a?%7=1&%zz=2&token=S3CRET", "/a?%7=1&%zz=2&token=***", ""),
            ("separators only", "/a?&&;=&?", "/a?&&;=&?", ""),
            ("a quote", "/a\"?b=\"&key=S3CRET", "/a\\\"?b=\\\"&key=***", "escaped for JSON"),
        ] as [(String, String, String, String)])
    func masks(name: String, path: String, expected: String, why: String) {
        #expect(Self.masked(path) == expected, "\(name): \(why)")
    }

    @Test("is cut at its bound and shows no credential there either", arguments: 0...40)
    func cut(limit: Int) {
        let path = "/api/a/?x=1&token=S3CRET&after=2&key=S3CRET"
        let text = Self.masked(path, limit: limit)
        #expect(!text.contains("S3"), "limit \(limit)")
        #expect(text.utf8.count <= limit + 3, "limit \(limit)")
    }

    @Test("longer than its bound is cut")
    func long() {
        let path = "/" + String(repeating: "a", count: 4000)
        #expect(Self.masked(path) == String(path.prefix(AccessLogRenderer.pathBound)))
    }
}
