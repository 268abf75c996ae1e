"""Cookie mode: tokens that scripts cannot read, and requests that only the own page can make (contract.md)."""

import http.cookies
import json
import time

import pytest

from support.gateway import refusal
from support.identity import PASSWORD, Door, claims_of, identity_configuration

HOST = "localhost"


class Jar:
    """A browser's cookies for one host, with what they were set with."""

    def __init__(self):
        self.cookies = {}

    def take(self, answer):
        for line in answer.all("Set-Cookie"):
            [(name, morsel)] = http.cookies.SimpleCookie(line).items()
            if morsel["max-age"] == "0":
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel
        return answer

    def line(self, *names):
        return "Cookie: " + "; ".join(f"{name}={self.cookies[name].value}" for name in names if name in self.cookies)

    def value(self, name):
        return self.cookies[name].value


SAME = "Sec-Fetch-Site: same-origin"


@pytest.fixture(scope="module")
def door(start):
    door = Door(start(identity_configuration("cookies on; access_ttl 3s; refresh_overlap 2s;")), "tls")
    door.ann = door.add("ann@example.com")
    return door


@pytest.fixture
def jar(door):
    jar = Jar()
    assert jar.take(door.try_login("ann@example.com", PASSWORD, SAME)).status == 200
    return jar


def browse(door, jar, method="GET", path="/api/thing", *fields, body=None):
    return door.send(method, path, body, jar.line("__Host-access", "__Host-csrf"), *fields)


def test_the_cookies_that_a_login_sets(door, jar):
    assert set(jar.cookies) == {"__Host-access", "__Secure-refresh", "__Host-csrf"}
    for name, morsel in jar.cookies.items():
        assert morsel["secure"] and morsel["samesite"] == "Strict" and not morsel["domain"], name
        assert morsel["httponly"] == ("" if name == "__Host-csrf" else True)
        assert morsel["path"] == ("/api/auth/token/refresh" if name == "__Secure-refresh" else "/"), name
    assert claims_of(jar.value("__Host-access"))["token_type"] == "access"
    assert claims_of(jar.value("__Secure-refresh"))["token_type"] == "refresh"


def test_the_access_cookie_is_a_credential_and_stays_here(door, jar, upstream):
    fields = "Cookie: theme=dark; " + jar.line("__Host-access", "__Host-csrf", "__Secure-refresh")[8:] + "; lang=de"
    assert door.send("GET", "/api/thing", None, fields).status == 200
    seen = upstream.requests[-1]
    assert seen.all("Cookie") == ["theme=dark; lang=de"]
    assert seen.header("X-User-Id") == door.ann["id"]
    assert seen.header("Authorization") == "Bearer " + jar.value("__Host-access"), "as a token in the header would go on"
    assert door.send("GET", "/api/hidden/", None, jar.line("__Host-access")).status == 200
    seen = upstream.requests[-1]
    assert seen.all("Cookie") == [] and seen.header("Authorization") is None, "forward_credential off"
    door.send("GET", "/public/", None, jar.line("__Host-access"))
    assert upstream.requests[-1].all("Cookie") == [], "nor on a public route"


def test_the_header_wins(door, jar):
    refusal(door.send("GET", "/api/thing", None, jar.line("__Host-access"), token="x"), 401, "token_invalid")
    refusal(door.send("GET", "/api/thing"), 401, "credentials_missing")


def test_tossed_cookies(door, jar):
    """threats.md: two of one name, one of them from somebody else."""
    mine = jar.value("__Host-access")
    for line in (f"Cookie: __Host-access=x; __Host-access={mine}", f"Cookie: __Host-access={mine}\r\nCookie: __Host-access={mine}"):
        refusal(door.send("GET", "/api/thing", None, line), 401, "token_invalid")
    for line in ("Cookie: __Host-access=x", "Cookie: __Host-access=", "Cookie: __Host-access=rk_x"):
        refusal(door.send("GET", "/api/thing", None, line), 401, "token_invalid")
    for line in (f"Cookie: __host-access={mine}", f"Cookie: access={mine}", "Cookie: ;;= ;"):
        refusal(door.send("GET", "/api/thing", None, line), 401, "credentials_missing")


PROOFS = [
    (["Sec-Fetch-Site: same-origin"], True, "the browser says so"),
    (["Sec-Fetch-Site: same-origin", "Origin: https://evil.example"], True, "no script can set Sec-Fetch-Site"),
    (["Sec-Fetch-Site: cross-site"], False, "another site"),
    (["Sec-Fetch-Site: same-site"], False, "a sibling domain is another origin"),
    (["Sec-Fetch-Site: none"], False, "not from a page"),
    (["Sec-Fetch-Site: cross-site", "Origin: https://localhost"], False, "the stronger sign counts"),
    (["Origin: https://localhost"], True, "an older browser"),
    (["Origin: https://LOCALHOST"], True, "hosts are case-insensitive"),
    (["Origin: http://localhost"], False, "another scheme"),
    (["Origin: https://localhost:8443"], False, "another port"),
    (["Origin: https://localhost.evil.example"], False, "a prefix"),
    (["Origin: null"], False, "a sandboxed page"),
    (["Origin: "], False, "empty"),
    ([], False, "nothing at all"),
    (["X-CSRF-Token: {csrf}"], True, "double submit: the page has read the cookie"),
    (["x-csrf-token: {csrf}"], True, "field names in any case"),
    (["X-CSRF-Token: {csrf}x"], False, "another value"),
    (["X-CSRF-Token: "], False, "no value"),
    (["X-CSRF-Token: {csrf}", "X-CSRF-Token: {csrf}"], False, "twice"),
    (["Sec-Fetch-Site: cross-site", "X-CSRF-Token: {csrf}"], False, "the browser knows better"),
]


@pytest.mark.parametrize("fields, passes, why", PROOFS, ids=[row[2] for row in PROOFS])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_unsafe_methods_need_a_proof(door, jar, upstream, method, fields, passes, why):
    upstream.requests.clear()
    fields = [field.format(csrf=jar.value("__Host-csrf")) for field in fields]
    answer = browse(door, jar, method, "/api/thing", *fields, body=b"{}")
    if passes:
        assert answer.status == 200, why
    else:
        assert refusal(answer, 403, "csrf_failed") == {} and upstream.requests == [], why


def test_safe_methods_need_none(door, jar):
    for method in ("GET", "HEAD", "OPTIONS"):
        assert browse(door, jar, method, "/api/thing", "Sec-Fetch-Site: cross-site").status == 200


def test_the_header_needs_none(door, jar):
    assert door.post("/api/thing", b"{}", "Origin: https://evil.example", token=jar.value("__Host-access")).status == 200


def test_another_site_cannot_log_somebody_in(door):
    for field in ("Sec-Fetch-Site: cross-site", "Origin: https://evil.example"):
        refusal(door.try_login("ann@example.com", PASSWORD, field), 403, "csrf_failed")


def refresh(door, jar, body=b"{}", *fields):
    return door.post("/api/auth/token/refresh/", body, jar.line("__Secure-refresh"), *(fields or (SAME,)))


def test_refreshing_by_cookie(door, jar):
    before = dict(jar.cookies)
    answer = jar.take(refresh(door, jar))
    assert answer.status == 200 and "refresh" not in answer.json, "scripts need not see it"
    assert answer.json["access"] == jar.value("__Host-access")
    assert jar.value("__Secure-refresh") != before["__Secure-refresh"].value
    refusal(refresh(door, jar, b"{}", "Sec-Fetch-Site: cross-site"), 403, "csrf_failed")
    refusal(door.post("/api/auth/token/refresh/", b"{}", jar.line("__Secure-refresh")), 403, "csrf_failed")
    refusal(door.post("/api/auth/token/refresh/", b"{}", SAME), 400, "bad_request")
    assert refresh(door, jar, b"").status == 200, "an empty body is an empty object"


def test_two_refreshes_from_one_jar_clear_nothing(door, jar):
    """reports.md 25."""
    first, second = refresh(door, jar), refresh(door, jar)
    for answer in (first, second):
        assert answer.status == 200 and all("Max-Age=0" not in line for line in answer.all("Set-Cookie"))
    assert first.json == second.json


def test_an_expired_access_cookie_is_renewed_on_the_way(door, jar, upstream):
    old = claims_of(jar.value("__Host-access"))
    time.sleep(max(0, old["exp"] - time.time()) + 0.1)
    answer = jar.take(browse(door, jar, "POST", "/api/thing", SAME, body=b'{"a":1}'))
    assert answer.status == 200 and answer.body == b'{"ok":true}'
    assert answer.all("Cache-Control") == ["no-store"], "RFC 9111 7.3: a cache would give the cookies to the next user"
    new = claims_of(jar.value("__Host-access"))
    assert new["sid"] == old["sid"] and new["exp"] > old["exp"]
    seen = upstream.requests[-1]
    assert seen.body == b'{"a":1}' and seen.header("Authorization") == "Bearer " + jar.value("__Host-access")
    assert browse(door, jar).status == 200 and refresh(door, jar).status == 200
    refusal(door.open(jar.value("__Host-access") + "x"), 401, "token_invalid")


def test_many_requests_with_an_expired_cookie_get_one_pair(door, jar):
    import concurrent.futures

    old = claims_of(jar.value("__Host-access"))
    time.sleep(max(0, old["exp"] - time.time()) + 0.1)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: browse(door, jar), range(16)))
    assert {answer.status for answer in answers} == {200}
    sets = {tuple(line for line in answer.all("Set-Cookie") if "__Host-csrf" not in line) for answer in answers}
    assert len(sets) == 1


def test_an_expired_token_in_the_header_is_not_renewed(door, jar):
    token = jar.value("__Host-access")
    time.sleep(max(0, claims_of(token)["exp"] - time.time()) + 0.1)
    answer = door.open(token)
    refusal(answer, 401, "token_expired")
    assert answer.all("Set-Cookie") == []


def cleared(answer):
    return sorted(line.split("=")[0] for line in answer.all("Set-Cookie") if "Max-Age=0" in line)


ALL = ["__Host-access", "__Host-csrf", "__Secure-refresh"]


def test_logging_out_by_cookie(door, jar):
    refusal(browse(door, jar, "POST", "/api/auth/logout/"), 403, "csrf_failed")
    answer = browse(door, jar, "POST", "/api/auth/logout/", SAME)
    assert answer.status == 204 and cleared(answer) == ALL
    dead = browse(door, jar)
    refusal(dead, 401, "token_revoked")
    assert cleared(dead) == ALL, "only token_revoked and token_expired clear cookies"
    gone = refresh(door, jar)
    refusal(gone, 401, "token_revoked")
    assert cleared(gone) == ALL


def test_a_stolen_copy_of_a_spent_cookie_ends_the_session(door, jar):
    stolen = dict(jar.cookies)
    jar.take(refresh(door, jar))
    time.sleep(2.1)
    thief = Jar()
    thief.cookies = stolen
    refusal(refresh(door, thief), 401, "token_revoked")
    refusal(browse(door, jar), 401, "token_revoked")


def test_a_refused_login_sets_and_clears_nothing(door):
    answer = door.try_login("ann@example.com", "wrong", SAME)
    refusal(answer, 401, "login_failed")
    assert answer.all("Set-Cookie") == []


def test_keys_are_managed_by_cookie(door, jar, upstream):
    answer = browse(door, jar, "POST", "/api/agents/a1/api-keys/", SAME, body=json.dumps({"name": "n"}).encode())
    assert answer.status == 201
    question = upstream.requests[-1]
    assert question.header("Authorization") == "Bearer " + jar.value("__Host-access") and question.all("Cookie") == []


def test_off_by_default(start):
    door = Door(start(identity_configuration()), "tls")
    door.add("ann@example.com")
    answer = door.try_login("ann@example.com")
    assert answer.all("Set-Cookie") == []
    cookie = f"Cookie: __Host-access={answer.json['access']}"
    refusal(door.send("GET", "/api/thing", None, cookie), 401, "credentials_missing")


def test_explain_reads_the_access_cookie(door, jar):
    def explain(method, *lines):
        return door.gateway.run("explain", method, "/api/thing", "-H", "@-", input="\n".join(lines)).stdout

    cookie = jar.line("__Host-access")
    passes = explain("GET", cookie)
    assert "the access cookie" in passes and f"user {door.ann['id']}" in passes and "forwarded to upstream" in passes
    assert jar.value("__Host-access") not in passes
    assert "left to the running gateway" in explain("POST", cookie)
    assert "token_invalid" in explain("GET", cookie, cookie)
    assert "credentials_missing" in explain("GET", jar.line("__Host-csrf"))
    time.sleep(3.1)
    assert "renews it" in explain("GET", cookie)
