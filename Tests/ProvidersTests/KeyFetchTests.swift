import Configuration
import Testing
import Transport

@testable import Providers

@Suite("KeyFetch: a key set from where it is", .timeLimit(.minutes(2)))
struct KeyFetchTests {
    private static let set = #"{"keys":[]}"#

    /// What a fetch comes to: the set with its `max-age`, or why there is none.
    enum Outcome: Equatable, Sendable {
        case fetched(String, maxAge: Int64?)
        case failed(String)
    }

    private func outcome(_ definition: RemoteKeys) -> Outcome {
        do throws(ProviderFailure) {
            let fetched = try KeyFetch(definition).fetch()
            return .fetched(String(decoding: fetched.body, as: UTF8.self), maxAge: fetched.maxAge)
        } catch { return .failed(error.description) }
    }

    /// An answer at `/k` and what comes of it.
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let reply: TinyProvider.Reply
        let expected: Outcome
        let why: String

        init(_ name: String, _ reply: TinyProvider.Reply, _ expected: Outcome, why: String) {
            self.name = name
            self.reply = reply
            self.expected = expected
            self.why = why
        }

        var testDescription: String { name }
    }

    private static func aged(_ control: String) -> TinyProvider.Reply {
        .json(set, fields: "Cache-Control: \(control)\r\n")
    }

    private static let large = String(repeating: "x", count: ProviderRequest.keySetAtMost)
    private static let notHTTP = Outcome.failed("localhost answered what is no HTTP")
    private static let cutOff = Outcome.failed("localhost ended within its answer")
    private static let tooLong = Outcome.failed("the answer of localhost is longer than 256 KiB")

    static let answers: [Row] = [
        Row("a set", .json(set), .fetched(set, maxAge: nil), why: "as it is"),
        Row(
            "the type of RFC 7517", .json(set, type: "application/jwk-set+json"), .fetched(set, maxAge: nil),
            why: "§8.5.2"),
        Row(
            "parameters of the type", .json(set, type: "Application/JSON; charset=utf-8"), .fetched(set, maxAge: nil),
            why: "case and parameters do not matter"),
        Row("a life", aged("public, max-age=3600"), .fetched(set, maxAge: 3_600), why: "RFC 9111 §5.2.2.1"),
        Row("no store", aged("no-store"), .fetched(set, maxAge: 0), why: "fetched again soon"),
        Row("no cache", aged("max-age=60, no-cache"), .fetched(set, maxAge: 0), why: "likewise"),
        Row("a life that is none", aged("max-age=soon"), .fetched(set, maxAge: nil), why: "ignored"),
        Row(
            "in chunks",
            .raw(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"key\r\n6\r\ns\":[]}\r\n0\r\n\r\n"
            ), .fetched(set, maxAge: nil), why: "RFC 9112 §7.1"),
        Row(
            "until the end", .raw("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n\(set)"),
            .fetched(set, maxAge: nil), why: "HTTP/1.0 servers"),
        Row(
            "behind an interim answer",
            .raw(
                "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n\(set)"
            ), .fetched(set, maxAge: nil), why: "RFC 9110 §15.2"),
        Row(
            "as long as can be", .json(large), .fetched(large, maxAge: nil), why: "256 KiB"),
        Row("too long", .json(large + "x"), tooLong, why: "memory is bounded"),
        Row(
            "too long, in chunks",
            .raw(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n40001\r\n\(large)x\r\n0\r\n\r\n"
            ), tooLong, why: "whatever the framing"),
        Row(
            "nothing there", .json("{}", status: "404 Not Found"), .failed("the key set: the answer is 404"),
            why: "no set"),
        Row(
            "an error with a set", .json(set, status: "500 Oops"), .failed("the key set: the answer is 500"),
            why: "only 200 is a set"),
        Row(
            "a page", .json("<html>", type: "text/html"), .failed("the key set: the answer is 'text/html', not JSON"),
            why: "a portal on the way"),
        Row(
            "no type", .raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
            .failed("the key set: the answer is '', not JSON"), why: "no guess"),
        Row("another protocol", .raw("SSH-2.0-x\r\n\r\n"), notHTTP, why: "said as it is"),
        Row(
            "chunks that are none",
            .raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            notHTTP, why: "never a part of a set"),
        Row(
            "nothing at all", .raw(""), .failed("localhost ended the connection without an answer"),
            why: "said as it is"),
        Row("half a head", .raw("HTTP/1.1 200 OK\r\nConte"), cutOff, why: "never a part of a set"),
        Row(
            "half a body",
            .raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{\"keys\":[]}"),
            cutOff,
            why: "never a part of a set"),
    ]

    @Test("what the key set's URL answers", arguments: answers)
    func answer(row: Row) throws {
        let provider = try TinyProvider { _ in row.reply }
        #expect(outcome(try provider.keys(.keySet(provider.url("/k")))) == row.expected, "\(row.why)")
        #expect(provider.requests.map(\.line) == ["GET /k HTTP/1.1"], "asked once")
    }

    @Test("what is sent is the least that is needed")
    func request() throws {
        let provider = try TinyProvider { _ in .json(Self.set) }
        _ = outcome(try provider.keys(.keySet(provider.url("/k?a=b"))))
        #expect(
            provider.requests.map(\.head) == [
                "GET /k?a=b HTTP/1.1\r\nHost: localhost:\(provider.port)\r\nUser-Agent: gatehouse\r\nAccept: application/json, application/jwk-set+json"
            ])
    }

    // MARK: Redirects

    @Test(
        "redirects are followed on the same host, three at most",
        arguments: [
            (["/b"], true, ""), (["/b", "/c", "/d"], true, ""),
            (["/b", "/c", "/d", "/e"], false, "/e: too many redirects"),
            (["https://localhost:PORT/b"], true, ""),
            (["https://127.0.0.1:PORT/b"], false, "/a redirects to another host"),
            (["https://localhost/b"], false, "/a redirects to another host"),
            (["http://localhost:PORT/b"], false, "/a redirects to another host"),
            (["//localhost:PORT/b"], false, "/a redirects to another host"),
            (["b"], true, ""),
            ([""], false, "/a redirects to another host"),
        ])
    func redirects(targets: [String], isFetched: Bool, reason: String) throws {
        let provider = try TinyProvider { _ in .json("") }
        let port = "\(provider.port)"
        provider.become { request in
            let step = Int(request.path.utf8.dropFirst().first ?? 0x61) - 0x61
            guard step < targets.count else { return .json(Self.set) }
            return .redirect(
                targets[step].split(separator: "PORT", omittingEmptySubsequences: false).joined(separator: port))
        }
        let expected: Outcome = isFetched ? .fetched(Self.set, maxAge: nil) : .failed(reason)
        #expect(outcome(try provider.keys(.keySet(provider.url("/a")))) == expected)
        #expect(provider.connections == 1, "on one connection")
    }

    // MARK: TLS

    @Test("the certificate has to be for the name, and by somebody who is trusted")
    func certificates() throws {
        let provider = try TinyProvider { _ in .json(Self.set) }
        var keys = try provider.keys(.keySet(provider.url("/k", host: "127.0.0.1")))
        #expect(outcome(keys) == .fetched(Self.set, maxAge: nil), "an address that it names")
        keys = try provider.keys(.keySet(provider.url("/k")))
        keys.trust = try Certificate.elsewhere.trust()
        guard case .failed(let reason) = outcome(keys), reason.hasPrefix("TLS to localhost: self") else {
            Issue.record("somebody else's authority")
            return
        }
        keys.trust = .system
        #expect(outcome(keys) != .fetched(Self.set, maxAge: nil), "no authority of this machine")
        let other = try TinyProvider(.elsewhere) { _ in .json(Self.set) }
        keys = RemoteKeys(issuerIndex: 0, location: .keySet(try other.url("/k")))
        keys.trust = try Certificate.elsewhere.trust()
        #expect(outcome(keys) == .failed("TLS to localhost: hostname mismatch"), "another name")
        #expect(provider.requests.count == 1 && other.requests.isEmpty, "nothing is asked before that is clear")
    }

    @Test("nobody there")
    func unreachable() throws {
        let provider = try TinyProvider { _ in .json(Self.set) }
        var keys = try provider.keys(.keySet(provider.url("/k")))
        keys.location = .keySet(try #require(RemoteURL("https://127.0.0.1:1/k")))
        #expect(outcome(keys) == .failed("connect to 127.0.0.1:1: Connection refused"))
    }

    // MARK: Discovery

    /// Metadata at a path; `ISSUER` and `PORT` stand for the provider's.
    static let metadata: [(String, String, String, Outcome, String)] = [
        (
            "", "/.well-known/openid-configuration", #"{"issuer":"ISSUER","jwks_uri":"ISSUER/k"}"#,
            .fetched(set, maxAge: nil), "OpenID Connect Discovery §4"
        ),
        (
            "", "/.well-known/oauth-authorization-server", #"{"issuer":"ISSUER","jwks_uri":"ISSUER/k"}"#,
            .fetched(set, maxAge: nil), "RFC 8414 §3"
        ),
        (
            "/t", "/t/.well-known/openid-configuration", #"{"issuer":"ISSUER","jwks_uri":"ISSUER/k"}"#,
            .fetched(set, maxAge: nil), "behind the issuer's path"
        ),
        (
            "/t/", "/t/.well-known/openid-configuration", #"{"issuer":"ISSUER","jwks_uri":"https://localhost:PORT/k"}"#,
            .fetched(set, maxAge: nil), "a final slash is removed"
        ),
        (
            "/t", "/.well-known/oauth-authorization-server/t", #"{"issuer":"ISSUER","jwks_uri":"ISSUER/k"}"#,
            .fetched(set, maxAge: nil), "before it, RFC 8414 §3.1"
        ),
        (
            "", "/.well-known/oauth-authorization-server", #"{"issuer":"https://localhost","jwks_uri":"ISSUER/k"}"#,
            .failed("its metadata name another issuer"), "RFC 8414 §3.3"
        ),
        (
            "", "/.well-known/oauth-authorization-server", #"{"issuer":"ISSUER/","jwks_uri":"ISSUER/k"}"#,
            .failed("its metadata name another issuer"), "byte for byte"
        ),
        (
            "", "/.well-known/oauth-authorization-server", #"{"jwks_uri":"ISSUER/k"}"#,
            .failed("its metadata name another issuer"), "nobody"
        ),
        (
            "", "/.well-known/oauth-authorization-server", #"{"issuer":"ISSUER"}"#,
            .failed("its metadata have no 'jwks_uri' that is an https URL"), "no set"
        ),
        (
            "", "/.well-known/oauth-authorization-server", #"{"issuer":"ISSUER","jwks_uri":"http://localhost/k"}"#,
            .failed("its metadata have no 'jwks_uri' that is an https URL"), "unencrypted"
        ),
        ("", "/.well-known/oauth-authorization-server", "[]", .failed("its metadata are not a JSON object"), "a list"),
        ("", "/elsewhere", "", .failed("/.well-known/oauth-authorization-server: the answer is 404"), "none at all"),
    ]

    @Test("an issuer's metadata name its key set", arguments: metadata)
    func discovery(path: String, place: String, text: String, expected: Outcome, why: String) throws {
        let provider = try TinyProvider { _ in .json("") }
        let issuer = "https://localhost:\(provider.port)\(path)"
        let body = text.split(separator: "ISSUER", omittingEmptySubsequences: false).joined(separator: issuer)
            .split(separator: "PORT", omittingEmptySubsequences: false).joined(separator: "\(provider.port)")
        provider.become { request in
            if request.path == place { return .json(body) }
            return request.path.hasSuffix("/k") ? .json(Self.set) : .json("{}", status: "404 Not Found")
        }
        #expect(outcome(try provider.keys(.issuer(provider.url(path)))) == expected, "\(why)")
    }

    @Test("where the key set is, is remembered until a fetch fails")
    func remembers() throws {
        let provider = try TinyProvider { _ in .json("") }
        let issuer = "https://localhost:\(provider.port)"
        let metadata = #"{"issuer":"\#(issuer)","jwks_uri":"\#(issuer)/k"}"#
        let good: TinyProvider.Answer = { $0.path == "/k" ? .json(Self.set) : .json(metadata) }
        provider.become(good)
        let fetch = try KeyFetch(provider.keys(.issuer(provider.url())))
        _ = try fetch.fetch()
        _ = try fetch.fetch()
        provider.become { _ in .json("{}", status: "503 Later") }
        #expect(throws: ProviderFailure.self) { try fetch.fetch() }
        provider.become(good)
        _ = try fetch.fetch()
        let well = "/.well-known/openid-configuration"
        #expect(provider.requests.map(\.path) == [well, "/k", "/k", "/k", well, "/k"])
    }
}
