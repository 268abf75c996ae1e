import Configuration
import JOSE
import Testing

@testable import Policy

@Suite("Principal.header(for:): claims as headers")
struct ClaimHeaderTests {
    /// A claim of a token and the header's value.
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let claims: JSONObject
        let claim: String
        let value: String?
        let why: String

        /// `value` is that of `claim`; nil: there is no header.
        init(_ name: String, _ content: JSONValue?, _ value: String?, claim: String = "c", why: String) {
            self.name = name
            var claims: JSONObject = [:]
            claims[claim] = content
            self.claims = claims
            self.claim = claim
            self.value = value
            self.why = why
        }

        var testDescription: String { name }
    }

    private static let long = String(repeating: "x", count: ClaimInjection.valueAtMost)

    static let single: [Row] = [
        Row("a string", .string("acme"), "acme", why: "as it is"),
        Row("an integer", .integer(9_007_199_254_740_993), "9007199254740993", why: "every digit"),
        Row("a negative integer", .integer(-5), "-5", why: "as it is"),
        Row("true", .bool(true), "true", why: "as JSON writes it"),
        Row("false", .bool(false), "false", why: "absent and false are two things"),
        Row(
            "every visible character", .string("!\"#,;=/\\~"), "!\"#,;=/\\~",
            why: "a comma in one string is the string's"),
        Row("as long as can be", .string(long), long, why: "1,024 bytes"),
        Row("no claim", nil, nil, why: "no header, rather than an empty one"),
        Row("null", .null, nil, why: "no value"), Row("a fraction", .number(1.5), nil, why: "no one way to write it"),
        Row("an object", .object(["a": .string("b")]), nil, why: "no one way to write it"),
        Row("an empty string", .string(""), nil, why: "would say what nobody said"),
        Row("a blank", .string("two words"), nil, why: "readers trim and split at it"),
        Row("a line break", .string("a\r\nX-User-Id: 1"), nil, why: "would be another header"),
        Row("a line feed at the end", .string("a\n"), nil, why: "likewise"),
        Row("an escape", .string("a\u{1b}b"), nil, why: "terminals obey it"),
        Row("DEL", .string("a\u{7f}"), nil, why: "a control"),
        Row("beyond ASCII", .string("Zoë"), nil, why: "readers differ in its encoding"),
        Row("too long", .string(long + "x"), nil, why: "heads are bounded"),
    ]

    static let lists: [Row] = [
        Row("an array", .array([.string("a"), .string("b")]), "a,b", why: "joined by commas"),
        Row("an array of one", .array([.string("a")]), "a", why: "no comma"),
        Row("kinds in one array", .array([.string("a"), .integer(7), .bool(true)]), "a,7,true", why: "each as it is"),
        Row("the same twice", .array([.string("a"), .string("a")]), "a,a", why: "nothing is left out"),
        Row("an empty array", .array([]), nil, why: "nothing to say"),
        Row("a comma in a member", .array([.string("a,b"), .string("c")]), nil, why: "would be read as two"),
        Row("a comma in the only member", .array([.string("admin,root")]), nil, why: "would be read as two"),
        Row("an empty member", .array([.string("a"), .string("")]), nil, why: "would be a comma at the end"),
        Row("an empty member first", .array([.string(""), .string("a")]), nil, why: "would vanish"),
        Row("null in an array", .array([.string("a"), .null]), nil, why: "half a list is another list"),
        Row("an array in an array", .array([.string("a"), .array([.string("b")])]), nil, why: "likewise"),
        Row("an object in an array", .array([.object([:]), .string("a")]), nil, why: "likewise"),
        Row("a blank in a member", .array([.string("a b")]), nil, why: "readers trim and split at it"),
        Row(
            "a list as long as can be", .array([.string(String(repeating: "x", count: 1_022)), .string("y")]),
            String(repeating: "x", count: 1_022) + ",y", why: "1,024 bytes with its comma"),
        Row(
            "a list that is too long", .array([.string(String(repeating: "x", count: 1_022)), .string("yz")]), nil,
            why: "the comma counts"),
        Row(
            "a long list of short members", .array(Array(repeating: .string("ab"), count: 342)), nil,
            why: "1,025 bytes with its commas"),
    ]

    static let scopes: [Row] = [
        Row("a scope of one word", .string("query"), "query", claim: "scope", why: "a list of one"),
        Row(
            "words of a scope", .string("query manage"), "query,manage", claim: "scope",
            why: "RFC 8693 §4.2: blanks part them"),
        Row(
            "more blanks in a scope", .string(" query  manage "), "query,manage", claim: "scope", why: "no empty words"),
        Row("a scope of blanks", .string("  "), nil, claim: "scope", why: "no words"),
        Row("an empty scope", .string(""), nil, claim: "scope", why: "no words"),
        Row("a comma in a scope", .string("a,b c"), nil, claim: "scope", why: "would be read as three"),
        Row(
            "a scope as an array", .array([.string("query"), .string("manage")]), "query,manage", claim: "scope",
            why: "as some issuers write it"),
        Row(
            "an array's scope with a blank", .array([.string("query manage")]), nil, claim: "scope",
            why: "a member is one word"),
        Row("a tab in a scope", .string("query\tmanage"), nil, claim: "scope", why: "no blank of RFC 6749"),
        Row("scp is no scope", .string("query manage"), nil, claim: "scp", why: "another claim's blanks stay in it"),
    ]

    @Test("what a token says", arguments: single + lists + scopes)
    func value(row: Row) throws {
        let token = try Samples.token(row.claims)
        let principal = try #require(try Samples.authenticator().principal("Bearer \(token)"))
        let injection = ClaimInjection(name: "X-C", claim: row.claim)
        let text = principal.header(for: injection).map { String(decoding: $0, as: UTF8.self) }
        #expect(text == row.value, "\(row.why)")
    }

    @Test("what an issuer says of an opaque token goes on like the claims of a JWT")
    func introspected() throws {
        let said: JSONObject = ["sub": .string("u1"), "tenant": .string("acme"), "scope": .string("a b")]
        let claims = try VerifiedClaims.introspected(said, userIDClaims: ["sub"], now: Samples.now)
        let principal = Principal(introspected: claims, until: Samples.now + 60)
        #expect(principal.header(for: ClaimInjection(name: "X-T", claim: "tenant")) == Array("acme".utf8))
        #expect(principal.header(for: ClaimInjection(name: "X-S", claim: "scope")) == Array("a,b".utf8))
        #expect(principal.header(for: ClaimInjection(name: "X-S", claim: "Scope")) == nil, "names are exact")
    }

    @Test("an API key has no claims")
    func key() {
        let principal = Principal(Samples.key("rk_one"))
        for claim in ["sub", "user_id", "scope"] {
            #expect(principal.header(for: ClaimInjection(name: "X-C", claim: claim)) == nil)
        }
    }
}
