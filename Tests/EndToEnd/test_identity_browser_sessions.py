"""Cookie mode: what is forwarded, what other pages cannot do, and how a session is refreshed and ends (contract.md)."""

import time

import pytest

from support.accounts import API_KEYS, LOGOUT, PASSWORD, add_user, identity, keys_path, login, logout, post
from support.accounts import REFRESH as REFRESH_PATH
from support.cookies import ACCESS, PROOF, REFRESH, Cookie, Jar
from support.gateway import refusal
from support.tokens import decode, hs, resigned

ADA = "ada@example.com"
OWN = "Sec-Fetch-Site: same-origin"
ALL = sorted([ACCESS, REFRESH, PROOF])


@pytest.fixture(scope="module")
def gateway(start):
    gateway = start(jwt="", identity=identity("cookies on;"), api_keys=API_KEYS)
    add_user(gateway, ADA)
    return gateway


@pytest.fixture
def jar(gateway, upstream):
    """A browser that has logged in."""
    jar = Jar()
    assert jar.take(login(gateway, ADA, PASSWORD, OWN)).status == 200
    return jar


@pytest.fixture(scope="module")
def first_visitor(gateway):
    jar = Jar()
    assert jar.take(login(gateway, ADA, PASSWORD, OWN)).status == 200
    return jar


@pytest.fixture
def visitor(first_visitor, upstream):
    """A browser that has logged in, for tests that leave its session alive: they have the same."""
    return first_visitor.copy()


def send(gateway, jar, target, *fields, method="GET", body=None):
    """A browser's request: with the cookies of its jar, and taking what comes back."""
    return jar.take(post(gateway, target, body, *jar.line(target), *fields, method=method))


def renew(gateway, jar, *fields):
    return send(gateway, jar, REFRESH_PATH, *fields, method="POST", body=b"{}")


def clears(answer):
    """The names of the cookies that an answer takes away."""
    return sorted(cookie.name for cookie in map(Cookie, answer.all("Set-Cookie")) if cookie.is_clearing)


def expire(jar, lab):
    """Makes the jar's access token one that has just expired: the same token, an hour later."""
    jar[ACCESS] = resigned(jar[ACCESS], hs(lab.secret), exp=int(time.time()) - 5)
    return jar[ACCESS]


# What cookies do, on one session that lives on


COOKIES = {
    "names that only look alike": ("x__Host-access=1; {ours}; __Host-access2=3", "x__Host-access=1; __Host-access2=3"),
    "no blank between": ("a=1;{ours};b=2", "a=1; b=2"),
    "quotes and equals signs": ('a="x=y"; {ours}; b', 'a="x=y"; b'),
}


@pytest.mark.parametrize("value, forwarded", COOKIES.values(), ids=COOKIES)
def test_the_upstream_sees_other_cookies_alone(gateway, visitor, upstream, value, forwarded):
    ours = "; ".join(f"{name}={cookie.value}" for name, cookie in visitor.cookies.items())
    answer = gateway.ask("/api/x", "Cookie: " + value.format(ours=ours), listener="tls")
    assert answer.status == 200
    assert upstream.last().header("Cookie") == forwarded
    for cookie in visitor.cookies.values():
        assert f"{cookie.name}={cookie.value}".encode() not in upstream.last().head


def test_a_refresh_token_in_the_access_cookie_opens_and_clears_nothing(gateway, visitor, upstream):
    answer = gateway.ask("/api/x", f"Cookie: {ACCESS}={visitor[REFRESH]}", OWN, listener="tls")
    refusal(answer, 401, "token_wrong_type")
    assert not answer.all("Set-Cookie"), "only token_revoked and token_expired clear cookies"
    assert not upstream.requests


# Requests that change something need a proof of where they come from. PORT and CSRF are filled in; None: it passes.

FURTHER_PROOFS = {
    "Sec-Fetch-Site that is unknown": (["Sec-Fetch-Site: same-origin-ish"], "csrf_failed"),
    "Origin of this host": (["Origin: https://localhost:PORT"], None),
    "Origin without the port": (["Origin: https://localhost"], "csrf_failed"),
    "Origin that begins alike": (["Origin: https://localhost:PORT.evil.example"], "csrf_failed"),
    "the header does not outweigh Origin": (["X-CSRF-Token: CSRF", "Origin: https://evil.example"], "csrf_failed"),
    "Referer is none": (["Referer: https://localhost:PORT/"], "csrf_failed"),
}


@pytest.mark.parametrize("fields, error", FURTHER_PROOFS.values(), ids=FURTHER_PROOFS)
def test_where_a_request_comes_from(gateway, visitor, upstream, fields, error):
    port = str(gateway.ports.tls)
    fields = [field.replace("PORT", port).replace(": CSRF", f": {visitor[PROOF]}") for field in fields]
    answer = post(gateway, "/api/x", {}, *visitor.line("/api/x"), *fields, host=f"localhost:{port}")
    if error is None:
        assert answer.status == 200 and upstream.last().header("X-User-Id"), answer
    else:
        assert refusal(answer, 403, error) == {} and not answer.all("Set-Cookie")
        assert not upstream.requests


def test_the_double_submit_needs_both(gateway, visitor, upstream):
    for cookie in ("", f"; {PROOF}=", f"; {PROOF}={visitor[PROOF]}; {PROOF}=A"):
        line = f"Cookie: {ACCESS}={visitor[ACCESS]}{cookie}"
        for value in ("", visitor[PROOF], "A"):
            answer = post(gateway, "/api/x", {}, line, f"X-CSRF-Token: {value}")
            refusal(answer, 403, "csrf_failed")
    assert not upstream.requests


def test_a_websocket_handshake_needs_one(gateway, visitor, upstream):
    """RFC 6455 §10.2: browsers let any page open one, with cookies."""
    fields = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Origin: https://evil.example"]  # fmt: skip
    refusal(send(gateway, visitor, "/api/x", *fields), 403, "csrf_failed")
    assert not upstream.requests


def test_endpoints_of_the_gateway_need_one(gateway, visitor, upstream):
    for target, method in ((LOGOUT, "POST"), (keys_path(), "POST"), (keys_path("bot-1", "x"), "DELETE")):
        for fields in ([], ["Sec-Fetch-Site: cross-site"]):
            refusal(send(gateway, visitor, target, *fields, method=method, body=b'{"name": "n"}'), 403, "csrf_failed")
    assert send(gateway, visitor, "/api/x").status == 200, "still logged in"
    answer = send(gateway, visitor, keys_path(), OWN, method="POST", body=b'{"name": "n"}')
    assert answer.status == 201, "an owner may manage keys with his cookie"


# Refreshes


def test_a_token_in_the_body_goes_on_working(gateway):
    """For clients that are no browsers: they send neither Sec-Fetch-Site nor Origin, nor cookies."""
    body = login(gateway, ADA).json
    answer = post(gateway, REFRESH_PATH, {"refresh": body["refresh"]})
    assert answer.status == 200 and list(answer.json) == ["access", "refresh"]


def test_an_expired_access_cookie_is_refreshed_in_passing(gateway, jar, lab, upstream):
    old = expire(jar, lab)
    answer = send(gateway, jar, "/api/x")
    assert answer.status == 200 and clears(answer) == []
    assert jar[ACCESS] != old and decode(jar[ACCESS])[1]["exp"] > time.time() + 60
    assert decode(jar[ACCESS])[1]["sid"] == decode(old)[1]["sid"]
    seen = upstream.last()
    assert seen.header("Authorization") == f"Bearer {jar[ACCESS]}" and not seen.all("Cookie")
    upstream.reset_script()
    answer = send(gateway, jar, "/api/x")
    assert answer.status == 200 and not answer.all("Set-Cookie"), "once is enough"
    assert renew(gateway, jar, OWN).status == 200, "the refresh cookie that came along is the right one"


def test_a_request_that_changes_something_is_refreshed_too_and_sent_once(gateway, jar, lab, upstream):
    expire(jar, lab)
    refusal(send(gateway, jar, "/api/x", method="POST", body=b'{"n": 1}'), 403, "csrf_failed")
    answer = send(gateway, jar, "/api/x", OWN, method="POST", body=b'{"n": 1}')
    assert answer.status == 200 and answer.all("Set-Cookie")
    assert [seen.body for seen in upstream.requests] == [b'{"n": 1}']


@pytest.mark.parametrize("change", [{"jti": "x" * 36}, {"sid": "y" * 36, "jti": "x" * 36}], ids=["jti", "sid"])
def test_a_token_that_was_never_given_out_is_not_refreshed(gateway, jar, lab, upstream, change):
    jar[ACCESS] = resigned(jar[ACCESS], hs(lab.secret), exp=int(time.time()) - 5, **change)
    answer = send(gateway, jar, "/api/x")
    assert answer.status == 401 and answer.error in ("token_expired", "token_revoked"), answer
    assert not upstream.requests


def test_a_forged_one_is_not_refreshed(gateway, jar, lab, upstream):
    jar[ACCESS] = resigned(jar[ACCESS], hs(lab.other_secret), exp=int(time.time()) - 5)
    answer = send(gateway, jar, "/api/x")
    refusal(answer, 401, "token_invalid")
    assert not answer.all("Set-Cookie") and not upstream.requests


# The end


def test_an_expired_access_cookie_of_an_ended_session_is_cleared(gateway, jar, lab, upstream):
    assert logout(gateway, jar[ACCESS]).status == 204
    expire(jar, lab)
    answer = send(gateway, jar, "/api/x")
    refusal(answer, 401, "token_revoked")
    assert clears(answer) == ALL and len(jar) == 0 and not upstream.requests


def test_log_out_with_an_expired_access_cookie(gateway, jar, lab):
    """Whoever comes back the next day and leaves at once."""
    expire(jar, lab)
    other = jar.copy()
    answer = send(gateway, jar, LOGOUT, OWN, method="POST")
    assert answer.status == 204 and clears(answer) == ALL and len(jar) == 0
    refusal(renew(gateway, other, OWN), 401, "token_revoked")
