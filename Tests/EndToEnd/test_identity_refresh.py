"""Refresh: with and without rotation, under races, and after what ends a session (contract.md; RFC 9700 §4.14.2)."""

import concurrent.futures
import time

import pytest

from support import PATIENCE, eventually
from support.gateway import refusal
from support.identity import Door, claims_of, identity_configuration
from support.lab import private_pem, write_private
from support.tokens import claims, encode, hs


@pytest.fixture(scope="module")
def plain(start):
    """Rotation off: what an unchanged client gets."""
    door = Door(start(identity_configuration()))
    door.add("ann@example.com")
    return door


@pytest.fixture(scope="module")
def rotating(start):
    door = Door(start(identity_configuration("rotate_refresh on; refresh_overlap 2s;")))
    door.add("ann@example.com")
    return door


def test_without_rotation_the_token_stays_good(plain):
    tokens = plain.login("ann@example.com")
    seen = {tokens["access"]}
    for path in ("/api/auth/token/refresh/", "/api/auth/token/refresh", "/api/auth/token/refresh/"):
        answer = plain.post(path, {"refresh": tokens["refresh"]})
        assert answer.status == 200 and list(answer.json) == ["access"] and answer.header("Cache-Control") == "no-store"
        seen.add(answer.json["access"])
    assert len(seen) == 4
    for access in seen:
        assert plain.open(access).status == 200 and claims_of(access)["sid"] == claims_of(tokens["access"])["sid"]


def test_with_rotation_each_is_good_once(rotating):
    tokens = rotating.login("ann@example.com")
    second = rotating.refresh(tokens["refresh"])
    assert second.status == 200 and list(second.json) == ["access", "refresh"]
    assert rotating.refresh(tokens["refresh"]).json == second.json, "the same successor for a while"
    third = rotating.refresh(second.json["refresh"])
    assert third.status == 200 and third.json["refresh"] != second.json["refresh"]
    for access in (tokens["access"], second.json["access"], third.json["access"]):
        assert rotating.open(access).status == 200, "what was issued lives on"


def test_reuse_after_the_overlap_ends_the_session(rotating):
    tokens = rotating.login("ann@example.com")
    other = rotating.login("ann@example.com")
    second = rotating.refresh(tokens["refresh"]).json
    time.sleep(2.1)
    refusal(rotating.refresh(tokens["refresh"]), 401, "token_revoked")
    for token in (second["refresh"], tokens["refresh"]):
        refusal(rotating.refresh(token), 401, "token_revoked")
    for access in (tokens["access"], second["access"]):
        for _ in range(4):  # whichever shard
            refusal(rotating.open(access), 401, "token_revoked")
    assert rotating.open(other["access"]).status == 200 and rotating.refresh(other["refresh"]).status == 200


@pytest.mark.parametrize("identity", ["", "sign ES256 file:LAB/race.pem;"], ids=["HS256", "ES256"])
def test_64_racers_get_one_successor(start, lab, identity):
    """features.md, 'Refresh races': two tabs must not sign anybody out. ES256 signs with a random part each time."""
    sign = "sign HS256 file:LAB/hs256.key;"
    if identity:
        write_private(lab.path("race.pem"), private_pem(lab.ec))
        sign = identity
    door = Door(start(identity_configuration("rotate_refresh on; refresh_overlap 60s;", sign=sign, jwt="")))
    door.add("ann@example.com")
    tokens = door.login("ann@example.com")
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda _: door.refresh(tokens["refresh"]), range(64)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert door.open(answers[0].json["access"]).status == 200
    assert door.refresh(answers[0].json["refresh"]).status == 200


def forged(lab, **changes):
    values = claims(token_type="refresh", **changes)
    return encode({"typ": "JWT", "alg": "HS256"}, values, hs(lab.secret))


def test_tokens_of_the_wrong_kind(plain):
    tokens = plain.login("ann@example.com")
    assert refusal(plain.refresh(tokens["access"]), 401, "token_wrong_type") == {"expected": "refresh"}
    assert refusal(plain.open(tokens["refresh"]), 401, "token_wrong_type") == {"expected": "access"}
    assert plain.refresh(tokens["refresh"]).status == 200 and plain.open(tokens["access"]).status == 200


def test_tokens_that_are_not_good(plain, lab, rotating):
    tokens = plain.login("ann@example.com")
    head, body, signature = tokens["refresh"].split(".")
    rows = [
        (f"{head}.{body}.{signature[:-4]}AAAA", "token_invalid", "another signature"),
        (f"{head}.{body}.", "token_invalid", "no signature"),
        ("x", "token_invalid", "no token"),
        ("", "token_invalid", "nothing"),
        (forged(lab, exp=int(time.time()) - 5, sid="s1"), "token_expired", "its time is over"),
        (forged(lab, sid="s1", jti="j1"), "token_revoked", "well signed, and the store never heard of it"),
        (forged(lab), "token_invalid", "no session"),
        (rotating.login("ann@example.com")["refresh"], "token_revoked", "of another gateway with the same key"),
    ]
    for token, error, why in rows:
        answer = plain.refresh(token)
        assert answer.status == 401 and answer.error == error, (why, answer)


@pytest.mark.parametrize(
    "body, field", [(b"{", "body"), (b"{}", "refresh"), (b'{"refresh":null}', "refresh"), (b'{"refresh":7}', "refresh")]
)
def test_malformed_bodies(plain, body, field):
    assert refusal(plain.post("/api/auth/token/refresh/", body), 400, "bad_request")["field"] == field


def test_failures_are_bounded_for_each_session(plain):
    """contract.md: refresh has the same bound per session; another session is not touched."""
    tokens = plain.login("ann@example.com")
    other = plain.login("ann@example.com")
    assert plain.logout(tokens["access"]).status == 204
    for _ in range(10):
        refusal(plain.refresh(tokens["refresh"]), 401, "token_revoked")
    assert refusal(plain.refresh(tokens["refresh"]), 429, "rate_limited")["retry_after"] >= 1
    assert plain.refresh(other["refresh"]).status == 200


def test_another_password_ends_what_was_issued(plain, jwt):
    """reports.md 26; threats.md: a token issued before the user's password change."""
    ben = plain.add("ben@example.com", "old password")
    tokens = plain.login("ben@example.com", "old password")
    backend = jwt(user_id=ben["id"], sub=ben["id"], iat=int(time.time()) - 60)
    assert plain.open(tokens["access"]).status == plain.open(backend).status == 200
    plain.gateway.run("users", "set-password", "ben@example.com", input="new password\n")
    refusal(plain.refresh(tokens["refresh"]), 401, "token_revoked")
    eventually(lambda: plain.open(tokens["access"]).status == 401, within=1.5)
    refusal(plain.open(tokens["access"]), 401, "token_revoked")
    refusal(plain.open(backend), 401, "token_revoked")
    refusal(plain.try_login("ben@example.com", "old password"), 401, "login_failed")
    fresh = plain.login("ben@example.com", "new password")
    assert plain.open(fresh["access"]).status == 200 and plain.refresh(fresh["refresh"]).status == 200


def test_a_disabled_user_is_out_and_comes_back_by_logging_in(plain):
    plain.add("cid@example.com")
    tokens = plain.login("cid@example.com")
    key = plain.make_key(tokens["access"], "cids-agent")["key"]
    assert plain.open(key, "/api/agents/cids-agent/").status == 200
    plain.gateway.run("users", "disable", "cid@example.com")
    began = time.monotonic()
    eventually(lambda: plain.open(tokens["access"]).status == 401, within=1.5)
    assert time.monotonic() - began < 1.2 * PATIENCE, "within revocation_lag"
    refusal(plain.open(tokens["access"]), 401, "token_revoked")
    refusal(plain.open(key, "/api/agents/cids-agent/"), 401, "api_key_revoked")
    refusal(plain.refresh(tokens["refresh"]), 401, "token_revoked")
    refusal(plain.try_login("cid@example.com"), 401, "login_failed")
    plain.gateway.run("users", "enable", "cid@example.com")
    fresh = plain.login("cid@example.com")
    eventually(lambda: plain.open(fresh["access"]).status == 200, within=1.5)
    assert plain.open(key, "/api/agents/cids-agent/").status == 200, "keys work again"
    refusal(plain.open(tokens["access"]), 401, "token_revoked")
    refusal(plain.refresh(tokens["refresh"]), 401, "token_revoked")
