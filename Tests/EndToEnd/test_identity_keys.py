"""API keys over HTTP: only the agent's owner, shown once, acting at once (contract.md; gateway-conf.md, `api_keys`)."""

import concurrent.futures
import time

import pytest

from support import eventually
from support.gateway import refusal
from support.identity import KEYS, Door, identity_configuration
from support.tokens import soon
from support.upstream import RecordingUpstream

MEMBERS = ["id", "name", "prefix", "createdAt", "expiresAt", "lastUsedAt", "revokedAt"]


@pytest.fixture(scope="module")
def door(start):
    door = Door(start(identity_configuration()))
    door.ann = door.add("ann@example.com")
    return door


@pytest.fixture(scope="module")
def access(door):
    return door.login("ann@example.com")["access"]


def path(agent="a1", *rest):
    return KEYS.format(agent=agent) + "".join(f"{part}/" for part in rest)


def test_a_key_is_made_shown_once_and_works_at_once(door, access, upstream):
    answer = door.post(path(), {"name": "chat", "expiresAt": "2100-01-02T03:04:05+01:00"}, token=access)
    made = answer.json
    assert answer.status == 201 and answer.header("Cache-Control") == "no-store" and list(made) == [*MEMBERS, "key"]
    assert made["key"].startswith(made["prefix"]) and len(made["key"]) == 46 and made["name"] == "chat"
    assert made["expiresAt"] == "2100-01-02T02:04:05Z" and made["lastUsedAt"] is None and made["revokedAt"] is None
    for _ in range(8):  # every shard
        assert door.open(made["key"], "/api/agents/a1/").status == 200
    seen = upstream.requests[-1]
    assert seen.header("X-User-Id") == door.ann["id"] and seen.header("X-Agent-Id") == "a1"
    assert seen.header("X-Api-Key-Id") == made["id"] and seen.header("Authorization") is None
    refusal(door.open(made["key"], "/api/agents/a2/"), 403, "agent_mismatch")
    listed = door.send("GET", path(), token=access)
    assert listed.status == 200 and made["key"].encode() not in listed.body
    ours = [key for key in listed.json["keys"] if key["id"] == made["id"]]
    assert len(ours) == 1 and list(ours[0]) == MEMBERS
    head = door.send("HEAD", path(), token=access)
    assert head.status == 200 and head.header("Content-Length") == str(len(listed.body))


def test_the_owner_is_asked_for_as_this_user(door, access, upstream):
    upstream.requests.clear()
    assert door.send("GET", "/api/agents/b%2D7/./api-keys", token=access).status == 200
    [question] = upstream.requests
    assert question.line == "GET /api/agents/b-7/ HTTP/1.1", "the normalised path, and the owner check's own"
    assert question.header("X-User-Id") == door.ann["id"] and question.header("Authorization") == f"Bearer {access}"
    assert question.header("Content-Length") is None and question.header("Host") == "localhost"
    fields = ("X-User-Id: somebody", "X_User_Id: else", "X-Agent-Id: a9")
    door.send("GET", path(), None, *fields, token=access)
    seen = upstream.requests[-1]
    assert seen.all("X-User-Id") == [door.ann["id"]] and seen.all("X_User_Id") == seen.all("X-Agent-Id") == []


@pytest.mark.parametrize(
    "status, expected, error",
    [
        (200, 201, None),
        (204, 201, None),
        (302, 503, "upstream_unavailable"),
        (401, 403, "permission_denied"),
        (403, 403, "permission_denied"),
        (404, 403, "permission_denied"),
        (429, 403, "permission_denied"),
        (500, 503, "upstream_unavailable"),
        (503, 503, "upstream_unavailable"),
    ],
)
def test_what_the_upstream_says_decides(door, access, upstream, status, expected, error):
    """gateway-conf.md: 2xx yes, 4xx no, else 503; nothing is done before."""
    before = len(door.send("GET", path("asked"), token=access).json["keys"])
    body = b"" if status == 204 else b"{}"
    length = b"" if status == 204 else b"Content-Length: 2\r\n"
    upstream.script = b"HTTP/1.1 %d X\r\n%s\r\n%s" % (status, length, body)
    answer = door.post(path("asked"), {"name": "n"}, token=access)
    assert answer.status == expected, answer
    if error:
        refusal(answer, expected, error)
    upstream.reset_script()
    after = len(door.send("GET", path("asked"), token=access).json["keys"])
    assert after - before == (expected == 201)


def test_an_upstream_that_does_not_answer(start):
    upstream = RecordingUpstream()
    door = Door(start(identity_configuration(directives="response_timeout 500ms;"), upstream=upstream))
    door.add("ann@example.com")
    access = door.login("ann@example.com")["access"]
    upstream.script = lambda connection, request: time.sleep(2)
    refusal(door.post(path(), {"name": "n"}, token=access), 503, "upstream_unavailable")
    upstream.script = b"nonsense"
    refusal(door.post(path(), {"name": "n"}, token=access), 503, "upstream_unavailable")
    upstream.close()
    refusal(door.post(path(), {"name": "n"}, token=access), 503, "upstream_unavailable")


def test_long_and_endless_answers_are_cut_off(door, access, upstream):
    upstream.script = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000
    assert door.send("GET", path(), token=access).status == 200
    upstream.script = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"4000\r\n%s\r\n" % (b"x" * 0x4000) * 5
    assert door.send("GET", path(), token=access).status == 200
    upstream.reset_script()
    assert door.open(access).status == 200


def test_who_may_manage_keys(door, access):
    refusal(door.send("GET", path()), 401, "credentials_missing")
    refusal(door.post(path(), {"name": "n"}, token="x"), 401, "token_invalid")
    key = door.make_key(access)
    for method, target in (("GET", path()), ("POST", path()), ("DELETE", path("a1", key["id"]))):
        answer = door.send(method, target, token=key["key"])
        assert refusal(answer, 403, "credential_not_accepted") == {"accepted": ["jwt"]}
    assert door.open(key["key"], "/api/agents/a1/").status == 200


@pytest.mark.parametrize(
    "method, target, allowed",
    [
        ("PUT", path(), "GET, HEAD, POST"),
        ("GET", path("a1", "some-id"), "DELETE"),
        ("GET", path("a1", "some-id", "rotate"), "POST"),
        ("DELETE", path("a1", "some-id", "rotate"), "POST"),
    ],
)
def test_other_methods(door, access, method, target, allowed):
    answer = door.send(method, target, token=access)
    refusal(answer, 405, "method_not_allowed")
    assert answer.header("Allow") == allowed


@pytest.mark.parametrize(
    "body, field",
    [
        (b"", "body"),
        (b"{", "body"),
        (b"{}", "name"),
        (b'{"name":""}', "name"),
        (b'{"name":5}', "name"),
        (b'{"name":"a\\nb"}', "name"),
        (b'{"name":"%s"}' % (b"x" * 101), "name"),
        (b'{"name":"n","expiresAt":5}', "expiresAt"),
        (b'{"name":"n","expiresAt":"tomorrow"}', "expiresAt"),
        (b'{"name":"n","expiresAt":"2001-01-01T00:00:00Z"}', "expiresAt"),
    ],
)
def test_malformed_requests_for_a_key(door, access, body, field):
    details = refusal(door.post(path(), body, token=access), 400, "bad_request")
    assert details["field"] == field and details["reason"]


def test_a_revoked_key_is_dead_from_the_answer_on(door, access):
    """reports.md 27: 32 connections that have the key cached."""
    key = door.make_key(access)
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert set(pool.map(lambda _: door.open(key["key"], "/api/agents/a1/").status, range(64))) == {200}
        answer = door.send("DELETE", path("a1", key["id"]), token=access)
        assert answer.status == 204 and answer.body == b""
        errors = set(pool.map(lambda _: door.open(key["key"], "/api/agents/a1/").error, range(64)))
    assert errors == {"api_key_revoked"}
    assert door.send("DELETE", path("a1", key["id"]), token=access).status == 204, "once more changes nothing"
    [ours] = [item for item in door.send("GET", path(), token=access).json["keys"] if item["id"] == key["id"]]
    assert ours["revokedAt"] is not None
    refusal(door.post(path("a1", key["id"], "rotate"), token=access), 400, "bad_request")


def test_rotation_with_and_without_grace(door, access):
    old = door.make_key(access, expiresAt="2100-01-01T00:00:00Z")
    answer = door.post(path("a1", old["id"], "rotate"), {"graceSeconds": 2}, token=access)
    new = answer.json
    assert answer.status == 201 and new["key"] != old["key"] and new["expiresAt"] == old["expiresAt"]
    assert door.open(old["key"], "/api/agents/a1/").status == door.open(new["key"], "/api/agents/a1/").status == 200
    assert refusal(door.post(path("a1", old["id"], "rotate"), token=access), 400, "bad_request")["field"] == "key_id"
    eventually(lambda: door.open(old["key"], "/api/agents/a1/").status == 401)
    refusal(door.open(old["key"], "/api/agents/a1/"), 401, "api_key_revoked")
    newest = door.post(path("a1", new["id"], "rotate"), {"graceSeconds": 0}, token=access).json
    refusal(door.open(new["key"], "/api/agents/a1/"), 401, "api_key_revoked")
    assert door.open(newest["key"], "/api/agents/a1/").status == 200
    for body, field in ((b'{"graceSeconds":-1}', "graceSeconds"), (b'{"graceSeconds":"1h"}', "graceSeconds")):
        assert refusal(door.post(path("a1", newest["id"], "rotate"), body, token=access), 400, "bad_request")["field"] == field


def test_keys_of_nobody_and_of_another_agent(door, access):
    key = door.make_key(access, "mine")
    for target in (path("a1", "no-such-id"), path("other", key["id"])):
        refusal(door.send("DELETE", target, token=access), 404, "not_found")
        refusal(door.post(target + "rotate/", token=access), 404, "not_found")
    assert door.open(key["key"], "/api/agents/mine/").status == 200


def test_an_expired_key(door, access):
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(soon(1.5)))
    key = door.make_key(access, expiresAt=at)
    assert door.open(key["key"], "/api/agents/a1/").status == 200
    eventually(lambda: door.open(key["key"], "/api/agents/a1/").status == 401)
    assert refusal(door.open(key["key"], "/api/agents/a1/"), 401, "api_key_expired") == {"expired_at": at}


def test_the_last_use_is_written_behind_and_seldom(door, access):
    key = door.make_key(access, "used")
    for _ in range(5):
        assert door.open(key["key"], "/api/agents/used/").status == 200

    def used():
        [item] = door.send("GET", path("used"), token=access).json["keys"]
        return item["lastUsedAt"]

    first = eventually(used, within=4)
    time.sleep(1.1)
    door.open(key["key"], "/api/agents/used/")
    time.sleep(1.3)
    assert used() == first, "at most once a minute"


def test_the_command_line_and_the_endpoints_speak_of_the_same_keys(door, access):
    made = door.gateway.create_key("shared", door.ann["id"])
    assert [key["id"] for key in door.send("GET", path("shared"), token=access).json["keys"]] == [made["id"]]
    assert door.send("DELETE", path("shared", made["id"]), token=access).status == 204
    assert "revoked" in door.gateway.run("keys", "rotate", made["id"], code=1).stderr
