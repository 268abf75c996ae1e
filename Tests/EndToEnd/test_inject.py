"""Claims as request headers: `inject NAME claim CLAIM;` (gateway-conf.md; threats.md, 'Identity headers and smuggling')."""

import json

import pytest

from support.frames import Frames
from support.gateway import ROUTES, assert_mistake_found
from support.tokens import USER, claims, encode, hs
from support.wire import request

INJECTING = """
route /tenants/ { accept jwt api_key; inject X-Tenant claim tenant_id; inject X-Roles claim roles; upstream agents; }
route /tenants/open/ { accept none; upstream agents; }
"""


@pytest.fixture(scope="module")
def gateway(start):
    return start(routes=ROUTES + INJECTING)


@pytest.fixture
def token(lab):
    """Makes a token whose further claims are written as they are: `token('"tenant_id": 1e3')`."""

    def make(text=""):
        body = json.dumps(claims())[:-1] + (f", {text}}}" if text else "}")
        return encode({"typ": "JWT", "alg": "HS256"}, body.encode(), hs(lab.secret))

    return make


def values(seen, name="X-Tenant"):
    """Every value under this name, however it is spelt."""
    return [value for key, value in seen.fields if key.lower().replace("_", "-") == name.lower()]


# Values

EXACT = {
    "a string": ('"acme"', "acme"),
    "visible signs": ('"a/b:c=d+e;f@g~!"', "a/b:c=d+e;f@g~!"),
    "an escaped string": ('"\\u0061cme"', "acme"),
    "zero": ("0", "0"),
    "a number": ("42", "42"),
    "a negative number": ("-7", "-7"),
    "a number that no double holds": ("9007199254740993", "9007199254740993"),
    "the largest 64-bit number": ("9223372036854775807", "9223372036854775807"),
    "true": ("true", "true"),
    "false": ("false", "false"),
    "a list": ('["admin", "editor"]', "admin,editor"),
    "a list of one": ('["admin"]', "admin"),
    "a list of several kinds": ('["a", 9007199254740993, true]', "a,9007199254740993,true"),
    "null": ("null", None),
    "an empty list": ("[]", None),
    "an object": ('{"a": "b"}', None),
    "absent": (None, None),
}


@pytest.mark.parametrize("text, arrives", EXACT.values(), ids=EXACT)
def test_what_a_claim_becomes(gateway, upstream, token, text, arrives):
    made = token(text and f'"tenant_id": {text}')
    assert gateway.ask("/tenants/x", token=made).status == 200
    seen = upstream.last()
    assert values(seen) == ([] if arrives is None else [arrives])
    assert values(seen, "X-User-Id") == [USER] and values(seen, "X-Roles") == []


MALFORMED = {
    "CR LF": r'"a\r\nX-Evil: 1"',
    "LF": r'"a\nX-Evil: 1"',
    "CR": r'"a\rX-Evil: 1"',
    "NUL": r'"a\u0000b"',
    "a tab": r'"a\tb"',
    "DEL": r'"a\u007fb"',
    "not ASCII": '"caf\u00e9"',
    "not ASCII, escaped": r'"caf\u00e9"',
    "a line separator": r'"a\u2028X-Evil: 1"',
    "a sign whose low byte is LF": r'"a\u010aX-Evil: 1"',
    "too long": '"' + "x" * 11_000 + '"',
    "CR LF in a list": r'["a", "b\r\nX-Evil: 1"]',
    "NUL in a list": r'["a", "b\u0000"]',
    "not ASCII in a list": r'["a", "\u00e9"]',
    "a comma in a list": '["user", "guest,admin"]',
    "a list in a list": '["a", ["b"]]',
    "an object in a list": '["a", {"b": "c"}]',
    "null in a list": '["a", null]',
    "too many in a list": json.dumps(["role-%d" % number for number in range(1000)], separators=(",", ":")),
    "a fraction": "1.5",
    "an exponent": "1e3",
    "a number that no integer holds": "123456789012345678901234567890",
    "an empty string": '""',
}
PERHAPS = {"a fraction": "1.5", "a number that no integer holds": "123456789012345678901234567890", "an empty string": ""}


@pytest.mark.parametrize("name", MALFORMED)
def test_nothing_malformed_arrives(gateway, upstream, token, name):
    """Absent, or the request is refused; never a part, a second header, another number or a longer list."""
    got = gateway.ask("/tenants/x", token=token(f'"tenant_id": {MALFORMED[name]}'))
    if got.status != 200:
        assert got.status in (400, 401, 403) and upstream.requests == []
        return
    seen = upstream.last()
    assert values(seen) in ([], [PERHAPS[name]] if name in PERHAPS else [])
    assert "x-evil" not in seen.names()


def test_several_at_once(gateway, upstream, token):
    made = token('"tenant_id": "acme", "roles": ["admin", "editor"]')
    assert gateway.ask("/tenants/x", token=made).status == 200
    seen = upstream.last()
    assert values(seen) == ["acme"] and values(seen, "X-Roles") == ["admin,editor"] and values(seen, "X-User-Id") == [USER]


def test_a_claim_that_cannot_be_a_header_does_not_spoil_another(gateway, upstream, token):
    got = gateway.ask("/tenants/x", token=token(r'"tenant_id": "a\nb", "roles": ["admin"]'))
    if got.status == 200:
        assert values(upstream.last()) == [] and values(upstream.last(), "X-Roles") == ["admin"]


def test_what_was_injected_does_not_stay_on_the_connection(gateway, upstream, token):
    with gateway.connect("plain") as wire:
        for text in ('"tenant_id": "acme"', "", '"tenant_id": "other"'):
            assert wire.send(request("GET", "/tenants/x", token=token(text))).answer().status == 200
    assert [values(seen) for seen in upstream.requests] == [["acme"], [], ["other"]]


# What a client sends itself

SPELLINGS = ["X-Tenant", "x-tenant", "X-TENANT", "X_Tenant", "x_tenant", "X_TENANT"]


@pytest.mark.parametrize("spelt", SPELLINGS)
def test_a_clients_own_never_arrives(gateway, upstream, token, spelt):
    """threats.md: any spelling, repeated, with and without the claim (reports.md 10)."""
    fields = [f"{spelt}: root", f"{spelt}: root2"]
    for text, arrives in (('"tenant_id": "acme"', ["acme"]), ("", []), ('"tenant_id": null', [])):
        upstream.reset_script()
        assert gateway.ask("/tenants/x", *fields, token=token(text)).status == 200
        seen = upstream.last()
        assert values(seen) == arrives and b"root" not in seen.head


def test_a_key_has_no_claims(gateway, upstream):
    key = gateway.key()
    upstream.reset_script()
    assert gateway.ask("/tenants/x", "X-Tenant: root", "x_roles: root", token=key).status == 200
    seen = upstream.last()
    assert values(seen) == values(seen, "X-Roles") == [] and values(seen, "X-User-Id") == ["owner-1"]


@pytest.mark.parametrize("target", ["/tenants/open/", "/api/x", "/public/"])
def test_nor_on_a_route_that_does_not_inject_it(gateway, upstream, token, target):
    """contract.md: every header that the gateway injects is its own; the backend believes it on any path."""
    assert gateway.ask(target, "X-Tenant: root", "x_roles: root", token=token()).status == 200
    assert b"root" not in upstream.last().head


def test_connection_cannot_remove_it(gateway, upstream, token):
    got = gateway.ask("/tenants/x", "Connection: close, X-Tenant", token=token('"tenant_id": "acme"'))
    if got.status == 400:
        assert upstream.requests == []
    else:
        assert got.status == 200 and values(upstream.last()) == ["acme"]


@pytest.mark.parametrize("kind", ["application/json", "application/grpc"])
def test_trailers_cannot_bring_it(gateway, upstream, token, kind):
    head = request("POST", "/tenants/x", f"Content-Type: {kind}", "TE: trailers", "Transfer-Encoding: chunked", token=token())
    with gateway.connect("plain") as wire:
        wire.send(head + b"1\r\na\r\n0\r\nX-Tenant: root\r\nx_tenant: root\r\nX-Roles: root\r\nX-Other: kept\r\n\r\n")
        assert wire.answer().status == 200
    seen = upstream.last()
    assert b"root" not in seen.head + seen.trailers and seen.body == b"a"


def test_the_same_over_http2(gateway, upstream, token):
    spoofed = [("x-tenant", "root"), ("x_tenant", "root"), ("x-roles", "root")]
    with Frames(gateway) as frames:
        for text, arrives in (('"tenant_id": "acme"', ["acme"]), ("", [])):
            upstream.reset_script()
            assert frames.answer(frames.request("GET", "/tenants/x", *spoofed, token=token(text))).status == 200
            assert values(upstream.last()) == arrives and b"root" not in upstream.last().head


def test_the_same_on_a_websocket_handshake(gateway, upstream, token):
    fields = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "X-Tenant: root", "X_Tenant: root"]  # fmt: skip
    gateway.ask("/tenants/x", *fields, token=token('"tenant_id": "acme"'))
    seen = upstream.last()
    assert seen.header("Upgrade") == "websocket" and values(seen) == ["acme"] and b"root" not in seen.head


# What cannot be right

FORBIDDEN = ["Host", "Content-Length", "Connection", "Transfer-Encoding", "X-User-Id", "Authorization", "host", "x_user_id", "X-Agent-Id",
             "X-Api-Key-Id", "Upgrade", "TE", "Trailer", "Keep-Alive", "Expect", "content_length"]  # fmt: skip
MISTAKES = {
    **{name: (f"inject {name} claim tenant_id;", name) for name in FORBIDDEN},
    "a name that is no name": ('inject "X Tenant" claim tenant_id;', '"X Tenant"'),
    "a name that is not ASCII": ("inject X-Tenänt claim tenant_id;", "X-Ten"),
    "a name with a colon": ("inject X-Tenant: claim tenant_id;", "X-Tenant:"),
    "a name alone": ("inject X-Tenant;", "inject"),
    "no claim": ("inject X-Tenant claim;", "inject"),
    "neither name nor claim": ("inject;", "inject"),
}


@pytest.mark.parametrize("directive, place", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_found_when_the_file_is_read(start, directive, place):
    assert_mistake_found(start, directive, place)
