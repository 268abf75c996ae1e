"""Paths are normalised once, and routed, checked and forwarded in that one form."""

import pytest

from support.gateway import refusal

FORWARDED = {
    "as sent": ("/api/a/b-c_d.e~f", "/api/a/b-c_d.e~f"),
    "dot segment": ("/api/./x", "/api/x"),
    "dot segments in a row": ("/api/././x/.", "/api/x/"),
    "out and back": ("/api/../api/x", "/api/x"),
    "above the root": ("/../../api/x", "/api/x"),
    "the last segment removed": ("/api/x/..", "/api/"),
    "encoded dot segment": ("/api/%2e/x", "/api/x"),
    "encoded dots": ("/api/y/%2e%2E/x", "/api/x"),
    "half-encoded dots": ("/api/y/.%2e/x", "/api/x"),
    "double slash": ("/api//x", "/api/x"),
    "many slashes": ("//api////x//", "/api/x/"),
    "unreserved byte encoded": ("/api/%61%7E%2D%5F%2e%30", "/api/a~-_.0"),
    "reserved byte stays encoded": ("/api/a%3Ab", "/api/a%3Ab"),
    "reserved byte stays bare": ("/api/a:b@c!$&'()*+,;=d", "/api/a:b@c!$&'()*+,;=d"),
    "blank stays encoded": ("/api/a%20b", "/api/a%20b"),
    "UTF-8 stays encoded": ("/api/caf%C3%A9", "/api/caf%C3%A9"),
    "double encoding is decoded once": ("/api/%252e%252e/x", "/api/%252e%252e/x"),
    "double-encoded slash": ("/api/a%252Fb", "/api/a%252Fb"),
    "three dots are a name": ("/api/.../x", "/api/.../x"),
    "a name that begins with dots": ("/api/..x/.y", "/api/..x/.y"),
    "a parameter": ("/api/x;v=1/y", "/api/x;v=1/y"),
    "an empty query": ("/api/x?", "/api/x?"),
    "a query byte for byte": ("/api/x?a=%2F..%2f&b=//&c=%zz&d=a?b", "/api/x?a=%2F..%2f&b=//&c=%zz&d=a?b"),
    "a query after a path that changes": ("/api/./x?q=/../y", "/api/x?q=/../y"),
    "into a route from an open one": ("/widget/../api/x", "/api/x"),
}


@pytest.mark.parametrize("sent, arrives", FORWARDED.values(), ids=FORWARDED)
def test_forwarded(gateway, upstream, good, sent, arrives):
    answer = gateway.ask(sent, token=good)
    assert answer.status == 200, answer
    assert upstream.last().target == arrives


def test_hex_digits_in_lower_case_are_the_same_path(gateway, upstream, good):
    assert gateway.ask("/api/a%3ab", token=good).status == 200
    assert upstream.last().target in ("/api/a%3Ab", "/api/a%3ab")


BAD = [
    "/api/a%2fb",
    "/api/a%2Fb",
    "/api/a%5cb",
    "/api/a%5Cb",
    "/api/a\\b",
    "/api/%00",
    "/api/a%00b",
    "/api/%",
    "/api/%4",
    "/api/%zz",
    "/api/%g0",
    "/api/%0g",
    "/api/%u0041",
    "/api/..;/x",
    "/api/..;a=b/x",
    "/api/x/..;",
    "/api/.;/x",
    "/api/%2e%2e;/x",
    "/api/%c0%af",
    "/api/%c0%ae%c0%ae/x",
    "/api/%e0%80%af",
    "/api/%ff",
    "/api/%0a",
    "/api/%0d%0aX:%20y",
    "/api/%7f",
    "/api/%1f",
    "/api/x#fragment",
    "/api/\x01",
    "/api/\x7f",
]


@pytest.mark.parametrize("target", BAD, ids=[target.encode("unicode_escape").decode() for target in BAD])
def test_never_a_guess(gateway, upstream, good, target):
    refusal(gateway.ask(target, token=good), 400, "bad_request")
    assert not upstream.requests


@pytest.mark.parametrize("target", BAD[:8] + ["/widget/..%2fapi/x", "/widget/..;/api/x", "/widget/%2e%2e%5capi/x"])
def test_never_a_guess_on_an_open_route(gateway, upstream, target):
    answer = gateway.ask(target.replace("/api/", "/widget/", 1))
    refusal(answer, 400, "bad_request")
    assert not upstream.requests


CREDENTIAL_NEEDED = [
    "/widget/../api/x",
    "/widget/%2e%2e/api/x",
    "/widget/./../api/x",
    "/widget//..//api/x",
    "/widget/.%2E/api/x",
    "//api/x",
    "/%61pi/x",
    "/public/x/../../api/x",
    "/api/x/../../widget/../api/x",
]


@pytest.mark.parametrize("target", CREDENTIAL_NEEDED)
def test_an_open_route_is_no_way_round(gateway, upstream, target):
    refusal(gateway.ask(target), 401, "credentials_missing")
    assert not upstream.requests


NOWHERE = ["/API/x", "/Api/x", "/apix", "/api.", "/api./x", "/widgetx", "/WIDGET/", "/publicx", "/PUBLIC/", "/exact/", "/exact/x", "/etc/passwd",
           "/api/../../etc/passwd", "/%2561pi/x", "/api%20/x"]  # fmt: skip


@pytest.mark.parametrize("target", NOWHERE)
def test_no_route(gateway, upstream, good, target):
    refusal(gateway.ask(target, token=good), 404, "not_found")
    assert not upstream.requests


OPEN = [
    "/widget",
    "/widget/",
    "/widget/a/b",
    "/public",
    "/public/",
    "/public/x",
    "/exact",
    "/exact?x",
    "/./exact",
    "/x/../widget/",
]


@pytest.mark.parametrize("target", OPEN)
def test_what_a_pattern_covers(gateway, upstream, target):
    assert gateway.ask(target).status == 200


@pytest.mark.parametrize(
    "target", ["*", "api/x", "", "?x", "localhost:443", "/api/x /api/y", "http:/api/x", "ftp://localhost/api/x"]
)
def test_targets_that_are_no_path(gateway, upstream, good, target):
    answer = gateway.ask(target, token=good)
    assert answer.status in (400, 404), answer
    refusal(answer, answer.status, "bad_request" if answer.status == 400 else "not_found")
    assert not upstream.requests


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "M-SEARCH"])
def test_every_method_passes_where_none_is_named(gateway, upstream, good, method):
    assert gateway.ask("/api/x", method=method, token=good).status == 200
    assert upstream.last().method == method


def test_the_most_specific_pattern_wins_whatever_the_order(gateway, upstream, good):
    refusal(gateway.ask("/api/keys-only/x", token=good), 403, "credential_not_accepted")
    assert gateway.ask("/api/keys-onlyx", token=good).status == 200
    assert gateway.ask("/api/agents/", token=good).status == 200


def test_hosts_scope_routes(start, upstream, good):
    routes = """
route /api/ { accept jwt; upstream agents; }
host other.example { route /api/ { accept none; upstream agents; } }
host third.example { route /only/ { accept none; upstream agents; } }
"""
    gateway = start(routes=routes)
    assert gateway.ask("/api/x").status == 401
    assert gateway.ask("/api/x", host="other.example").status == 200
    assert gateway.ask("/api/x", host="OTHER.example:8443").status == 200
    assert gateway.ask("/api/x", host="other.example.evil").status == 401
    assert gateway.ask("/only/x", host="third.example").status == 200
    assert gateway.ask("/only/x", host="localhost", token=good).status == 404
