import JOSE
import Testing

@testable import Configuration

@Suite("What limits, origins and addresses of others mean")
struct PolicyMeaningTests {
    /// The first route of a configuration whose route says `directives`.
    private func route(_ directives: String, accept: String = "jwt") throws -> Route {
        let text = "route /a/ { accept \(accept); upstream agents; \(directives) }" + Row.rest
        return try #require(try Workspace().load(text).get().routes.first)
    }

    @Test(
        "a rate: how many, in how many seconds, how many at once, by whom",
        arguments: [
            ("10/s", "jwt", RateLimit(count: 10, unit: 1), "the burst is what comes in a unit, by credential"),
            ("600/m burst=5", "jwt", RateLimit(count: 600, unit: 60, burst: 5), "a minute"),
            ("7/h by=user", "jwt", RateLimit(count: 7, unit: 3_600, subject: .user), "an hour"),
            ("1/s by=agent burst=9", "api_key", RateLimit(count: 1, unit: 1, burst: 9, subject: .agent), "any order"),
            ("1/s", "none", RateLimit(count: 1, unit: 1, subject: .address), "on a public route by address"),
            ("1/s by=address", "jwt", RateLimit(count: 1, unit: 1, subject: .address), "or where it says so"),
        ])
    func rate(text: String, accept: String, expected: RateLimit, why: String) throws {
        #expect(try route("rate_limit \(text);", accept: accept).rateLimit == expected, "\(why)")
    }

    @Test(
        "a quota: how many, in which period, by whom",
        arguments: [
            ("10000/d", "jwt", Quota(count: 10_000, period: .day), "by credential"),
            ("1000000/mo by=user", "jwt", Quota(count: 1_000_000, period: .month, subject: .user), "a month"),
            ("5/d", "none", Quota(count: 5, period: .day, subject: .address), "on a public route by address"),
        ])
    func quota(text: String, accept: String, expected: Quota, why: String) throws {
        #expect(try route("quota \(text);", accept: accept).quota == expected, "\(why)")
    }

    @Test("a quota needs the store, a rate does not")
    func store() throws {
        let quota = "route /a/ { accept jwt; upstream agents; quota 1/d; }" + Row.rest
        let rate = "route /a/ { accept jwt; upstream agents; rate_limit 1/s; }" + Row.rest
        #expect(try Workspace().load(quota).get().store != nil)
        #expect(try Workspace().load(rate).get().store == nil)
    }

    @Test(
        "what a limit's text says, it reads again",
        arguments: ["10/s", "10/s burst=20", "600/m", "1/h burst=1000000", "1000000/s burst=1"])
    func rateText(text: String) throws {
        #expect(try RateLimit(text: text).text == text)
    }

    @Test("likewise a quota's", arguments: ["1/d", "10000/d", "1000000000000/mo"])
    func quotaText(text: String) throws {
        #expect(try Quota(text: text).text == text)
    }

    @Test(
        "texts of API keys' limits that are none",
        arguments: [
            ("", "nothing"), (" ", "a blank"), ("10", "no unit"), ("10/s burst=2 x", "a word too many"),
            ("10/s by=user", "a key counts for itself"), ("10/s  burst", "no number"), ("burst=2 10/s", "the order"),
            ("10/ s", "blanks"), ("10/S", "exact"), ("١٠/s", "other digits"), ("+10/s", "a sign"), ("0/s", "nothing"),
            ("10/s burst=0", "nothing at once"), ("10/s\n", "a line"),
            ("10/s burst=" + String(repeating: "0", count: 64), "too long"),
            ("99999999999999999999/s", "too many digits"),
        ])
    func noRates(text: String, why: String) {
        #expect(throws: LimitProblem.self, "\(why)") { try RateLimit(text: text) }
    }

    @Test(
        "intervals are nanoseconds, rounded down, and never none",
        arguments: [("10/s", 100_000_000), ("7/h", 514_285_714_285), ("1000000/s", 1_000), ("1/h", 3_600_000_000_000)])
    func interval(text: String, nanoseconds: Int64) throws {
        #expect(try RateLimit(text: text).interval == nanoseconds)
    }

    @Test(
        "origins as browsers write them",
        arguments: [
            ("https://App.Example.com", "https://", "app.example.com", false, "lower case"),
            ("HTTP://localhost:3000", "http://", "localhost:3000", false, "a port of its own"),
            ("https://*.Example.com", "https://", ".example.com", true, "what is below, with its dot"),
            ("https://*.example.com:8443", "https://", ".example.com:8443", true, "with a port"),
            ("https://a.example:80", "https://", "a.example:80", false, "the other scheme's port"),
            ("*", "", "", true, "all"),
        ])
    func origin(text: String, scheme: String, host: String, isWildcard: Bool, why: String) throws {
        let expected = CrossOrigin.Origin(scheme: scheme, host: host, isWildcard: isWildcard)
        #expect(try route("cors \(text);").cors == CrossOrigin(origins: [expected]), "\(why)")
    }

    @Test("header names of other origins' pages are lower case, those of claims as the file writes them")
    func headers() throws {
        let route = try route("cors *; cors_headers X-Page-Id x-b; inject X-Tenant claim t; inject X-B claim t;")
        #expect(route.cors?.headers == ["x-page-id", "x-b"])
        #expect(
            route.injections == [ClaimInjection(name: "X-Tenant", claim: "t"), ClaimInjection(name: "X-B", claim: "t")])
    }

    // MARK: Others

    @Test("keys that are fetched, with their defaults and without")
    func remote() throws {
        let text = """
            jwt a { discover https://l.example; algorithms RS256; }
            jwt b { keys jwks:https://l.example/k; algorithms RS256; refresh 2m; stale 1h; ca cert.pem; }
            """
        let configuration = try Workspace().load(text + Row.rest).get()
        #expect(configuration.issuers.map(\.name) == ["a", "b", "local"])
        #expect(configuration.issuers.map(\.keysAreRemote) == [true, true, false])
        #expect(configuration.issuers[0].issuer == "https://l.example", "as the metadata have to name it")
        #expect(configuration.issuers[1].issuer == nil && configuration.issuers[1].keysAreNamed)
        let keys = configuration.remoteKeys
        #expect(keys.map(\.issuerIndex) == [0, 1])
        #expect(keys[0].location == RemoteURL("https://l.example").map { .issuer($0) })
        #expect(keys[1].location == RemoteURL("https://l.example/k").map { .keySet($0) })
        #expect(keys[0].refresh == .seconds(600) && keys[0].stale == .seconds(86_400))
        #expect(keys[1].refresh == .seconds(120) && keys[1].stale == .seconds(3_600))
    }

    @Test("an introspection block, with its defaults and without")
    func introspection() throws {
        let text = """
            introspection a { endpoint https://l/i; client gw file:secret.txt; }
            introspection b { endpoint https://l/i; client gw file:secret.txt; cache 1m; max_lookups 3; user_id_claim uid; }
            """
        let workspace = Workspace()
        workspace.write("secret.txt", "s3cr3t\n")
        let blocks = try workspace.load(text + Row.rest).get().introspections
        #expect(blocks.map(\.name) == ["a", "b"] && blocks[0].clientID == "gw")
        #expect(blocks[0].clientSecret == Array("s3cr3t".utf8), "the line feed that an editor adds is no part of it")
        #expect(blocks[0].cache == .seconds(30) && blocks[1].cache == .seconds(60))
        #expect(blocks.map(\.lookupsAtMost) == [32, 3])
        #expect(blocks.map(\.userIDClaims) == [["sub", "username"], ["uid"]])
    }

    @Test(
        "the parts of a URL that is asked",
        arguments: [
            ("https://l.example", "l.example", 443, "/", "l.example", "nothing but a host"),
            ("https://L.Example/A?b=C", "l.example", 443, "/A?b=C", "l.example", "only the host is in lower case"),
            ("https://l.example:8443/a", "l.example", 8443, "/a", "l.example:8443", "a port"),
            ("https://l.example:443", "l.example", 443, "/", "l.example", "the scheme's own is left out of Host"),
            ("https://l.example?a", "l.example", 443, "/?a", "l.example", "a query and no path"),
            ("https://127.0.0.1/", "127.0.0.1", 443, "/", "127.0.0.1", "an address"),
        ])
    func url(text: String, host: String, port: UInt16, path: String, authority: String, why: String) throws {
        let url = try #require(RemoteURL(text), "\(why)")
        #expect(url.text == text && url.host == host && url.port == port, "\(why)")
        #expect(url.path == path && url.authority == authority, "\(why)")
    }

    @Test(
        "where a resource's metadata are, RFC 9728 §3.1",
        arguments: [
            ("https://api.example.com", "https://api.example.com", "", "no path"),
            ("https://api.example.com/", "https://api.example.com", "", "a final slash is none"),
            ("https://api.example.com/v1", "https://api.example.com", "/v1", "its path comes last"),
            ("https://api.example.com:8443/v1/x/", "https://api.example.com:8443", "/v1/x", "without its final slash"),
        ])
    func metadata(identifier: String, origin: String, path: String, why: String) {
        let resource = ProtectedResource(identifier: identifier)
        #expect(resource.metadataPath == "/.well-known/oauth-protected-resource" + path, "\(why)")
        #expect(resource.metadataURL == origin + resource.metadataPath, "\(why)")
    }
}
