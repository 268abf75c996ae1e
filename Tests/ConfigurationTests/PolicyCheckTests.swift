import Testing

@testable import Configuration

/// What a route says of limits, other origins and claims as headers.
struct PolicyCheckTests {
    /// A row about one directive of a route, which begins in column 42.
    private static func route(_ name: String, _ directives: String, _ findings: [String], why: String) -> Row {
        Row(name, "route /a/ { accept jwt; upstream agents; \(directives) }", findings, why: why)
    }

    private static let likeRate = "write it like 10/s, 600/m or 1000/h"
    private static let likeQuota = "write it like 10000/d or 1000000/mo"

    static let rates: [Row] = [
        route("a good limit", "rate_limit 10/s burst=20 by=user;", [], why: "the documented form"),
        route("words behind the rate in any order", "rate_limit 10/s by=user burst=20;", [], why: "each has its name"),
        route("the largest", "rate_limit 1000000/s burst=1000000;", [], why: "the bounds are allowed"),
        route(
            "a rate without its unit", "rate_limit 10;", ["1:53: error: '10' is no rate; \(likeRate)"],
            why: "ten in what?"),
        route(
            "another unit", "rate_limit 10/d;", ["1:53: error: '/d' is no unit of time here; there are /s, /m, /h"],
            why: "a day is a quota's"),
        route(
            "a unit in words", "rate_limit 10/min;",
            ["1:53: error: '/min' is no unit of time here; there are /s, /m, /h"], why: "names are exact"),
        route(
            "nginx's rate", "rate_limit 10r/s;", ["1:53: error: '10r/s' is no rate; \(likeRate)"],
            why: "limit_req_zone's spelling"),
        route("a fraction", "rate_limit 1.5/s;", ["1:53: error: '1.5/s' is no rate; \(likeRate)"], why: "90/m"),
        route("a sign", "rate_limit -1/s;", ["1:53: error: '-1/s' is no rate; \(likeRate)"], why: "no number"),
        route("no number", "rate_limit /s;", ["1:53: error: '/s' is no rate; \(likeRate)"], why: "how many?"),
        route("two units", "rate_limit 10/s/s;", ["1:53: error: '10/s/s' is no rate; \(likeRate)"], why: "a slip"),
        route(
            "nothing at all", "rate_limit 0/s;",
            ["1:53: error: '0/s' is out of range; write a count from 1 to 1000000"], why: "nobody could pass"),
        route(
            "too many", "rate_limit 1000001/s;",
            ["1:53: error: '1000001/s' is out of range; write a count from 1 to 1000000"], why: "no limit at all"),
        route(
            "a burst of nothing", "rate_limit 10/s burst=0;",
            ["1:58: error: 'burst=0' is no burst; write 'burst=N' from 1 to 1000000"], why: "nobody could pass"),
        route(
            "a burst without its number", "rate_limit 10/s by=user burst=;",
            ["1:66: error: 'burst=' is no burst; write 'burst=N' from 1 to 1000000"], why: "the place is the burst's"),
        route(
            "a burst that is too large", "rate_limit 10/s burst=1000001;",
            ["1:58: error: 'burst=1000001' is no burst; write 'burst=N' from 1 to 1000000"], why: "bounded"),
        route(
            "nothing", "rate_limit;",
            ["1:42: error: 'rate_limit' needs a value; write 'rate_limit 10/s burst=20 by=credential;'"],
            why: "no default"),
        route(
            "twice", "rate_limit 1/s; rate_limit 2/s;",
            ["1:58: error: 'rate_limit' twice in route; keep one: the first is on line 1"], why: "which counts?"),
        route(
            "nginx's name for it", "limit_req 10/s;",
            ["1:42: error: unknown directive 'limit_req' in route; did you mean 'rate_limit'?"], why: "the way out"),
        Row(
            "outside a route", "rate_limit 10/s;",
            ["1:1: error: unknown directive 'rate_limit' at the top level; it belongs in a 'route' block"],
            why: "limits are a route's"),
    ]

    static let quotas: [Row] = [
        route("a good quota", "quota 1000000000000/mo by=user;", [], why: "the largest"),
        route(
            "a rate's unit", "quota 10/s;", ["1:48: error: '/s' is no unit of time here; there are /d, /mo"],
            why: "seconds are rate_limit's"),
        route(
            "minutes or months", "quota 10/m;", ["1:48: error: '/m' is no unit of time here; there are /d, /mo"],
            why: "no guess"),
        route(
            "a unit in words", "quota 10/day;", ["1:48: error: '/day' is no unit of time here; there are /d, /mo"],
            why: "names are exact"),
        route(
            "a size's suffix", "quota 10k/d;", ["1:48: error: '10k/d' is no quota; \(likeQuota)"], why: "no number"),
        route(
            "out of range", "quota 0/d;",
            ["1:48: error: '0/d' is out of range; write a count from 1 to 1000000000000"], why: "nobody could pass"),
        route(
            "beyond", "quota 1000000000001/mo;",
            ["1:48: error: '1000000000001/mo' is out of range; write a count from 1 to 1000000000000"], why: "bounded"),
        route(
            "a burst", "quota 10/mo burst=3;",
            ["1:54: error: 'burst=3' in quota; write 'quota 10000/d by=credential;'"], why: "a quota has none"),
        route(
            "two quotas", "quota 1/d; quota 9/mo;",
            ["1:53: error: 'quota' twice in route; keep one: the first is on line 1"], why: "one to a route"),
    ]

    private static let subjects = "there are by=credential, by=user, by=agent, by=address"

    static let counted: [Row] = [
        route(
            "a misspelt subject", "rate_limit 1/s by=users; quota 1/d by=addres;",
            [
                "1:57: error: requests cannot be counted by 'users'; did you mean 'user'?",
                "1:77: error: requests cannot be counted by 'addres'; did you mean 'address'?",
            ], why: "an unknown name"),
        route(
            "another subject", "rate_limit 1/s by=ip;",
            ["1:57: error: requests cannot be counted by 'ip'; \(subjects)"], why: "an unknown name"),
        route(
            "by the agent where there is none", "rate_limit 1/s by=agent; quota 1/d by=agent;",
            [
                "1:57: error: 'by=agent' on a route where a token has no agent; add 'agent {agent_id};', accept keys only, or count by=user",
                "1:77: error: 'by=agent' on a route where a token has no agent; add 'agent {agent_id};', accept keys only, or count by=user",
            ], why: "nothing would be counted"),
        Row(
            "by the agent of the path, or of the key",
            """
            route /a/{agent_id}/ { accept jwt; agent {agent_id}; upstream agents; rate_limit 1/s by=agent; }
            route /b/ { accept api_key; upstream agents; quota 1/d by=agent; }
            """, [], why: "somebody is counted"),
        Row(
            "by the address on a public route",
            "route /a/ { accept none; upstream agents; rate_limit 1/s; quota 1/d by=address; }", [],
            why: "the default there"),
        Row(
            "by somebody on a public route",
            "route /a/ { accept none; upstream agents; rate_limit 1/s by=user; quota 1/d by=credential; }",
            [
                "1:58: error: 'by=user' on a public route: nobody is known there; write 'by=address'",
                "1:77: error: 'by=credential' on a public route: nobody is known there; write 'by=address'",
            ], why: "nothing would be counted"),
    ]

    private static let likeOrigin = "write one like https://app.example.com or https://*.example.com"

    /// The first origin begins in column 47.
    static let origins: [Row] = [
        route(
            "good origins", "cors https://app.example.com http://localhost:3000 https://*.example.com:8443;", [],
            why: "the documented forms"),
        route("every origin", "cors *;", [], why: "said aloud"),
        route(
            "every origin and one more", "cors https://a.example *;",
            ["1:65: error: '*' beside other origins; keep it alone, or remove it"], why: "which is meant?"),
        route(
            "without a scheme", "cors app.example.com *.example.com localhost:3000;",
            [
                "1:47: error: 'app.example.com' is no origin; write it with its scheme: 'https://app.example.com'",
                "1:63: error: '*.example.com' is no origin; write it with its scheme: 'https://*.example.com'",
                "1:77: error: 'localhost:3000' is no origin; write it with its scheme: 'https://localhost:3000'",
            ], why: "browsers send it"),
        route(
            "with a path", "cors https://a.example/ http://b.example/app https://c.example?d;",
            [
                "1:47: error: an origin has no path; write 'https://a.example'",
                "1:66: error: an origin has no path; write 'http://b.example'",
                "1:87: error: an origin has no path; write 'https://c.example'",
            ], why: "it would match nobody"),
        route(
            "the scheme's own port", "cors https://a.example:443 http://a.example:80 https://a.example:80;",
            [
                "1:47: error: 'https://a.example:443' is no origin; leave out ':443': browsers do",
                "1:69: error: 'http://a.example:80' is no origin; leave out ':80': browsers do",
            ], why: "RFC 6454 §6.2: it would match nobody"),
        route(
            "stars elsewhere", "cors https://a.*.com https://*example.com https://* https://*.*.com;",
            [
                "1:47: error: 'https://a.*.com' is no origin; \(likeOrigin)",
                "1:63: error: 'https://*example.com' is no origin; \(likeOrigin)",
                "1:84: error: 'https://*' is no origin; \(likeOrigin)",
                "1:94: error: 'https://*.*.com' is no origin; \(likeOrigin)",
            ], why: "whole labels below a name"),
        route(
            "ports that are none", "cors https://a.example: https://a.example:0 https://a.example:65536 https://a:x;",
            [
                "1:47: error: 'https://a.example:' is no origin; \(likeOrigin)",
                "1:66: error: 'https://a.example:0' is no origin; \(likeOrigin)",
                "1:86: error: 'https://a.example:65536' is no origin; \(likeOrigin)",
                "1:110: error: 'https://a:x' is no origin; \(likeOrigin)",
            ], why: "it would match nobody"),
        route(
            "what else no browser sends", "cors https:// https://u@a.example \"https://a b\";",
            [
                "1:47: error: 'https://' is no origin; \(likeOrigin)",
                "1:56: error: 'https://u@a.example' is no origin; \(likeOrigin)",
                "1:76: error: 'https://a b' is no origin; \(likeOrigin)",
            ], why: "it would match nobody"),
        route(
            "headers without origins", "cors_headers X-Page-Id;",
            ["1:42: error: 'cors_headers' without 'cors'; add 'cors https://…;'"], why: "they would be ignored"),
        route(
            "headers that are none", "cors https://a.example; cors_headers X-Page-Id \"X Page\" X-Page:;",
            [
                "1:89: error: 'X Page' is no header name; write one like X-Page-Id",
                "1:98: error: 'X-Page:' is no header name; write one like X-Page-Id",
            ], why: "RFC 9110 §5.1"),
        route(
            "other names for it", "origins https://a.example; cors_header X-A;",
            [
                "1:42: error: unknown directive 'origins' in route; did you mean 'cors'?",
                "1:69: error: unknown directive 'cors_header' in route; did you mean 'cors_headers'?",
            ], why: "the way out"),
        Row(
            "outside a route", "cors *;",
            ["1:1: error: unknown directive 'cors' at the top level; it belongs in a 'route' block"], why: "a route's"),
    ]

    /// Mistakes that were once taken, or told of twice.
    static let mended: [Row] = [
        route(
            "a misspelt cors", "crs https://a.example; cors_headers X-A;",
            ["1:42: error: unknown directive 'crs' in route; did you mean 'cors'?"], why: "one message for one mistake"),
        Row(
            "a misspelt accept does not make a route public",
            "route /a/ { accpt jwt; upstream agents; rate_limit 10/s by=user; inject X-A claim a; }",
            ["1:13: error: unknown directive 'accpt' in route; did you mean 'accept'?"],
            why: "one message for one mistake; 'by=address' and removing 'inject' are no ways out"),
        Row(
            "a misspelt credential does not either",
            "route /a/ { accept jwtt; upstream agents; quota 10/d by=user; }",
            ["1:20: error: unknown credential 'jwtt'; did you mean 'jwt'?"], why: "likewise"),
        Row(
            "by the agent where tokens have none",
            "route /a/ { accept api_key jwt; upstream agents; rate_limit 10/s by=agent; }", ["1:66: […]"],
            why: "keys are limited, tokens are not at all, and nothing says so"),
        route("a port with a sign", "cors https://a.example:+8443;", ["1:47: […]"], why: "it would match nobody"),
        route("a port with zeros", "cors https://a.example:08443;", ["1:47: […]"], why: "it would match nobody"),
    ]

    @Test("limits and other origins are checked", arguments: rates + quotas + counted + origins + mended)
    func check(row: Row) {
        let found = Workspace().findings(row.config + Row.rest)
        #expect(Row.meets(found, row.findings), "\(found): \(row.why)")
    }
}
