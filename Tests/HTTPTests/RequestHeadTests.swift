import HTTP
import Testing

@Suite struct RequestHeadTests {
    static let accepted: [Row<String>] = [
        Row(
            "origin-form, RFC 9112 §3.2.1", "GET /a/b?c=d&e HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /a/b ?c=d&e 1.1 host=x keeps"),
        Row("an empty query is a query", "GET /? HTTP/1.1\r\nHost: x\r\n\r\n", "GET / ? 1.1 host=x keeps"),
        Row("a second ? belongs to the query", "GET /?a?b HTTP/1.1\r\nHost: x\r\n\r\n", "GET / ?a?b 1.1 host=x keeps"),
        Row(
            "absolute-form, RFC 9112 §3.2.2", "GET HTTP://Ex.com:80/a?b HTTP/1.1\r\nHost: ex.COM:80\r\n\r\n",
            "GET /a ?b 1.1 host=ex.COM:80 authority=Ex.com:80 keeps"),
        Row(
            "absolute-form without a path means /", "GET https://x?b HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET / ?b 1.1 host=x authority=x keeps"),
        Row("asterisk-form, RFC 9112 §3.2.4", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS * 1.1 host=x keeps"),
        Row("unknown method, RFC 9110 §9.1", "BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n", "BREW /pot 1.1 host=x keeps"),
        Row("methods are case-sensitive, RFC 9110 §9.1", "get / HTTP/1.1\r\nHost: x\r\n\r\n", "get / 1.1 host=x keeps"),
        Row(
            "a method of 32 bytes", "\(String(repeating: "A", count: 32)) / HTTP/1.1\r\nHost: x\r\n\r\n",
            "\(String(repeating: "A", count: 32)) / 1.1 host=x keeps"),
        Row(
            "one CRLF before the request line, RFC 9112 §2.2", "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET / 1.1 host=x keeps"),
        Row(
            "bytes of the next request are left alone", "GET / HTTP/1.1\r\nHost: x\r\n\r\n\0garbage",
            "GET / 1.1 host=x keeps"),
        Row("HTTP/1.0 without Host closes, RFC 9112 §9.3", "GET / HTTP/1.0\r\n\r\n", "GET / 1.0 closes"),
        Row("HTTP/1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET / 1.0 keeps"),
        Row("close", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET / 1.1 host=x closes"),
        Row(
            "close wins over keep-alive",
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nConnection: , CLOSE ,\r\n\r\n",
            "GET / 1.1 host=x closes"),
        Row("an empty value is a value", "GET / HTTP/1.1\r\nHost: x\r\nA:\r\nB: \t\r\n\r\n", "GET / 1.1 host=x keeps"),
        Row(
            "tabs and obs-text in values, RFC 9110 §5.5", "GET / HTTP/1.1\r\nHost: x\r\nA:\ta\tbé\t \r\n\r\n",
            "GET / 1.1 host=x keeps"),
        Row(
            "field names in any case", "GET / HTTP/1.1\r\nHOST:x\r\ncOnTeNt-LeNgTh:0\r\n\r\n",
            "GET / 1.1 host=x length=0 keeps"),
        Row(
            "Host with an IPv6 address and a port", "GET / HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n",
            "GET / 1.1 host=[::1]:8443 keeps"),
        Row(
            "Content-Length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0042\r\n\r\n",
            "POST / 1.1 host=x length=42 keeps"),
        Row(
            "the largest Content-Length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9223372036854775807\r\n\r\n",
            "POST / 1.1 host=x length=9223372036854775807 keeps"),
        Row(
            "chunked in any case, RFC 9112 §7", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n",
            "POST / 1.1 host=x chunked keeps"),
        Row(
            "100-continue, RFC 9110 §10.1.1",
            "PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n",
            "PUT / 1.1 host=x length=3 keeps expects"),
        Row(
            "100-continue from HTTP/1.0 is ignored, RFC 9110 §10.1.1", "PUT / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n",
            "PUT / 1.0 closes"),
        Row("TRACE without a body", "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", "TRACE / 1.1 host=x keeps"),
        Row(
            "a WebSocket handshake, RFC 6455 §4.1",
            "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\r\n",
            "GET /ws 1.1 host=x keeps websocket"),
        Row(
            "h2c is an upgrade, but not to WebSocket (h2csmuggler)",
            "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n",
            "GET / 1.1 host=x keeps upgrade nominated=Upgrade nominated=HTTP2-Settings"),
        Row(
            "Upgrade without the option, RFC 9110 §7.8", "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n",
            "GET / 1.1 host=x keeps"),
        Row(
            "Upgrade in HTTP/1.0, RFC 9110 §7.8", "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            "GET / 1.0 closes"),
        Row(
            "the credential byte for byte, reports 2",
            "GET / HTTP/1.1\r\nHost: x\r\nAuthorization:  bEaReR  a.b.c \r\n\r\n",
            "GET / 1.1 host=x keeps authorization=bEaReR  a.b.c"),
        Row("a request id", "GET / HTTP/1.1\r\nHost: x\r\nx-request-id: a1\r\n\r\n", "GET / 1.1 host=x keeps id=a1"),
        Row(
            "two request ids are none, reports 15",
            "GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\r\nX-Request-ID: b\r\n\r\n", "GET / 1.1 host=x keeps"),
        Row(
            "gRPC", "POST /s/m HTTP/1.1\r\nHost: x\r\nContent-Type: application/gRPC+proto\r\n\r\n",
            "POST /s/m 1.1 host=x keeps grpc"),
        Row(
            "gRPC-Web is not gRPC", "POST /s/m HTTP/1.1\r\nHost: x\r\nContent-Type: application/grpc-web\r\n\r\n",
            "POST /s/m 1.1 host=x keeps"),
    ]

    @Test(arguments: accepted) func accepts(_ row: Row<String>) {
        #expect(requestOutcome(row.input).description == row.expectation)
    }

    static let nominations: [Row<String>] = [
        Row(
            "Connection names a field, RFC 9110 §7.6.1",
            "GET / HTTP/1.1\r\nX-Foo: 1\r\nHost: x\r\nConnection: x-foo\r\n\r\n",
            "GET / 1.1 host=x keeps nominated=X-Foo"),
        Row(
            "it cannot name what the gateway injects or decides on, Traefik CVE-2024-45410, Fabio CVE-2025-48865",
            "GET / HTTP/1.1\r\nHost: x\r\nX-User-Id: 1\r\nX-Forwarded-For: 1\r\nAuthorization: b\r\nContent-Length: 0\r\nX-Real-IP: 1\r\n"
                + "Connection: x-user-id, x-forwarded-for, authorization, content-length, host, x-real-ip\r\n\r\n",
            "GET / 1.1 host=x length=0 keeps authorization=b"),
        Row(
            "an underscore alias of an identity field, oauth2-proxy CVE-2025-64484",
            "GET / HTTP/1.1\r\nHost: x\r\nx_user_id: 1\r\nX-Agent_ID: 2\r\n\r\n",
            "GET / 1.1 host=x keeps alias=x_user_id~xUserID alias=X-Agent_ID~xAgentID"),
        Row(
            "an underscore alias of a forwarding field, Traefik CVE-2026-33433",
            "GET / HTTP/1.1\r\nHost: x\r\nX_Forwarded_For: 1\r\nX_Forwarded_Client_Cert: 2\r\n\r\n",
            "GET / 1.1 host=x keeps alias=X_Forwarded_For~xForwardedFor alias=X_Forwarded_Client_Cert~xForwardedClientCert"
        ),
        Row(
            "other separators that CGI reads as underscores", "GET / HTTP/1.1\r\nHost: x\r\nX.User!Id: 1\r\n\r\n",
            "GET / 1.1 host=x keeps alias=X.User!Id~xUserID"),
        Row(
            "an alias of a framing field frames nothing",
            "GET / HTTP/1.1\r\nHost: x\r\nContent_Length: 5\r\nTransfer_Encoding: chunked\r\n\r\n",
            "GET / 1.1 host=x keeps alias=Content_Length~contentLength alias=Transfer_Encoding~transferEncoding"),
        Row(
            "an underscore elsewhere is no alias", "GET / HTTP/1.1\r\nHost: x\r\ncontent_type: 1\r\nfoo_bar: 2\r\n\r\n",
            "GET / 1.1 host=x keeps"),
    ]

    @Test(arguments: nominations) func namesAndAliases(_ row: Row<String>) {
        #expect(requestOutcome(row.input).description == row.expectation)
    }

    @Test func rangesPointIntoTheBytes() throws {
        let input = "\r\nPOST /p?q HTTP/1.1\r\nHost: x\r\nX-A:  v w \r\n\r\nbody"
        let bytes = [UInt8](input.utf8)
        var parser = RequestHeadParser(limits: HeadLimits())
        var head = RequestHead()
        #expect(parser.parse(bytes.span, into: &head) == .complete)
        #expect(head.length == bytes.count - 4)
        #expect(text(bytes, head.target) == "/p?q")
        let field = try #require(head.fields.last)
        #expect(text(bytes, field.name) == "X-A")
        #expect(text(bytes, field.value) == "v w")
        #expect(text(bytes, field.line) == "X-A:  v w \r\n")
        #expect(head.first(.host).map { text(bytes, $0.value) } == "x")
    }

    @Test func pipelinedRequestsAreJudgedAlone() {
        let first =
            "GET /a HTTP/1.1\r\nHost: x\r\nAuthorization: b\r\nX-Request-Id: 1\r\nContent-Type: application/grpc\r\n\r\n"
        let second = "GET /b HTTP/1.1\r\nHost: y\r\n\r\n"
        let bytes = [UInt8]((first + second).utf8)
        var parser = RequestHeadParser(limits: HeadLimits())
        var head = RequestHead()
        #expect(parser.parse(bytes.span, into: &head) == .complete)
        #expect(head.authorization != nil)
        let rest = Array(bytes[head.length...])
        #expect(parser.parse(rest.span, into: &head) == .complete)
        #expect(RequestOutcome(.complete, head, rest).description == "GET /b 1.1 host=y keeps")
    }
}
