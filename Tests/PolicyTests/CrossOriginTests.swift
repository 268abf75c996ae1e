import Configuration
import Testing

@testable import Policy

@Suite("CrossOrigin.admits: pages of which origins may use a route")
struct CrossOriginTests {
    private static let app = CrossOrigin.Origin(scheme: "https://", host: "app.example.com", isWildcard: false)
    private static let port = CrossOrigin.Origin(scheme: "http://", host: "localhost:3000", isWildcard: false)
    private static let below = CrossOrigin.Origin(scheme: "https://", host: ".example.com", isWildcard: true)
    private static let belowPort = CrossOrigin.Origin(scheme: "https://", host: ".example.com:8443", isWildcard: true)

    private func admits(_ origins: [CrossOrigin.Origin], _ origin: String) -> Bool {
        let bytes = Array(origin.utf8)
        return CrossOrigin(origins: origins).admits(bytes.span)
    }

    @Test(
        "an origin as it is written, byte for byte",
        arguments: [
            ("https://app.example.com", true, "itself"),
            ("http://app.example.com", false, "unencrypted: anybody on the way could have written that page"),
            ("https://app.example.com:443", false, "browsers leave the scheme's own port out, RFC 6454 §6.2"),
            ("https://app.example.com:8443", false, "another port is another origin"),
            ("https://app.example.com/", false, "an origin has no path"),
            ("https://app.example.com.", false, "a name with its root is another origin to a browser"),
            ("https://app.example.community", false, "a longer name"),
            ("https://app.example.com.evil.org", false, "what follows decides"),
            ("https://evil.org/https://app.example.com", false, "what comes before as well"),
            ("https://xapp.example.com", false, "a longer label"),
            ("https://pp.example.com", false, "a shorter one"),
            ("https://App.example.com", false, "browsers write lower case"),
            ("HTTPS://app.example.com", false, "likewise"),
            ("https://user@app.example.com", false, "no origin"),
            (" https://app.example.com", false, "exact"),
            ("https://app.example.com https://evil.org", false, "a list is no origin"),
            ("app.example.com", false, "without a scheme"),
            ("https://", false, "nothing but the scheme"),
            ("null", false, "a sandboxed frame, anybody's"),
            ("", false, "an empty value"),
        ])
    func exact(origin: String, isAdmitted: Bool, why: String) {
        #expect(admits([Self.app], origin) == isAdmitted, "\(why)")
    }

    @Test(
        "a wildcard is for the names below it",
        arguments: [
            ("https://app.example.com", true, "one label"), ("https://a.b.example.com", true, "two"),
            ("https://x.example.com", true, "a short one"), ("https://app-2.example.com", true, "a dash"),
            ("https://2.example.com", true, "a digit"),
            ("https://example.com", false, "the domain itself is not below it"),
            ("https://.example.com", false, "no label"), ("https://..example.com", false, "nor here"),
            ("http://app.example.com", false, "another scheme"),
            ("https://app.example.com:8443", false, "another port"),
            ("https://app.example.com.", false, "another name"),
            ("https://appexample.com", false, "the dot belongs to the name"),
            ("https://evil-example.com", false, "likewise"),
            ("https://app.example.com.evil.org", false, "what follows decides"),
            ("https://evil.org/.example.com", false, "a path is no name"),
            ("https://evil.org?.example.com", false, "nor a query"),
            ("https://evil.org#.example.com", false, "nor a fragment"),
            ("https://evil.org:1.example.com", false, "nor a port"),
            ("https://evil.org@x.example.com", false, "nor a user"),
            ("https://evil.org\\.example.com", false, "nor what a browser would read as a slash"),
            ("https://evil.org\u{0}.example.com", false, "nor a control character"),
            ("https://evil.org .example.com", false, "nor a blank"), ("https://*.example.com", false, "nor the star"),
            ("https://[::1].example.com", false, "nor an address"),
            ("https://é.example.com", false, "browsers write punycode"),
            ("https://APP.example.com", false, "and lower case"), ("null", false, "anybody's"), ("", false, "empty"),
        ])
    func wildcard(origin: String, isAdmitted: Bool, why: String) {
        #expect(admits([Self.below], origin) == isAdmitted, "\(why)")
    }

    @Test(
        "a port of the file's is part of the origin",
        arguments: [
            ("http://localhost:3000", true, "itself"), ("http://localhost", false, "the scheme's own port"),
            ("http://localhost:30000", false, "a longer one"), ("http://localhost:300", false, "a shorter one"),
            ("https://localhost:3000", false, "another scheme"),
            ("https://app.example.com:8443", true, "a wildcard with a port"),
            ("https://app.example.com", false, "and without it"),
            ("https://app.example.com:443", false, "or with another"),
            ("https://app.example.com:18443", false, "or with one that ends alike"),
        ])
    func ports(origin: String, isAdmitted: Bool, why: String) {
        #expect(admits([Self.port, Self.belowPort], origin) == isAdmitted, "\(why)")
    }

    @Test("a star is for every origin", arguments: ["https://evil.org", "http://localhost:1", "null", ""])
    func any(origin: String) {
        #expect(admits([.any], origin))
    }

    @Test("one of several is enough, in any order, and none admits nobody")
    func several() {
        let origins = [Self.port, Self.below, Self.app]
        for origin in ["http://localhost:3000", "https://x.example.com", "https://app.example.com"] {
            #expect(admits(origins, origin) && admits(origins.reversed(), origin))
            #expect(!admits([], origin))
        }
        #expect(!admits(origins, "https://example.com"))
    }
}
