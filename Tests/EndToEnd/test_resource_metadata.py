"""Protected resource metadata (RFC 9728): where a client that is refused finds out where to log in."""

import json
import time

import pytest

from support.frames import Frames
from support.gateway import ROUTES, configuration, refusal

PATH = "/.well-known/oauth-protected-resource"
WHERE = f'resource_metadata="https://api.example.com{PATH}"'
RESOURCE = """
resource https://api.example.com/ {
    authorization_server https://login.example.com;
    scopes query manage;
}
"""


@pytest.fixture(scope="module")
def gateway(start):
    return start(top=RESOURCE)


@pytest.fixture(scope="module")
def without(start):
    return start()


@pytest.mark.parametrize("target", [PATH, f"{PATH}/", f"{PATH}?a=b"])
@pytest.mark.parametrize("token", [None, "x.y.z"])
def test_the_document(gateway, upstream, target, token):
    """RFC 9728 2 and 3.2; a trailing slash is optional, and no credential is looked at."""
    got = gateway.ask(target, token=token)
    assert got.status == 200 and got.header("Content-Type") == "application/json" and got.header("X-Request-Id")
    document = got.json
    assert document["resource"] == "https://api.example.com/", "byte for byte what is configured (RFC 9728 3.3)"
    assert document["authorization_servers"] == ["https://login.example.com"]
    assert document["scopes_supported"] == ["query", "manage"]
    assert document["bearer_methods_supported"] == ["header"]
    assert all(value not in (None, [], "") for value in document.values()), "what is not there is left out (RFC 9728 3.2)"
    assert upstream.requests == []


def test_head(gateway, upstream):
    length = len(gateway.ask(PATH).body)
    got = gateway.ask(PATH, method="HEAD")
    assert got.status == 200 and got.header("Content-Type") == "application/json" and got.body == b""
    assert got.header("Content-Length") in (None, str(length))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods(gateway, upstream, method):
    got = gateway.ask(PATH, method=method)
    details = refusal(got, 405, "method_not_allowed")
    assert got.header("Allow") == "GET, HEAD" and details == {"allowed": ["GET", "HEAD"]}


@pytest.mark.parametrize("target", [PATH.upper(), PATH + "/x", "/.well-known/oauth-protected-resources", "/.well-known/"])
def test_neighbours_are_not_found(gateway, upstream, target):
    refusal(gateway.ask(target), 404, "not_found")


def test_without_the_block_there_is_none(without, upstream):
    refusal(without.ask(PATH), 404, "not_found")
    assert "resource_metadata" not in without.ask("/api/x").header("WWW-Authenticate")


REFUSED = {
    "nothing": ("/api/x", lambda jwt: None, "credentials_missing"),
    "garbage": ("/api/x", lambda jwt: "garbage", "token_invalid"),
    "a bad signature": ("/api/x", lambda jwt: jwt()[:-8] + "AAAAAAAA", "token_invalid"),
    "an expired token": ("/api/x", lambda jwt: jwt(exp=int(time.time()) - 60), "token_expired"),
    "a refresh token": ("/api/x", lambda jwt: jwt(token_type="refresh"), "token_wrong_type"),
    "an unknown key": ("/api/keys-only/", lambda jwt: "rk_" + "x" * 43, "api_key_invalid"),
}


@pytest.mark.parametrize("target, make, error", REFUSED.values(), ids=REFUSED)
def test_a_401_says_where_to_look(gateway, upstream, jwt, target, make, error):
    """RFC 9728 5.1: a parameter of the challenge beside those of RFC 6750."""
    got = gateway.ask(target, token=make(jwt))
    refusal(got, 401, error)
    challenge = got.header("WWW-Authenticate")
    assert challenge.count(WHERE) == 1 and challenge.startswith("Bearer "), challenge
    assert challenge.count("Bearer ") == 1 and challenge.count('"') % 2 == 0, challenge


def test_a_401_over_http2_says_it_too(gateway, upstream):
    with Frames(gateway) as frames:
        assert WHERE in frames.answer(frames.request("GET", "/api/x")).header("www-authenticate")
        got = frames.answer(frames.request("GET", PATH))
        assert got.status == 200 and got.json["resource"] == "https://api.example.com/"


def test_a_public_route_of_everything_does_not_hide_it(start, upstream):
    gateway = start(top=RESOURCE, routes=ROUTES + "route / { accept none; upstream agents; }")
    assert gateway.ask(PATH).json["resource"] == "https://api.example.com/"
    assert upstream.requests == []


def test_what_is_not_configured_is_left_out(start, upstream):
    gateway = start(top="resource https://api.example.com { authorization_server https://login.example.com; }")
    document = gateway.ask(PATH).json
    assert document["resource"] == "https://api.example.com" and "scopes_supported" not in document
    assert WHERE in gateway.ask("/api/x").header("WWW-Authenticate")


def test_it_is_plain_json(gateway, upstream):
    body = gateway.ask(PATH).body
    assert len(json.loads(body, object_pairs_hook=list)) == len(json.loads(body)), "no member twice"


MISTAKES = {
    "no scheme": ("resource api.example.com { authorization_server https://login.example.com; }", "api.example.com"),
    "a fragment": ('resource "https://api.example.com/#x" { authorization_server https://login.example.com; }', '"https'),
    "a server without scheme": (
        "resource https://api.example.com/ { authorization_server login.example.com; }",
        "login.example.com",
    ),
    "no identifier": ("resource { authorization_server https://login.example.com; }", "resource"),
    "a second block": (
        "resource https://a.example/ { authorization_server https://l.example; } "
        "resource https://b.example/ { authorization_server https://l.example; }",
        "resource https://b.example/",
    ),
    "an unknown directive": ("resource https://api.example.com/ { scope query; }", "scope query"),
}


@pytest.mark.parametrize("line, place", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_found_when_the_file_is_read(start, line, place):
    output = start(configuration() + line + "\n", run=False).run("check", code=1).stderr
    at = f":{len(configuration().splitlines()) + 1}:{line.index(place) + 1}: error: "
    assert at in output, output
