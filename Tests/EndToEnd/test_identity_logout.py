"""Logout: from the 204 on nothing of the session is accepted, on any shard, and after a restart (contract.md)."""

import concurrent.futures
import signal

import pytest

from support import eventually
from support.gateway import refusal
from support.identity import Door, claims_of, identity_configuration
from support.tokens import claims, encode, hs
from support.wire import request


@pytest.fixture(scope="module")
def door(start):
    routes = """
route POST /api/legacy/logout/ { accept jwt; upstream agents; revokes session; }
route /api/ { accept jwt; upstream agents; }
"""
    door = Door(start(identity_configuration("rotate_refresh on;", keys=False, routes=routes)))
    door.add("ann@example.com")
    return door


def test_everything_of_the_session_is_dead_at_once(door):
    tokens = door.login("ann@example.com")
    other = door.login("ann@example.com")
    second = door.refresh(tokens["refresh"]).json
    for access in (tokens["access"], second["access"]):
        assert door.open(access).status == 200
    answer = door.logout(tokens["access"])
    assert answer.status == 204 and answer.body == b"" and answer.header("Content-Length") is None
    for access in (tokens["access"], second["access"]):
        refusal(door.open(access), 401, "token_revoked")
    for refresh in (tokens["refresh"], second["refresh"]):
        refusal(door.refresh(refresh), 401, "token_revoked")
    refusal(door.logout(tokens["access"]), 401, "token_revoked")
    assert door.open(other["access"]).status == 200, "another login of the same user lives on"


def test_no_shard_has_it_cached(door):
    """reports.md 27: warm every shard, log out, then 32 connections at once."""
    access = door.login("ann@example.com")["access"]
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert set(pool.map(lambda _: door.open(access).status, range(64))) == {200}
        assert door.logout(access).status == 204
        assert set(pool.map(lambda _: door.open(access).error, range(64))) == {"token_revoked"}


def test_it_is_still_dead_after_kill_and_restart(door):
    tokens = door.login("ann@example.com")
    alive = door.login("ann@example.com")
    assert door.logout(tokens["access"]).status == 204
    door.gateway.signal(signal.SIGKILL)
    door.gateway.process.wait()
    door.gateway.start()
    refusal(door.open(tokens["access"]), 401, "token_revoked")
    refusal(door.refresh(tokens["refresh"]), 401, "token_revoked")
    assert door.open(alive["access"]).status == 200 and door.refresh(alive["refresh"]).status == 200


@pytest.mark.parametrize("path", ["/api/auth/logout", "/api/auth/logout/"])
def test_who_may_log_out(door, path):
    refusal(door.post(path), 401, "credentials_missing")
    refusal(door.post(path, token="nonsense"), 401, "token_invalid")
    tokens = door.login("ann@example.com")
    assert refusal(door.post(path, token=tokens["refresh"]), 401, "token_wrong_type") == {"expected": "access"}
    assert door.post(path, {"all": "ignored"}, token=tokens["access"]).status == 204


def test_a_token_of_the_backend_is_ended_by_its_id(door, jwt):
    mine, other = jwt(jti="mine", user_id=7), jwt(jti="other", user_id=7)
    assert door.open(mine).status == door.open(other).status == 200
    assert door.logout(mine).status == 204
    refusal(door.open(mine), 401, "token_revoked")
    assert door.open(other).status == 200
    details = refusal(door.logout(jwt(jti=None)), 400, "bad_request")
    assert details["field"] == "authorization", "a token without sid and jti cannot be told from others"


@pytest.mark.parametrize("status, dead", [(200, True), (204, True), (205, True), (302, False), (400, False), (401, False), (500, False)])
def test_the_backends_own_logout_acts_here(door, upstream, jwt, status, dead):
    """gateway-conf.md, `revokes session`: on the backend's 2xx, before its answer is delivered."""
    token = jwt(jti=f"legacy-{status}")
    assert door.open(token).status == 200
    body = b"" if status == 204 else b"{}"
    framing = b"" if status == 204 else b"Content-Length: 2\r\n"
    upstream.script = b"HTTP/1.1 %d X\r\nX-Own: 1\r\n%s\r\n%s" % (status, framing, body)
    answer = door.post("/api/legacy/logout/", {"refresh": "x"}, token=token)
    assert answer.status == status and answer.header("X-Own") == "1" and answer.body == body
    upstream.reset_script()
    if dead:
        refusal(door.open(token), 401, "token_revoked")
    else:
        assert door.open(token).status == 200
    session = door.login("ann@example.com")
    assert door.post("/api/legacy/logout/", token=session["access"]).status == 200
    refusal(door.refresh(session["refresh"]), 401, "token_revoked")


def test_a_backend_that_ends_with_its_answer(door, upstream, jwt):
    """The answer waits for the store, and the connection that it came by is over meanwhile."""

    def script(connection, _):
        connection.send(b"HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\n")
        connection.send(b"ended")
        connection.close()
        return False

    upstream.script = script
    for index in range(5):
        answer = door.post("/api/legacy/logout/", {}, token=jwt(jti=f"ended-{index}"))
        assert (answer.status, answer.body) == (200, b"ended")


def test_a_backend_that_answers_before_it_has_the_body(door, upstream, jwt):
    """What the client sends while the answer waits for the store goes on, since the backend may want it."""
    held = 300_000

    def on_head(connection, asked):
        connection.send(b"HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\n")
        connection.read_body(asked)
        connection.send(b"whole" if asked.complete and len(asked.body) == held else b"short")
        return True

    upstream.on_head = on_head
    for index in range(5):
        token = jwt(jti=f"early-{index}")
        with door.gateway.connect() as wire:
            wire.send(request("POST", "/api/legacy/logout/", f"Content-Length: {held}", token=token))
            for _ in range(3):
                wire.send(b"x" * (held // 3))
            answer = wire.answer()
            assert (answer.status, answer.body) == (200, b"whole")


def test_a_change_of_another_process_acts_within_the_lag(door, lab):
    """The store is the only thing that two gateways share."""
    tokens = door.login("ann@example.com")
    second = Door(door.gateway)
    assert second.open(tokens["access"]).status == 200
    door.gateway.run("users", "disable", "ann@example.com")
    eventually(lambda: door.open(tokens["access"]).status == 401, within=1.5)
    door.gateway.run("users", "enable", "ann@example.com")
    eventually(lambda: door.open(door.login("ann@example.com")["access"]).status == 200, within=3)


def test_explain_knows_what_was_revoked(door, lab):
    token = encode({"typ": "JWT", "alg": "HS256"}, claims(jti="explained"), hs(lab.secret))
    assert door.logout(token).status == 204
    shown = door.gateway.run("explain", "GET", "/api/x", "-H", "@-", input=f"Authorization: Bearer {token}\n").stdout
    assert "token_revoked" in shown and "revoked" in shown
    shown = door.gateway.run("explain", "POST", "/api/auth/login").stdout
    assert "served by the gateway itself" in shown and claims_of(token)["jti"] == "explained"
