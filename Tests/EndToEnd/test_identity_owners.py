"""Management of API keys: whom the upstream knows as the owner, nobody else; and when keys act (contract.md, gateway-conf.md)."""

import json

import pytest

from support.accounts import (
    API_KEYS,
    Crowd,
    Session,
    add_user,
    create_key,
    identity,
    keys_path,
    list_keys,
    post,
    revoke_key,
    rotate_key,
)
from support.gateway import refusal
from support.tokens import hs, resigned
from support.upstream import answer as upstream_answer
from support.wire import request

ADA = "ada@example.com"
CHECK = "/api/agents/bot-1/"  # where the owner check asks


@pytest.fixture(scope="module")
def gateway(start):
    gateway = start(jwt="", identity=identity(), api_keys=API_KEYS, directives="response_timeout 1s;")
    add_user(gateway, ADA)
    return gateway


@pytest.fixture(scope="module")
def session(gateway):
    return Session(gateway, ADA)


@pytest.fixture
def token(session, upstream):
    """The owner's access token; the upstream says yes to everything until it is told otherwise."""
    return session.access


def requests_of_each_kind(gateway, token, made=None):
    """A key that is there, and every kind of management request as a function."""
    made = made or create_key(gateway, token)
    return made, {
        "list": lambda: gateway.ask(keys_path(), token=token, listener="tls"),
        "create": lambda: post(gateway, keys_path(), {"name": "n"}, token=token),
        "rotate": lambda: rotate_key(gateway, token, made["id"], {"graceSeconds": 0}),
        "revoke": lambda: revoke_key(gateway, token, made["id"]),
    }


def test_the_owner_check_is_asked_as_the_user(gateway, session, token, upstream):
    _, requests = requests_of_each_kind(gateway, token)
    for name, send in requests.items():
        upstream.reset_script()
        assert send().status in (200, 201, 204), name
        (seen,) = upstream.requests
        assert (seen.method, seen.target) == ("GET", CHECK), name
        assert seen.header("X-User-Id") == session.user["id"]
        assert seen.header("Authorization") == f"Bearer {token}"
        assert seen.header("X-Request-Id") and seen.body == b"" and not seen.all("Content-Type")


def test_a_client_cannot_say_who_is_asked_for(gateway, session, token, upstream):
    fields = ("X-User-Id: somebody", "x_user_id: somebody", "X-Agent-Id: bot-9", "Connection: x-user-id, authorization")
    assert post(gateway, "/api/agents/x/../bot-1/api-keys/", {"name": "n"}, *fields, token=token).status == 201
    seen = upstream.last()
    assert seen.target == CHECK and b"somebody" not in seen.head and b"bot-9" not in seen.head
    assert seen.header("X-User-Id") == session.user["id"]


def use(gateway, key, agent="bot-1"):
    return gateway.ask(f"/api/agents/{agent}/", token=key)


# What the upstream answers, and what becomes of the request: 2xx yes, 4xx no, else 503
OWNER_ANSWERS = {
    "200": (upstream_answer(b'{"id": "bot-1"}'), None),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", None),
    "206 with a long body": (upstream_answer(b"x" * 300_000, "206 Partial Content"), None),
    "400": (upstream_answer(b"{}", "400 Bad Request"), 403),
    "401": (upstream_answer(b"{}", "401 Unauthorized", "WWW-Authenticate: Basic"), 403),
    "403": (upstream_answer(b"{}", "403 Forbidden"), 403),
    "404": (upstream_answer(b"{}", "404 Not Found"), 403),
    "429": (upstream_answer(b"{}", "429 Too Many Requests", "Retry-After: 9"), 403),
    "302": (upstream_answer(b"", "302 Found", "Location: /login/"), 503),
    "500": (upstream_answer(b"secret traceback", "500 Internal Server Error"), 503),
    "503": (upstream_answer(b"", "503 Service Unavailable"), 503),
    "garbage": (b"garbage\r\n\r\n", 503),
    "the end": (lambda connection, _: False, 503),
    "silence": (lambda connection, _: connection.wait_ended(5), 503),
}


@pytest.mark.parametrize("script, status", OWNER_ANSWERS.values(), ids=OWNER_ANSWERS)
def test_the_upstream_decides(gateway, token, upstream, script, status):
    before = list_keys(gateway, token, "decided")
    upstream.script = script
    answer = post(gateway, keys_path("decided"), {"name": "n"}, token=token)
    upstream.reset_script()
    assert b"traceback" not in answer.body and not answer.all("Location")
    after = list_keys(gateway, token, "decided")
    if status is None:
        assert answer.status == 201 and len(after) == len(before) + 1
        return
    if status == 403:
        assert refusal(answer, 403, "permission_denied")["required"]
    else:
        assert refusal(answer, 503, "upstream_unavailable") == {"upstream": "agents"}
    assert after == before


@pytest.mark.parametrize("script, status", [OWNER_ANSWERS["404"], OWNER_ANSWERS["500"]], ids=["404", "500"])
def test_every_kind_of_request_is_checked(gateway, token, upstream, script, status):
    made, requests = requests_of_each_kind(gateway, token)
    upstream.script = script
    assert {name: send().status for name, send in requests.items()} == dict.fromkeys(requests, status)
    upstream.reset_script()
    assert gateway.ask(CHECK, token=made["key"]).status == 200


def test_when_the_upstream_is_down(start, lab):
    gateway = start(jwt="", identity=identity(), api_keys=API_KEYS, server="server 127.0.0.1:1;")
    session = Session(gateway, add_user(gateway))
    answer = post(gateway, keys_path(), {"name": "n"}, token=session.access)
    assert refusal(answer, 503, "upstream_unavailable") == {"upstream": "agents"}
    assert json.loads(gateway.run("keys", "list", "--json").stdout)["keys"] == []


def test_the_check_may_be_another_request(start, upstream):
    check = "owner_check agents HEAD /internal/owners/{agent_id};"
    block = "api_keys /v1/bots/{agent_id}/keys/ { prefix bot_; %s }" % check
    gateway = start(jwt="", identity=identity(), api_keys=block)
    session = Session(gateway, add_user(gateway))
    answer = post(gateway, "/v1/bots/bot-1/keys/", {"name": "n"}, token=session.access)
    assert answer.status == 201 and answer.json["key"].startswith("bot_")
    assert (upstream.last().method, upstream.last().target) == ("HEAD", "/internal/owners/bot-1")


# Other credentials: nothing is asked, nothing is done


def test_an_api_key_cannot_manage_keys(gateway, token, upstream):
    made = create_key(gateway, token)
    _, requests = requests_of_each_kind(gateway, made["key"], made)
    upstream.reset_script()
    for name, send in requests.items():
        assert refusal(send(), 403, "credential_not_accepted") == {"accepted": ["jwt"]}, name
    assert not upstream.requests
    assert gateway.ask(CHECK, token=made["key"]).status == 200


def test_nor_can_what_is_no_living_access_token(gateway, session, token, upstream, lab):
    ended = Session(gateway, ADA)
    ended.end()
    for credential, error in (
        (None, "credentials_missing"),
        ("garbage", "token_invalid"),
        (session.refresh, "token_wrong_type"),
        (resigned(token, hs(lab.secret), exp=1_700_000_000), "token_expired"),
        (resigned(token, hs(lab.other_secret)), "token_invalid"),
        (ended.access, "token_revoked"),
    ):
        for target in (keys_path(), keys_path("bot-1", "some-id", "rotate")):
            refusal(post(gateway, target, {"name": "n"}, token=credential), 401, error)
    assert not upstream.requests


def test_a_refused_agent_id(gateway, token, upstream):
    """What cannot be a segment of a path is refused before anybody is asked."""
    for target in ("/api/agents/a%2Fb/api-keys/", "/api/agents/a%5Cb/api-keys/", "/api/agents/a%00/api-keys/"):
        refusal(post(gateway, target, {"name": "n"}, token=token), 400, "bad_request")
    assert not upstream.requests


# What acts at once, and what is written where


@pytest.mark.parametrize("target", [keys_path("slash")[:-1], "/api/agents/%73lash//api-keys/", "/api/agents/./slash/api-keys"])
def test_the_path_in_any_spelling(gateway, token, target):
    answer = post(gateway, target, {"name": "n"}, token=token, kind="application/json; charset=utf-8")
    assert answer.status == 201
    assert gateway.ask(target, token=token).status == 200
    assert answer.json["id"] in {key["id"] for key in list_keys(gateway, token, "slash")}
    assert use(gateway, answer.json["key"], "slash").status == 200


def test_a_new_key_works_at_once_on_its_agent_alone(gateway, session, token, upstream):
    made = create_key(gateway, token)
    upstream.reset_script()
    with Crowd(gateway) as crowd:
        assert crowd.outcomes("/api/agents/bot-1/", made["key"]) == {200}
        assert crowd.outcomes("/api/agents/bot-2/", made["key"]) == {(403, "agent_mismatch")}
    seen = upstream.last()
    assert seen.header("X-User-Id") == session.user["id"]
    assert (seen.header("X-Agent-Id"), seen.header("X-Api-Key-Id")) == ("bot-1", made["id"])
    assert not seen.all("Authorization")


def test_no_key_is_written_down(gateway, token):
    made = create_key(gateway, token)
    use(gateway, made["key"])
    gateway.logged(api_key_id=made["id"])
    for path in gateway.folder.iterdir():
        assert made["key"].encode() not in path.read_bytes(), path


def test_without_grace_the_old_key_is_dead_at_once(gateway, token):
    old = create_key(gateway, token)
    with Crowd(gateway) as crowd:
        assert crowd.outcomes("/api/agents/bot-1/", old["key"]) == {200}
        new = rotate_key(gateway, token, old["id"], {"graceSeconds": 0}).json
        assert crowd.outcomes("/api/agents/bot-1/", old["key"]) == {(401, "api_key_revoked")}
        assert crowd.outcomes("/api/agents/bot-1/", new["key"]) == {200}


@pytest.mark.parametrize("body", [{}, None], ids=["an empty object", "no body"])
def test_without_saying_how_long_there_is_a_grace(gateway, token, body):
    old = create_key(gateway, token)
    assert rotate_key(gateway, token, old["id"], body).status == 201
    assert use(gateway, old["key"]).status == 200


# Bad requests, and the field to blame

BAD = {
    "no object": (b'["x"]', "body"),
    "a name that is null": (b'{"name": null}', "name"),
    "a name with NUL: no text is read that has one": (b'{"name": "a\\u0000b"}', "body"),
    "two names": (b'{"name": "a", "name": "b"}', "body"),
    "an expiry without time": (b'{"name": "n", "expiresAt": "2099-01-01"}', "expiresAt"),
    "an expiry without zone": (b'{"name": "n", "expiresAt": "2099-01-01T00:00:00"}', "expiresAt"),
    "a day that is not": (b'{"name": "n", "expiresAt": "2099-02-29T00:00:00Z"}', "expiresAt"),
    "an empty expiry": (b'{"name": "n", "expiresAt": ""}', "expiresAt"),
    "an expiry as an object": (b'{"name": "n", "expiresAt": {}}', "expiresAt"),
}


@pytest.mark.parametrize("body, field", BAD.values(), ids=BAD)
def test_bad_bodies_make_no_key(gateway, token, body, field):
    details = refusal(post(gateway, keys_path("bad"), body, token=token), 400, "bad_request")
    assert details["reason"] and (details.get("field") == field), details
    assert list_keys(gateway, token, "bad") == []


@pytest.mark.parametrize("grace", ["1", -1, 1.5, True, [], 10**12, 10**30], ids=json.dumps)
def test_a_grace_that_is_none(gateway, token, grace):
    made = create_key(gateway, token)
    details = refusal(rotate_key(gateway, token, made["id"], {"graceSeconds": grace}), 400, "bad_request")
    assert details["reason"] and (details.get("field") == "graceSeconds" or grace == 10**30)
    assert use(gateway, made["key"]).status == 200


def test_content_type_and_size(gateway, token):
    refusal(post(gateway, keys_path(), {"name": "n"}, token=token, kind="text/plain"), 415, "unsupported_media_type")
    head = request("POST", keys_path(), "Content-Type: application/json", "Content-Length: 1048576", token=token)
    refusal(gateway.send(head + b"{", "tls", "POST"), 413, "body_too_large")
