"""Pages on another origin: preflights, and what their answers carry (contract.md, 'Browsers'; Fetch Standard, 'CORS protocol')."""

import time

import pytest

from support.frames import Frames
from support.gateway import ROUTES, assert_mistake_found, refusal
from support.upstream import STREAM_HEAD, answer, chunk
from support.wire import request

ORIGINS = "https://*.example.com https://app.example.org"
CORS_ROUTES = f"""
route GET POST /cors/ {{ accept jwt; max_body 1k; cors {ORIGINS}; upstream agents; }}
route /cors/all/ {{ accept jwt; cors {ORIGINS}; upstream agents; }}
route /cors/open/ {{ accept none; cors {ORIGINS}; upstream agents; }}
route /cors/scoped/ {{ accept jwt; require scope query; cors {ORIGINS}; upstream agents; }}
route /cors/keys/ {{ accept api_key; cors {ORIGINS}; upstream agents; }}
route /cors/once/ {{ accept jwt; rate_limit 1/m burst=1 by=credential; cors {ORIGINS}; upstream agents; }}
route /cors/events/ {{ accept jwt; stream_keepalive 1s; cors {ORIGINS}; upstream agents; }}
route GET /cors/split/ {{ accept none; cors {ORIGINS}; upstream agents; }}
route POST /cors/split/ {{ accept none; upstream agents; }}
route /cors/upper/ {{ accept none; cors HTTPS://APP.Example.ORG; upstream agents; }}
route /cors/port/ {{ accept none; cors http://localhost:3000; upstream agents; }}
"""
PAGE = "https://a.example.com"
EVIL = "https://evil.org"
EXPOSED = {"www-authenticate", "retry-after", "x-request-id"}


@pytest.fixture(scope="module")
def gateway(start):
    return start(routes=ROUTES + CORS_ROUTES)


def preflight_fields(origin=PAGE, method="POST", headers="authorization,content-type"):
    return [f"Origin: {origin}", f"Access-Control-Request-Method: {method}", f"Access-Control-Request-Headers: {headers}"]


def preflight(gateway, target="/cors/x", origin=PAGE, method="POST", **settings):
    return gateway.ask(target, *preflight_fields(origin, method), method="OPTIONS", **settings)


def words(answer, name):
    """The members of a list field, in lower case, whether it stands on one line or on several."""
    return {word.strip().lower() for value in answer.all(name) for word in value.split(",") if word.strip()}


def granted(answer, origin=PAGE):
    """The answer can be read by a page of this origin, and every cache keeps it apart."""
    assert answer.header("Access-Control-Allow-Origin") == origin, answer
    assert "origin" in words(answer, "Vary"), answer
    return answer


def readable(answer, origin=PAGE):
    """Granted, and the page sees what it needs to know about a refusal."""
    assert words(granted(answer, origin), "Access-Control-Expose-Headers") >= EXPOSED, answer
    return answer


def closed(answer):
    """No other origin learns anything, not even that there is a policy."""
    assert not [name for name, _ in answer.fields if name.lower().startswith("access-control-")], answer
    return answer


# Preflights


def test_a_preflight_is_answered_before_any_credential(gateway, upstream):
    got = granted(preflight(gateway))
    assert got.status == 204 and got.body == b"" and not got.all("Content-Length") and not got.all("Transfer-Encoding")
    assert words(got, "Access-Control-Allow-Headers") >= {"authorization", "content-type"}
    assert words(got, "Access-Control-Allow-Methods") >= {"get", "post"}
    assert not words(got, "Access-Control-Allow-Methods") & {"delete", "put", "patch", "*"}
    assert got.header("WWW-Authenticate") is None and got.header("X-Request-Id")
    assert upstream.requests == []


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_route_of_all_methods_allows_each(gateway, upstream, method):
    got = granted(preflight(gateway, "/cors/all/x", method=method))
    assert got.status == 204 and words(got, "Access-Control-Allow-Methods") & {method.lower(), "*"}
    assert upstream.requests == []


def test_a_method_that_the_route_does_not_have_is_not_allowed(gateway, upstream):
    assert "delete" not in words(preflight(gateway, method="DELETE"), "Access-Control-Allow-Methods")
    assert upstream.requests == []


def test_the_method_that_is_asked_for_chooses_the_route(gateway, upstream):
    """Two routes of one pattern: the policy of one is not the other's."""
    assert granted(preflight(gateway, "/cors/split/", method="GET")).status == 204
    got = preflight(gateway, "/cors/split/", method="POST")
    assert not (got.all("Access-Control-Allow-Origin") and "post" in words(got, "Access-Control-Allow-Methods")), got


@pytest.mark.parametrize("fields", [[], ["Authorization: Bearer x"], ["Cookie: a=b"], ["Authorization: Basic eDp5"]], ids=str)
def test_a_credential_does_not_change_a_preflight(gateway, upstream, fields):
    got = gateway.ask("/cors/x", *preflight_fields(), *fields, method="OPTIONS")
    assert granted(got).status == 204 and upstream.requests == []


def test_preflights_of_restricted_routes(gateway, upstream):
    for target in ("/cors/scoped/", "/cors/keys/", "/cors/open/x"):
        assert granted(preflight(gateway, target)).status == 204
    assert upstream.requests == []


def test_preflights_do_not_use_a_limit_up(gateway, upstream, jwt):
    for _ in range(5):
        assert granted(preflight(gateway, "/cors/once/")).status == 204
    token = jwt(user_id="preflights", jti="preflights")
    assert gateway.ask("/cors/once/", f"Origin: {PAGE}", token=token).status == 200


def test_a_preflight_leaves_the_connection_in_step(gateway, upstream, good):
    with gateway.connect() as wire:
        for _ in range(2):
            wire.send(request("OPTIONS", "/cors/x", *preflight_fields()))
            assert granted(wire.answer("OPTIONS")).status == 204
            got = wire.send(request("POST", "/cors/x", f"Origin: {PAGE}", token=good, body=b"{}")).answer()
            assert readable(got).status == 200
    assert [seen.method for seen in upstream.requests] == ["POST", "POST"]


def test_a_preflight_of_no_route_is_404(gateway, upstream):
    closed(preflight(gateway, "/nothing/"))
    refusal(preflight(gateway, "/nothing/"), 404, "not_found")


# Which origins

SERVED = ["https://a.example.com", "https://app.example.org", "https://staging-2.example.com"]
FOREIGN = {
    "https://evil.org": "another host",
    "https://example.com": "the wildcard needs a label",
    "http://a.example.com": "another scheme",
    "http://app.example.org": "another scheme",
    "https://a.example.com.evil.org": "a prefix",
    "https://app.example.org.evil.org": "a prefix",
    "https://aexample.com": "a suffix, but not at a dot",
    "https://myapp.example.org": "a suffix",
    "https://sub.app.example.org": "no wildcard there",
    "https://a.example.com:8443": "another port",
    "https://app.example.org:444": "another port",
    "https://evil.org/.example.com": "the wildcard stands for labels only",
    "https://evil.org?.example.com": "the wildcard stands for labels only",
    "https://evil.org#.example.com": "the wildcard stands for labels only",
    "https://evil.org:1@.example.com": "the wildcard stands for labels only",
    "https://.example.com": "an empty label",
    "https://app.example.org/": "an origin has no path",
    "https://a.example.com https://evil.org": "one origin, not a list (RFC 6454 7.1)",
    "null": "a sandboxed page, a file",
    "*": "no origin at all",
    "": "empty",
}


@pytest.mark.parametrize("origin", SERVED)
def test_an_origin_of_the_list(gateway, upstream, good, origin):
    assert granted(preflight(gateway, origin=origin), origin).status == 204
    assert readable(gateway.ask("/cors/x", f"Origin: {origin}", token=good), origin).status == 200
    assert readable(gateway.ask("/cors/x", f"Origin: {origin}"), origin).status == 401


@pytest.mark.parametrize("origin", FOREIGN, ids=lambda origin: f"{origin} {FOREIGN[origin]}")
def test_another_origin_gets_none_of_it(gateway, upstream, good, origin):
    closed(preflight(gateway, origin=origin))
    assert upstream.requests == [], "a preflight of a route that needs a credential, without one"
    assert closed(gateway.ask("/cors/x", f"Origin: {origin}", token=good)).status == 200
    refusal(closed(gateway.ask("/cors/x", f"Origin: {origin}")), 401, "credentials_missing")


def test_two_origins_get_nothing(gateway, upstream, good):
    got = gateway.ask("/cors/x", f"Origin: {PAGE}", f"Origin: {EVIL}", token=good)
    closed(got)
    assert got.status in (200, 400)


@pytest.mark.parametrize(
    "target, origin, served",
    [
        ("/cors/upper/", "https://app.example.org", True),
        ("/cors/upper/", "https://a.example.com", False),
        ("/cors/port/", "http://localhost:3000", True),
        ("/cors/port/", "http://localhost", False),
        ("/cors/port/", "http://localhost:30000", False),
        ("/cors/port/", "https://localhost:3000", False),
        ("/cors/port/", "http://127.0.0.1:3000", False),
    ],
)
def test_origins_as_they_are_configured(gateway, upstream, target, origin, served):
    """Scheme and host in any case in the file; browsers send lower case. A port is part of the origin."""
    for got in (preflight(gateway, target, origin, "GET"), gateway.ask(target, f"Origin: {origin}")):
        granted(got, origin) if served else closed(got)


def test_every_origin_when_the_route_says_so(start, upstream):
    gateway = start(routes="route /any/ { accept none; cors *; upstream agents; }")
    for got in (preflight(gateway, "/any/", EVIL), gateway.ask("/any/", f"Origin: {EVIL}")):
        assert got.header("Access-Control-Allow-Origin") in ("*", EVIL) and got.status in (200, 204)
        assert got.header("Access-Control-Allow-Credentials") is None


# What answers and refusals carry


def test_an_answer_is_readable(gateway, upstream, good):
    got = readable(gateway.ask("/cors/x", f"Origin: {PAGE}", token=good))
    assert got.status == 200 and got.body == b'{"ok":true}'
    assert upstream.last().header("Origin") == PAGE, "the backend sees who asks"


@pytest.mark.parametrize("status", ["201 Created", "304 Not Modified", "404 Not Found", "500 Internal Server Error"])
def test_so_is_any_status_of_the_upstream(gateway, upstream, good, status):
    upstream.script = b"HTTP/1.1 304 Not Modified\r\n\r\n" if status.startswith("304") else answer(b"{}", status)
    assert readable(gateway.ask("/cors/x", f"Origin: {PAGE}", token=good)).status == int(status[:3])


def refused(gateway, upstream, jwt, target="/cors/x", token="good", method="GET", body=None):
    token = jwt() if token == "good" else token
    return gateway.ask(target, f"Origin: {PAGE}", token=token, method=method, body=body)


REFUSALS = {
    "401 without a credential": (401, "credentials_missing", {"token": None}),
    "401 with a bad one": (401, "token_invalid", {"token": "x.y.z"}),
    "401 on a route for keys": (401, "credentials_missing", {"target": "/cors/keys/", "token": None}),
    "403 for want of a scope": (403, "permission_denied", {"target": "/cors/scoped/"}),
    "403 for the kind": (403, "credential_not_accepted", {"target": "/cors/keys/"}),
    "405": (405, "method_not_allowed", {"method": "DELETE"}),
    "413": (413, "body_too_large", {"method": "POST", "body": b"x" * 2000}),
}


@pytest.mark.parametrize("status, error, how", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_readable(gateway, upstream, jwt, status, error, how):
    """reports.md 1: without these fields a page sees a network failure."""
    refusal(readable(refused(gateway, upstream, jwt, **how)), status, error)
    assert upstream.requests == []


@pytest.mark.parametrize("fields", [[], [f"Origin: {EVIL}"]], ids=["no page", "another origin"])
def test_a_405_is_kept_apart_for_others_too(gateway, upstream, good, fields):
    """A cache must not give to one origin what another got."""
    got = closed(gateway.ask("/cors/x", *fields, method="DELETE", token=good))
    refusal(got, 405, "method_not_allowed")
    assert "origin" in words(got, "Vary")


def test_a_rate_limit_is_readable(gateway, upstream, jwt):
    token = jwt(user_id="limited", jti="limited")
    assert readable(gateway.ask("/cors/once/", f"Origin: {PAGE}", token=token)).status == 200
    got = readable(gateway.ask("/cors/once/", f"Origin: {PAGE}", token=token))
    refusal(got, 429, "rate_limited")
    assert got.header("Retry-After")


def test_an_upstreams_fault_is_readable(gateway, upstream, jwt):
    upstream.script = b"nonsense"
    refusal(readable(refused(gateway, upstream, jwt)), 502, "upstream_error")


def test_a_stream_is_readable(gateway, upstream, good):
    upstream.script = STREAM_HEAD + chunk(b"data: x\n\n") + chunk(b"")
    assert readable(gateway.ask("/cors/x", f"Origin: {PAGE}", token=good)).body == b"data: x\n\n"


def test_a_head_that_is_sent_before_the_upstreams_is_readable(gateway, upstream, good):
    """stream_keepalive writes the 200 itself while the upstream is silent."""

    def script(connection, _):
        time.sleep(1.7)
        connection.send(STREAM_HEAD + chunk(b"data: x\n\n") + chunk(b""))

    upstream.script = script
    with gateway.connect() as wire:
        wire.send(request("GET", "/cors/events/", f"Origin: {PAGE}", "Accept: text/event-stream", token=good))
        assert readable(wire.final_head()).status == 200
        wire.until(b"data: x")


# The upstream's own fields

ITS_OWN = [
    "Access-Control-Allow-Origin: *",
    "Access-Control-Allow-Credentials: true",
    "Access-Control-Allow-Methods: TRACE",
    "Access-Control-Expose-Headers: X-Own",
    "access-control-allow-origin: https://other.example",
    "Vary: Accept-Encoding",
]


def test_the_upstreams_own_fields_are_not_doubled(gateway, upstream, good):
    """Two Access-Control-Allow-Origin lines are a failure to every browser."""
    upstream.script = answer(b"{}", "200 OK", *ITS_OWN)
    got = readable(gateway.ask("/cors/x", f"Origin: {PAGE}", token=good))
    assert words(got, "Vary") >= {"accept-encoding", "origin"}
    theirs = {name.lower() for name, _ in got.fields if name.lower().startswith("access-control-")}
    assert theirs == {"access-control-allow-origin", "access-control-expose-headers"}, "also no Allow-Credentials"


def test_the_upstream_does_not_open_the_route_to_another_origin(gateway, upstream, good):
    upstream.script = answer(b"{}", "200 OK", *ITS_OWN)
    assert closed(gateway.ask("/cors/x", f"Origin: {EVIL}", token=good)).status == 200


def test_without_cors_the_upstreams_fields_are_its_own_business(gateway, upstream, good):
    upstream.script = answer(b"{}", "200 OK", *ITS_OWN)
    got = gateway.ask("/api/x", f"Origin: {EVIL}", token=good)
    assert sorted(got.all("Access-Control-Allow-Origin")) == ["*", "https://other.example"]
    assert got.all("Access-Control-Expose-Headers") == ["X-Own"] and words(got, "Vary") == {"accept-encoding"}


def test_a_request_without_an_origin_is_no_page(gateway, upstream, good):
    assert closed(gateway.ask("/cors/x", token=good)).status == 200
    refusal(closed(gateway.ask("/cors/x")), 401, "credentials_missing")


# OPTIONS that is no preflight

NO_PREFLIGHT = {
    "alone": [],
    "an origin": [f"Origin: {PAGE}"],
    "a method without an origin": ["Access-Control-Request-Method: POST"],
    "headers without a method": [f"Origin: {PAGE}", "Access-Control-Request-Headers: authorization"],
}


@pytest.mark.parametrize("fields", NO_PREFLIGHT.values(), ids=NO_PREFLIGHT)
def test_options_is_a_method_like_any_other(gateway, upstream, good, fields):
    upstream.script = answer(b"own", "200 OK", "Allow: GET, OPTIONS")
    got = gateway.ask("/cors/all/x", *fields, method="OPTIONS", token=good)
    assert got.status == 200 and got.body == b"own" and got.header("Allow") == "GET, OPTIONS"
    assert upstream.last().method == "OPTIONS" and len(upstream.requests) == 1
    refusal(gateway.ask("/cors/all/x", *fields, method="OPTIONS"), 401, "credentials_missing")
    refusal(gateway.ask("/cors/x", *fields, method="OPTIONS", token=good), 405, "method_not_allowed")
    assert len(upstream.requests) == 1


def test_a_route_without_cors_forwards_options(gateway, upstream, good):
    assert gateway.ask("/public/", *preflight_fields(), method="OPTIONS").status == 200
    seen = upstream.last()
    assert seen.method == "OPTIONS" and seen.header("Origin") == PAGE and seen.header("Access-Control-Request-Method") == "POST"
    assert gateway.ask("/api/x", *preflight_fields(), method="OPTIONS", token=good).status == 200
    refusal(closed(gateway.ask("/api/x", *preflight_fields(), method="OPTIONS")), 401, "credentials_missing")
    assert len(upstream.requests) == 2


# HTTP/2


def test_the_same_over_http2(gateway, upstream, good):
    origin = ("origin", PAGE)
    asked = [origin, ("access-control-request-method", "POST"), ("access-control-request-headers", "authorization")]
    with Frames(gateway) as frames:
        got = frames.answer(frames.request("OPTIONS", "/cors/x", *asked))
        assert granted(got).status == 204 and got.body == b"" and got.header("content-length") is None
        assert words(got, "access-control-allow-headers") >= {"authorization", "content-type"}
        assert upstream.requests == []
        assert readable(frames.answer(frames.request("GET", "/cors/x", origin, token=good))).status == 200
        refusal(readable(frames.answer(frames.request("GET", "/cors/x", origin))), 401, "credentials_missing")
        got = frames.answer(frames.request("POST", "/cors/x", origin, token=good, body=b"x" * 2000))
        refusal(readable(got), 413, "body_too_large")
        closed(frames.answer(frames.request("OPTIONS", "/cors/x", ("origin", EVIL), *asked[1:])))
        closed(frames.answer(frames.request("GET", "/cors/x", ("origin", EVIL), token=good)))


# What cannot be right

MISTAKES = {
    "no origin": ("cors;", "cors"),
    "a path": ("cors https://app.example.org/x;", "https://app.example.org/x"),
    "a path after one that is right": ("cors https://a.example.org https://b.example.org/x;", "https://b.example.org/x"),
    "no scheme": ("cors app.example.org;", "app.example.org"),
    "no host": ("cors https://;", "https://"),
    "a query": ("cors https://app.example.org?x;", "https://app.example.org?x"),
    "a user": ("cors https://u@app.example.org;", "https://u@app.example.org"),
    "a port that is none": ("cors https://app.example.org:70000;", "https://app.example.org:70000"),
    "a wildcard for a part of a label": ("cors https://*example.com;", "https://*example.com"),
    "a wildcard in the middle": ("cors https://app.*.example.com;", "https://app.*.example.com"),
}


@pytest.mark.parametrize("directive, place", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_found_when_the_file_is_read(start, directive, place):
    assert_mistake_found(start, directive, place, accept="none")
