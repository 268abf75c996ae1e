import Configuration
import HTTP
import JOSE
import Testing

@testable import Policy

struct HeaderPolicyTests {
    private typealias Context = HeaderPolicy.RequestContext

    /// What happens to the field lines of a request, in their order.
    private func dispositions(_ lines: [String], _ context: HeaderPolicy.RequestContext) throws
        -> [HeaderPolicy.Disposition]
    {
        let text = (["GET / HTTP/1.1", "Host: a"] + lines).joined(separator: "\r\n") + "\r\n\r\n"
        let bytes = Array(text.utf8)
        var head = RequestHead()
        var parser = RequestHeadParser(limits: HeadLimits())
        let progress = parser.parse(bytes.span, into: &head)
        try #require(progress == .complete)
        var result: [HeaderPolicy.Disposition] = []
        for field in head.fields.dropFirst() {
            result.append(HeaderPolicy.disposition(of: field, in: bytes.span, context))
        }
        return result
    }

    @Test(arguments: [
        ("Accept: */*", HeaderPolicy.Disposition.copy, "an ordinary field"),
        ("X-Anything: 1", .copy, "one that nobody knows"),
        ("Cookie: a=b", .copy, "cookies"),
        ("Content-Type: text/plain", .copy, "the representation"),
        ("Via: 1.1 x", .copy, "Via is neither added nor removed"),
        ("Sec-WebSocket-Key: x", .copy, "what a handshake needs"),
        ("X-User-Id: 1", .drop, "identity"),
        ("X-Agent-Id: 1", .drop, "report 10: whether or not it is injected this time"),
        ("X-Api-Key-Id: 1", .drop, "report 10"),
        ("x-user-id: 1", .drop, "in any case"),
        ("X_User_Id: 1", .drop, "threats: an alias"),
        ("x_api-key_id: 1", .drop, "threats: a mixed alias"),
        ("X-Request-Id: 1", .drop, "replaced by ours"),
        ("X_Request_Id: 1", .drop, "its alias"),
        ("Connection: close", .drop, "hop-by-hop"),
        ("Keep-Alive: 5", .drop, "hop-by-hop"),
        ("Proxy-Connection: x", .drop, "hop-by-hop"),
        ("TE: trailers", .drop, "hop-by-hop"),
        ("Trailer: x", .drop, "hop-by-hop"),
        ("Transfer-Encoding: chunked", .drop, "framing is written anew"),
        ("Content-Length: 0", .drop, "framing is written anew"),
        ("Content_Length: 5", .drop, "an alias of framing"),
        ("Upgrade: h2c", .drop, "threats: h2c smuggling"),
        ("HTTP2-Settings: x", .drop, "threats: h2c smuggling"),
        ("Proxy-Authorization: x", .drop, "meant for a proxy, RFC 9110 §11.7.2"),
        ("Expect: 100-continue", .drop, "answered here"),
    ])
    func requestFields(line: String, expected: HeaderPolicy.Disposition, why: String) throws {
        for trusts in [false, true] {
            let context = Context(trustsPeer: trusts, forwardsAuthorization: true)
            #expect(try dispositions([line], context) == [expected], "\(why)")
        }
    }

    @Test(arguments: [
        ("X-Forwarded-For: 1.2.3.4", HeaderPolicy.Disposition.extend, "appended to"),
        ("X-Forwarded-Proto: http", .copy, "kept"),
        ("X-Forwarded-Host: x", .copy, "kept"),
        ("Forwarded: for=x", .copy, "kept"),
        ("X-Real-IP: 1.2.3.4", .copy, "kept"),
        ("X-Forwarded-Client-Cert: x", .copy, "kept"),
        ("X-Original-URL: /x", .copy, "kept"),
        ("X-Rewrite-URL: /x", .copy, "kept"),
        ("X_Forwarded_For: 1.2.3.4", .drop, "an alias is nobody's to send"),
        ("X_Real_IP: 1.2.3.4", .drop, "an alias is nobody's to send"),
    ])
    func forwardingFields(line: String, trusted: HeaderPolicy.Disposition, why: String) throws {
        let untrusted = try dispositions([line], Context(trustsPeer: false, forwardsAuthorization: false))
        #expect(untrusted == [.drop], "reports 13, 14, 24: a client's own word")
        let kept = try dispositions([line], Context(trustsPeer: true, forwardsAuthorization: false))
        #expect(kept == [trusted], "\(why)")
    }

    @Test func connectionRemovesWhatItNamesButNotWhatIsOurs() throws {
        let context = Context(trustsPeer: true, forwardsAuthorization: true)
        let lines = [
            "Connection: x-hop, authorization, x-forwarded-for, x-user-id, x-real-ip", "X-Hop: 1", "Authorization: x",
            "X-Forwarded-For: 1.2.3.4", "X-User-Id: 1", "X-Real-IP: 1.2.3.4", "X-Other: 1",
        ]
        #expect(try dispositions(lines, context) == [.drop, .drop, .copy, .extend, .drop, .copy, .copy])
    }

    @Test(arguments: [("TE: trailers", HeaderPolicy.Disposition.copy), ("TE: Trailers", .copy), ("TE: gzip", .drop)])
    func trailersAreForGRPC(line: String, expected: HeaderPolicy.Disposition) throws {
        let context = Context(trustsPeer: false, forwardsAuthorization: true, isGRPC: true)
        #expect(try dispositions([line, "Connection: TE"], context) == [expected, .drop])
    }

    @Test(
        arguments: [
            (nil, true, false, true), (true, true, true, true), (false, false, false, false),
        ] as [(Bool?, Bool, Bool, Bool)])
    func authorization(forward: Bool?, ofUser: Bool, ofAgent: Bool, ofNobody: Bool) throws {
        let keys = KeyTable([Samples.key("rk_1")])
        let authenticator = try Samples.authenticator(keys: keys)
        let user = try #require(authenticator.principal("Bearer \(try Samples.token())"))
        let agent = try #require(authenticator.principal("Bearer rk_1"))
        let route = try Samples.route("/api/", accept: [.jwt, .apiKey], forward: forward)
        for (principal, goesOn) in [(user, ofUser), (agent, ofAgent), (nil, ofNobody)] {
            let context = Context(route: route, principal: principal, trustsPeer: false, isGRPC: false)
            #expect(try dispositions(["Authorization: Bearer x"], context) == [goesOn ? .copy : .drop], "report 22")
        }
    }

    @Test(arguments: [
        ("Content-Type: text/plain", HeaderPolicy.Disposition.copy, "an ordinary field"),
        ("Set-Cookie: a=b", .copy, "each of several"),
        ("Server: x", .copy, "the upstream's own"),
        ("Content-Length: 0", .copy, "true, and needed for HEAD and 304"),
        ("WWW-Authenticate: Basic", .copy, "the upstream's own challenge"),
        ("Connection: x-hop", .drop, "hop-by-hop"),
        ("Keep-Alive: 5", .drop, "hop-by-hop"),
        ("Proxy-Connection: x", .drop, "hop-by-hop"),
        ("Trailer: x", .drop, "hop-by-hop"),
        ("Upgrade: h2c", .drop, "hop-by-hop"),
        ("Proxy-Authenticate: Basic", .drop, "no proxy asks the client"),
        ("X-Request-Id: 1", .drop, "replaced by ours"),
    ])
    func responseFields(line: String, expected: HeaderPolicy.Disposition, why: String) throws {
        let bytes = Array("HTTP/1.1 200 OK\r\n\(line)\r\nConnection: x-nominated\r\nX-Nominated: 1\r\n\r\n".utf8)
        var head = ResponseHead()
        var parser = ResponseHeadParser()
        let progress = parser.parse(bytes.span, answering: .get, into: &head)
        try #require(progress == .complete)
        let found = head.fields.map { HeaderPolicy.disposition(ofResponse: $0) }
        #expect(found == [expected, .drop, .drop], "\(why)")
    }

    @Test(arguments: [
        (FieldName.other, true), (.date, true), (.host, false), (.authorization, false), (.contentLength, false),
        (.transferEncoding, false), (.xUserID, false), (.xAgentID, false), (.xForwardedFor, false),
        (.connection, false),
        (.trailer, false), (.te, false), (.xRequestID, false), (.setCookie, false), (.cookie, false),
    ])
    func trailers(id: FieldName, goesOn: Bool) {
        var field = Field(name: ByteRange(), value: ByteRange(), line: ByteRange(), id: id)
        #expect(HeaderPolicy.forwardsTrailer(field) == goesOn)
        field.isAlias = true
        #expect(!HeaderPolicy.forwardsTrailer(field))
    }
}
