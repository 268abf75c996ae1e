import Configuration
import HTTP
import Testing

@testable import Policy

extension Router {
    /// What a request meets, as text: the route's place and its parameters, `404`, or `405` with `Allow`.
    func answer(_ request: String, host: String = "") -> String {
        let words = request.split(separator: " ").map(String.init)
        let name = Array(words[0].utf8)
        let path = Array(words[1].utf8)
        let hostBytes = Array(host.utf8)
        var match = RouteMatch()
        switch self.match(
            host: hostBytes.span, method: Method(name.span), methodName: name.span, path: path.span, into: &match)
        {
        case .found:
            let values = match.parameters.map { String(decoding: path[$0.range], as: UTF8.self) }
            return ([String(match.routeIndex)] + values).joined(separator: " ")
        case .notFound: return "404"
        case .methodNotAllowed(let allowed): return "405 \(allowed)"
        }
    }
}

struct RouterTests {
    @Test(arguments: [
        (["/public/"], "GET /public", "0", "report 11: without the slash"),
        (["/public/"], "GET /public/", "0", "report 11: with it"),
        (["/public/"], "GET /public/a/b", "0", "all below it"),
        (["/public/"], "GET /publicx", "404", "report 11: another name"),
        (["/public/"], "GET /PUBLIC/", "404", "report 11: case matters"),
        (["/public/"], "GET /public.", "404", "threats: a trailing dot"),
        (["/public/"], "GET /", "404", "not what is above it"),
        (["/public"], "GET /public", "0", "exactly that path"),
        (["/public"], "GET /public/", "404", "not with a slash"),
        (["/public"], "GET /public/a", "404", "nothing below it"),
        (["/"], "GET /", "0", "the root covers itself"),
        (["/"], "GET /a/b", "0", "and everything"),
        (["/a/{x}"], "GET /a/b", "0 b", "a parameter is one segment"),
        (["/a/{x}"], "GET /a/", "404", "that is not empty"),
        (["/a/{x}/"], "GET /a", "404", "nor absent"),
        (["/a/{x}/"], "GET /a/b/c/d", "0 b", "below a parameter"),
        (["/a/{x}/{y}/"], "GET /a/b/c%3A/d", "0 b c%3A", "values are ranges of the normalised path"),
        (["/a/{x}/c", "/a/b/c"], "GET /a/b/c", "1", "a literal before a parameter"),
        (["/", "/a/", "/a/b/"], "GET /a/b/c", "2", "a longer one before a shorter one"),
        (["/a/b/", "/a/b"], "GET /a/b", "1", "exactly this path before a prefix of it"),
        (["/a/b/", "/a/b"], "GET /a/b/", "0", "the prefix with the slash"),
        (["/a/b/c", "/a/{x}/d"], "GET /a/b/d", "1 b", "back from a literal that leads nowhere"),
        (["/a/b/c/", "/{x}/b/d/", "/{x}/{y}/"], "GET /a/b/d", "1 a", "back over two levels"),
        (["/a/b/c/", "/{x}/b/d/", "/{x}/{y}/"], "GET /a/b/e", "2 a b", "and parameters are those of the match"),
        (["/a/", "/a/b/c/"], "GET /a/b/d", "0", "back to a shorter pattern"),
        (["/a/b/", "/a/{x}/c/d/"], "GET /a/b/c/d", "0", "segment by segment: the literal decides first"),
        (["/api/agents/{id}/", "/api/agents/new/"], "GET /api/agents/new", "1", "a literal sibling"),
        (["/api/agents/{id}/", "/api/agents/new/"], "GET /api/agents/newer/", "0 newer", "only its whole name"),
    ])
    func finds(patterns: [String], request: String, expected: String, why: String) throws {
        let routes = try Samples.routes(patterns)
        #expect(Router(routes: routes).answer(request) == expected, "\(why)")
        // Whatever the order in the file: the same pattern, under another index.
        let reversed = try Samples.routes(patterns.reversed())
        let place = expected.split(separator: " ").first.flatMap { Int($0) }
        let turned = place.flatMap { $0 < patterns.count ? String(patterns.count - 1 - $0) : nil }
        let rest = expected.split(separator: " ").dropFirst().map(String.init)
        #expect(
            Router(routes: reversed).answer(request)
                == (turned.map { ([$0] + rest).joined(separator: " ") } ?? expected))
    }

    @Test(arguments: [
        (["POST /a/"], "POST /a/", "0", "the method"),
        (["POST /a/"], "GET /a/", "405 POST", "another one: 405 with Allow"),
        (["POST /a/"], "post /a/", "405 POST", "methods are case-sensitive, RFC 9110 §9.1"),
        (["POST /a/"], "GET /b/", "404", "404 where no pattern covers the path"),
        (["GET /a/"], "HEAD /a/", "0", "HEAD where GET is named"),
        (["GET|DELETE /a/"], "PUT /a/", "405 GET, HEAD, DELETE", "HEAD in Allow too"),
        (["POST /a/", "GET /a/"], "GET /a/", "1", "one pattern, a route for each method"),
        (["POST /a/", "GET /a/"], "DELETE /a/", "405 GET, HEAD, POST", "Allow of both"),
        (["/a/", "POST /a/"], "POST /a/", "1", "a named method before all methods"),
        (["/a/", "POST /a/"], "GET /a/", "0", "all methods for the others"),
        (["GET /a/", "HEAD /a/"], "HEAD /a/", "1", "HEAD itself before GET's"),
        (["HEAD /a/", "GET /a/"], "GET /a/", "1", "and GET is not HEAD's"),
        (["POST /a/b/", "/a/"], "GET /a/b/", "1", "a shorter pattern that takes the method"),
        (["POST /a/b/", "GET /a/"], "DELETE /a/b/", "405 GET, HEAD, POST", "Allow of every pattern that covers it"),
        (["POST /a/{x}/", "PUT /a/b/"], "POST /a/b/", "0 b", "back to the parameter for the method"),
        (["PURGE /a/"], "PURGE /a/", "0", "methods that are not registered"),
        (["PURGE|GET /a/"], "BAN /a/", "405 GET, HEAD, PURGE", "compare by name"),
        (["/a/"], "BREW /a/", "0", "any method at all"),
        (["OPTIONS /a/"], "OPTIONS /a/", "0", "OPTIONS is a method like any other"),
    ])
    func methods(patterns: [String], request: String, expected: String, why: String) throws {
        #expect(Router(routes: try Samples.routes(patterns)).answer(request) == expected, "\(why)")
    }

    @Test(arguments: [
        ("api.example.com", "GET /x/", "0", "its own route"),
        ("API.Example.COM", "GET /x/", "0", "in any case"),
        ("api.example.com:8443", "GET /x/", "0", "with a port"),
        ("api.example.com.", "GET /x/", "0", "with the dot of a full name"),
        ("www.example.com", "GET /x/", "1", "another host: the route for any"),
        ("", "GET /x/", "1", "none"),
        ("api.example.com", "GET /y/", "2", "what it has no route for: the route for any"),
        ("api.example.com", "POST /z/", "4", "the method counts"),
        ("api.example.com", "PUT /z/", "405 GET, HEAD, POST", "Allow of both"),
        ("www.example.com", "GET /z/", "405 POST", "not another host's methods"),
        ("[::1]:8443", "GET /v6/", "5", "an address with a port"),
        ("[::1]", "GET /v6/", "5", "without"),
        ("api.example.com.evil", "GET /v6/", "404", "a longer name"),
        ("api.example", "GET /v6/", "404", "a shorter one"),
    ])
    func hosts(host: String, request: String, expected: String, why: String) throws {
        let routes = [
            try Samples.route("/x/", 0, host: "api.example.com"), try Samples.route("/x/", 1),
            try Samples.route("/y/", 2), try Samples.route("GET /z/", 3, host: "api.example.com"),
            try Samples.route("POST /z/", 4), try Samples.route("/v6/", 5, host: "[::1]"),
        ]
        #expect(Router(routes: routes).answer(request, host: host) == expected, "\(why)")
    }

    @Test func theAgentsRangeIsThatOfItsParameter() throws {
        let routes = [
            try Samples.route("/o/{org}/a/{agent_id}/", 0, agent: "agent_id"),
            try Samples.route("/p/{agent_id}/{other}", 1, agent: "agent_id"), try Samples.route("/q/{x}", 2),
        ]
        let router = Router(routes: routes)
        var match = RouteMatch()
        let get = Array("GET".utf8)
        for (path, agent) in [("/o/7/a/a1/x", "a1"), ("/p/a2/z", "a2"), ("/q/a3", nil)] {
            let bytes = Array(path.utf8)
            let outcome = router.match(
                host: Span(), method: .get, methodName: get.span, path: bytes.span, into: &match)
            #expect(outcome == .found)
            #expect(match.agent.map { String(decoding: bytes[$0.range], as: UTF8.self) } == agent)
        }
    }

    @Test func tenThousandRoutesAreAllFound() throws {
        var texts: [String] = []
        for index in 0..<5000 {
            texts.append("GET /api/service-\(index)/items/{id}/")
            texts.append("/api/service-\(index)/")
        }
        let router = Router(routes: try Samples.routes(texts))
        for index in stride(from: 0, to: 5000, by: 7) {
            #expect(router.answer("GET /api/service-\(index)/items/9/x") == "\(2 * index) 9")
            #expect(router.answer("PUT /api/service-\(index)/items/9") == "\(2 * index + 1)")
        }
        #expect(router.answer("GET /api/service-5000/") == "404")
    }

    @Test func aDeepPathIsCheap() throws {
        // Eight levels with a literal and a parameter each: 256 ways, none of which ends.
        var texts: [String] = []
        for bits in 0..<256 {
            let segments = (0..<8).map { bits >> $0 & 1 == 0 ? "a" : "{p\($0)}" }
            texts.append("/" + segments.joined(separator: "/") + "/end")
        }
        let router = Router(routes: try Samples.routes(texts))
        #expect(router.answer("GET /a/a/a/a/a/a/a/a/b") == "404")
        #expect(router.answer("GET /a/a/a/b/a/a/a/a/end") == "8 b")
        #expect(router.answer("GET /" + String(repeating: "a/", count: 4000)) == "404")
    }
}
