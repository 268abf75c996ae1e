import Configuration
import HTTP
import JOSE
import Observability
import Testing
import Transport

@testable import Gateway

@Suite("Gateway's small parts")
struct SmallPartsTests {
    @Test(
        "a Host without its port, in lower case",
        arguments: [
            Row("a name", "Example.COM", "example.com"), Row("with a port", "example.com:8443", "example.com"),
            Row("an empty port", "example.com:", "example.com"), Row("IPv6", "[::1]", "[::1]"),
            Row("IPv6 with a port", "[2001:DB8::1]:443", "[2001:db8::1]"), Row("digits only", "12345", "12345"),
            Row("IPv4", "127.0.0.1:80", "127.0.0.1"), Row("empty", "", ""), Row("only a port", ":80", ""),
        ])
    func hostName(_ row: Row<String, String>) {
        let host = Array(row.input.utf8)
        let name = HostName.withoutPort(host.span)
        #expect(name == row.expectation)
    }

    @Test(
        "lines that lie side by side are copied together, gaps are left out",
        arguments: [
            Row("none", [], ""), Row("all", [0..<2, 2..<4, 4..<6], "aabbcc"), Row("a gap", [0..<2, 4..<6], "aacc"),
            Row("not from the start", [2..<4, 4..<6], "bbcc"), Row("the last", [4..<6], "cc"),
            Row("backwards", [4..<6, 0..<2], "ccaa"), Row("an empty one", [0..<2, 2..<2, 2..<4], "aabb"),
        ] as [Row<[Range<Int>], String>])
    func lineRun(_ row: Row<[Range<Int>], String>) {
        let bytes = Array("aabbcc".utf8)
        let buffer = ByteBuffer(capacity: 64)
        var run = LineRun()
        for line in row.input { run.add(line, bytes.span, to: buffer) }
        run.flush(bytes.span, to: buffer)
        run.flush(bytes.span, to: buffer)
        #expect(buffer.text == row.expectation)
    }

    @Test("request ids are 32 lower-case hexadecimal digits and do not repeat, among generators neither")
    func requestIDs() {
        var seen: Set<[UInt8]> = []
        for _ in 0..<10 {
            var generator = RequestIDGenerator()
            for _ in 0..<1000 {
                var text: [UInt8] = []
                generator.append(to: &text)
                #expect(text.count == 32 && text.allSatisfy { "0123456789abcdef".utf8.contains($0) })
                let isAccepted = FieldSyntax.isRequestID(text.span)
                #expect(isAccepted)
                seen.insert(text)
            }
        }
        #expect(seen.count == 10_000)
    }

    @Test("a number below a bound reaches all of them alike", arguments: [1, 2, 3, 10])
    func number(bound: Int) {
        var generator = RequestIDGenerator()
        var counts = [Int](repeating: 0, count: bound)
        for _ in 0..<10_000 { counts[generator.number(below: bound)] += 1 }
        #expect(counts.allSatisfy { abs($0 - 10_000 / bound) < 500 })
        #expect(generator.number(below: 0) == 0)
    }

    @Test("StableHash is the same for ever, and compares names in any case")
    func stableHash() {
        func hash(_ text: String) -> UInt64 {
            let bytes = Array(text.utf8)
            return StableHash.of(bytes.span)
        }
        func equals(_ range: Range<Int>, _ text: String) -> Bool {
            let bytes = Array("X: Session-Id".utf8)
            return TextMatch.equalsIgnoringCase(bytes.span, range, text)
        }
        let basis = 0xcbf2_9ce4_8422_2325 as UInt64
        #expect(hash("") == basis ^ basis >> 32)
        let published = 0xaf63_dc4c_8601_ec8c as UInt64
        #expect(hash("a") == published ^ published >> 32, "FNV-1a's value")
        #expect(equals(3..<13, "session-ID"))
        #expect(!equals(3..<12, "session-id"))
        #expect(!equals(3..<13, "session_id"))
    }

    @Test("connections are admitted up to the limit, and who waits is told once when one ends")
    func admission() {
        let admission = Admission(configured: 3)
        #expect(admission.limit == 3)
        #expect((0..<3).allSatisfy { _ in admission.admit(isAdmin: false) })
        #expect(!admission.admit(isAdmin: false) && !admission.admit(isAdmin: false))
        #expect((0..<16).allSatisfy { _ in admission.admit(isAdmin: true) }, "operators have room of their own")
        #expect(!admission.admit(isAdmin: true))
        for _ in 0..<16 { _ = admission.release() }
        #expect(!admission.admit(isAdmin: false))
        #expect(admission.release(), "somebody waits")
        #expect(admission.admit(isAdmin: false))
        #expect(!admission.release(), "nobody was turned away since")
        let unlimited = Admission(configured: .max)
        #expect(unlimited.limit >= 8 && unlimited.limit < Int.max, "a quarter of the descriptors is left")
        let usual = Admission(configured: nil)
        #expect(usual.limit >= 8 && usual.limit < unlimited.limit, "one for an upstream for each")
    }

    @Test("whose upstream connections idle is asked once to give them up when descriptors run short")
    func crowd() {
        let admission = Admission(configured: nil)
        // Whatever the limit here: clients may take one half, upstreams the other.
        while admission.admit(isAdmin: false) {}
        #expect((0..<admission.limit - 1).allSatisfy { _ in !admission.upstreamOpened() })
        let told = (0..<3).count { _ in admission.upstreamOpened() }
        #expect(told == 1)
        admission.relieved()
        #expect(admission.upstreamOpened())
        admission.relieved()
        for _ in 0..<8 { admission.upstreamClosed() }
        #expect(!admission.upstreamOpened(), "there are some again")
    }

    private func written(_ answer: LocalAnswer, close: Bool = false, headOnly: Bool = false) -> String {
        let buffer = ByteBuffer(capacity: 64)
        let (id, date) = (Array("id1".utf8), Array("Thu, 01 Jan 1970 00:00:00 GMT".utf8))
        answer.append(requestID: id.span, date: date.span, close: close, headOnly: headOnly, to: buffer)
        return buffer.text
    }

    @Test("an answer of the gateway's own is whole, and the answer to HEAD has its length and no body")
    func localAnswer() {
        let head =
            "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: application/json\r\n"
            + "Content-Length: 2\r\nCache-Control: no-store\r\nX-Request-Id: id1\r\n"
        #expect(written(.json(200, "{}")) == head + "\r\n{}")
        #expect(written(.json(200, "{}"), close: true) == head + "Connection: close\r\n\r\n{}")
        #expect(written(.json(200, "{}"), headOnly: true) == head + "\r\n")
        let redirect = written(.redirect(to: Array("https://a.example/x?y".utf8)))
        #expect(redirect.hasPrefix("HTTP/1.1 308 Permanent Redirect\r\n"))
        #expect(
            redirect.contains("\r\nLocation: https://a.example/x?y\r\n")
                && redirect.hasSuffix("Content-Length: 0\r\n") == false)
        #expect(redirect.hasSuffix("\r\n\r\n"))
    }

    @Test("a path matches with and without one final slash")
    func paths() {
        for (path, matches) in [
            ("/metrics", true), ("/metrics/", true), ("/metrics//", false), ("/metric", false), ("/Metrics", false),
            ("", false),
        ] {
            let bytes = Array(path.utf8)
            let isPath = TextMatch.isPath(bytes.span, "/metrics")
            #expect(isPath == matches)
        }
    }

    @Test("the routes are listed as JSON, whatever stands in them")
    func routeListing() throws {
        var configuration = Configuration()
        #expect(RouteListing.json(configuration) == #"{"routes":[]}"#)
        configuration.upstreams = [Upstream(name: "a\"b", servers: [])]
        configuration.routes = [
            Route(index: 0, methods: ["GET", "POST"], pattern: try PathPattern("/x/{id}/"), accept: [.jwt, .apiKey]),
            Route(index: 1, host: "h.example", pattern: try PathPattern("/"), accept: []),
        ]
        #expect(
            RouteListing.json(configuration)
                == #"{"routes":[{"methods":["GET","POST"],"pattern":"/x/{id}/","accept":["jwt","api_key"],"upstream":"a\"b"},"#
                + #"{"host":"h.example","methods":[],"pattern":"/","accept":["none"],"upstream":"a\"b"}]}"#)
    }

    @Test("a server is up when every shard says so, an upstream when it has one that is up")
    func upstreamReport() {
        func state(_ upstream: String, _ server: String, _ isUp: Bool) -> UpstreamState {
            UpstreamState(upstream: upstream, server: server, isUp: isUp)
        }
        let one = [state("a", "1", true), state("a", "2", false), state("b", "3", true)]
        let other = [state("a", "1", true), state("a", "2", true), state("b", "3", false)]
        let merged = UpstreamReport.merge([one, other])
        #expect(merged == [state("a", "1", true), state("a", "2", false), state("b", "3", false)])
        #expect(UpstreamReport.checks(merged).map { "\($0.0)=\($0.1)" } == ["upstream a=ok", "upstream b=failed"])
        #expect(UpstreamReport.merge([]).isEmpty && UpstreamReport.checks([]).isEmpty)
        #expect(UpstreamReport.merge([[], one]).isEmpty, "shards that disagree for a moment")
    }

    @Test("another shard serves by objects of its own, which say the same")
    func replica() throws {
        var configuration = Configuration()
        configuration.upstreams = [Upstream(name: "u", servers: [])]
        var policies = RoutePolicies()
        policies.cors = CrossOrigin(origins: [.any], headers: ["x-a"])
        policies.rateLimit = try RateLimit(text: "3/s burst=4")
        policies.quota = try Quota(text: "5/d")
        policies.injections = [ClaimInjection(name: "X-B", claim: "b")]
        configuration.routes = [
            Route(
                index: 0, host: "h", methods: ["PUT"], pattern: try PathPattern("/a/{b}/"), accept: [.apiKey],
                agentParameter: "b", requirements: [ClaimRequirement(claim: "scope", values: ["query"])], maxBody: 7,
                forwardCredential: true, upstream: 0, webSocket: false, revokesSession: true, acceptsTicket: true,
                streamKeepalive: .seconds(3), streamGrace: .seconds(4), policies: policies,
                position: SourcePlace(file: "f", line: 5, column: 6))
        ]
        let serving = try Serving(configuration, tickets: TLSTicketKeys())
        let all = serving.replicas(3)
        let replica = all[2]
        #expect(all[0] === serving && all[1] !== all[2])
        let (one, other) = (serving.configuration.routes[0], replica.configuration.routes[0])
        #expect(one !== other && serving.router !== replica.router)
        #expect(serving.policies[0] !== replica.policies[0] && replica.policies[0]?.cors == policies.cors)
        let members = [one, other].map { Mirror(reflecting: $0).children.map { "\($0.label ?? "") \($0.value)" } }
        #expect(members[0] == members[1] && members[0].count == 20)
    }
}
