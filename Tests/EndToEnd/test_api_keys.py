"""API keys: made and ended by the command line, acting in the running gateway within `revocation_lag`."""

import concurrent.futures
import json
import stat
import time

import pytest

from support import PATIENCE, eventually
from support.gateway import about_the_file, refusal
from support.tokens import soon
from support.wire import request

LAG = 1.0  # revocation_lag of the configuration


def keys_of(output):
    """The objects of `keys list --json`."""
    value = json.loads(output)
    return value["keys"] if isinstance(value, dict) else value


def status(gateway, key, target="/api/agents/bot-1/"):
    return gateway.ask(target, token=key).status


def test_create_shows_the_key_once(gateway):
    made = gateway.create_key("bot-1", "owner-1")
    assert made["key"].startswith("rk_") and len(made["key"]) == 3 + 43
    assert made["name"] == "test" and made["id"] and made["createdAt"].endswith("Z")
    assert made["expiresAt"] is None and made["revokedAt"] is None
    assert made["key"].startswith(made["prefix"]) and len(made["prefix"]) < 16
    listed = gateway.run("keys", "list", "--agent", "bot-1", "--json").stdout
    assert made["id"] in listed and made["key"] not in listed
    assert made["key"] not in gateway.run("keys", "list").stdout
    ours = [key for key in keys_of(listed) if key["id"] == made["id"]][0]
    assert {"id", "name", "prefix", "createdAt", "expiresAt", "lastUsedAt", "revokedAt"} <= set(ours) and "key" not in ours


def test_two_keys_differ(gateway):
    assert gateway.create_key()["key"] != gateway.create_key()["key"]


def test_a_key_acts_within_the_lag_and_vouches_for_its_owner_and_agent(gateway, upstream):
    arguments = ("--agent", "bot-7", "--owner", "owner-7", "--name", "test", "--json")
    made = json.loads(gateway.run("keys", "create", *arguments).stdout)
    eventually(lambda: status(gateway, made["key"], "/api/agents/bot-7/") == 200, within=LAG + 1)
    upstream.reset_script()
    answer = gateway.ask("/api/agents/bot-7/query/", method="POST", body=b"{}", token=made["key"])
    assert answer.status == 200
    seen = upstream.last()
    assert seen.header("X-User-Id") == "owner-7"
    assert seen.header("X-Agent-Id") == "bot-7"
    assert seen.header("X-Api-Key-Id") == made["id"]
    assert seen.all("Authorization") == []
    assert made["key"].encode() not in seen.head


def test_the_plain_output_has_the_key(gateway):
    output = gateway.run("keys", "create", "--agent", "bot-1", "--owner", "o", "--name", "n").stdout
    assert "rk_" in output


@pytest.mark.parametrize(
    "key",
    ["rk_", "rk_x", "rk_" + "A" * 42, "rk_" + "A" * 43, "rk_" + "A" * 44, "rk_" + "!" * 43, "rk_" + "A" * 4000],
    ids=lambda key: f"{key[:5]} of {len(key)}",
)
def test_unknown_and_malformed_keys_are_the_same_refusal(gateway, upstream, key):
    answer = gateway.ask("/api/agents/bot-1/", token=key)
    assert refusal(answer, 401, "api_key_invalid") == {}
    assert not upstream.requests


def test_a_key_in_other_spelling_is_unknown(gateway):
    key = gateway.key()
    for spoiled in (key[:-1] + ("A" if key[-1] != "A" else "B"), key + "A", key[:-1], key.swapcase(), "RK_" + key[3:]):
        answer = gateway.ask("/api/agents/bot-1/", token=spoiled)
        assert answer.status == 401 and answer.error in ("api_key_invalid", "token_invalid")


AGENTS = {
    "its own": ("/api/agents/bot-1/x", 200, "/api/agents/bot-1/x"),
    "without the slash": ("/api/agents/bot-1", 200, "/api/agents/bot-1"),
    "an unreserved byte encoded": ("/api/agents/%62ot-1/", 200, "/api/agents/bot-1/"),
    "out and back": ("/api/agents/other/../bot-1/", 200, "/api/agents/bot-1/"),
    "double slashes": ("/api//agents//bot-1//x", 200, "/api/agents/bot-1/x"),
    "another's": ("/api/agents/bot-2/", "bot-2", None),
    "out to another's": ("/api/agents/bot-1/../bot-2/", "bot-2", None),
    "out to another's, encoded": ("/api/agents/bot-1/%2e%2e/bot-2/", "bot-2", None),
    "in other case": ("/api/agents/BOT-1/", "BOT-1", None),
    "a parameter behind": ("/api/agents/bot-1;x/", "bot-1;x", None),
    "more behind": ("/api/agents/bot-11/", "bot-11", None),
    "less": ("/api/agents/bot-/", "bot-", None),
    "a dot behind": ("/api/agents/bot-1./", "bot-1.", None),
    "double-encoded": ("/api/agents/%2562ot-1/", "%2562ot-1", None),
    "encoded slash": ("/api/agents/bot-1%2fx/", 400, None),
    "encoded backslash": ("/api/agents/bot-1%5c..%5cbot-2/", 400, None),
    "NUL": ("/api/agents/bot-1%00/", 400, None),
}


@pytest.mark.parametrize("target, outcome, forwarded", AGENTS.values(), ids=AGENTS)
def test_the_agent_is_judged_on_the_path_that_is_forwarded(gateway, upstream, target, outcome, forwarded):
    key = gateway.key("bot-1")
    upstream.reset_script()
    answer = gateway.ask(target, token=key)
    if outcome == 200:
        assert answer.status == 200, answer
        assert upstream.last().target == forwarded
        assert upstream.last().header("X-Agent-Id") == "bot-1"
    else:
        assert not upstream.requests
        if outcome == 400:
            refusal(answer, 400, "bad_request")
        else:
            assert refusal(answer, 403, "agent_mismatch") == {"agent_id": outcome}


def test_a_key_in_query_or_cookie_is_not_read(gateway, upstream):
    key = gateway.key()
    upstream.reset_script()
    for target, fields in (
        (f"/api/agents/bot-1/?key={key}", []),
        (f"/api/agents/bot-1/?access_token={key}", []),
        ("/api/agents/bot-1/", [f"Cookie: access={key}; Authorization={key}"]),
        ("/api/agents/bot-1/", [f"X-Api-Key: {key}"]),
    ):
        refusal(gateway.ask(target, *fields), 401, "credentials_missing")
    assert not upstream.requests


def test_revoke_acts_within_the_lag_on_every_connection(gateway, upstream):
    made = gateway.create_key()
    with gateway.connect("plain") as kept:
        ask = lambda: kept.send(request("GET", "/api/agents/bot-1/", token=made["key"])).answer()
        assert ask().status == 200
        gateway.run("keys", "revoke", made["id"])
        end = time.monotonic() + LAG
        eventually(lambda: ask().status == 401, within=LAG + 1)
        time.sleep(max(0, end - time.monotonic()))
        details = refusal(ask(), 401, "api_key_revoked")
    assert details["revoked_at"].endswith("Z")
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        statuses = list(pool.map(lambda _: status(gateway, made["key"]), range(32)))
    assert statuses == [401] * 32
    refusal(gateway.ask("/api/x", token=made["key"]), 401, "api_key_revoked")


def test_revoking_twice_is_no_surprise(gateway):
    made = gateway.create_key()
    gateway.run("keys", "revoke", made["id"])
    first = [key for key in keys_of(gateway.run("keys", "list", "--json").stdout) if key["id"] == made["id"]][0]
    gateway.run("keys", "revoke", made["id"], code=None)
    again = [key for key in keys_of(gateway.run("keys", "list", "--json").stdout) if key["id"] == made["id"]][0]
    assert first["revokedAt"] and first["revokedAt"] == again["revokedAt"]


def test_rotate_with_grace_keeps_both_then_ends_the_old(gateway, upstream):
    old = gateway.create_key()
    new = json.loads(gateway.run("keys", "rotate", old["id"], "--grace", "4s", "--json").stdout)
    assert new["key"] != old["key"] and new["id"] != old["id"]
    eventually(lambda: status(gateway, new["key"]) == 200, within=LAG + 1)
    assert status(gateway, old["key"]) == 200
    eventually(lambda: status(gateway, old["key"]) == 401, within=4 + LAG + 1)
    refusal(gateway.ask("/api/agents/bot-1/", token=old["key"]), 401, "api_key_revoked")
    assert status(gateway, new["key"]) == 200


def test_rotate_without_grace_ends_the_old_at_once(gateway):
    old = gateway.create_key()
    new = json.loads(gateway.run("keys", "rotate", old["id"], "--grace", "0s", "--json").stdout)
    eventually(lambda: status(gateway, old["key"]) == 401, within=LAG + 1)
    eventually(lambda: status(gateway, new["key"]) == 200, within=LAG + 1)
    refusal(gateway.ask("/api/agents/bot-1/", token=old["key"]), 401, "api_key_revoked")


def test_a_key_ends_at_its_expiry(gateway):
    text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(soon(3.5)))
    made = gateway.create_key("bot-1", "owner-1", "--expires-at", text)
    assert made["expiresAt"] == text
    assert status(gateway, made["key"]) == 200
    eventually(lambda: status(gateway, made["key"]) == 401, within=6)
    assert refusal(gateway.ask("/api/agents/bot-1/", token=made["key"]), 401, "api_key_expired") == {"expired_at": text}


@pytest.mark.parametrize("arguments", [("revoke", "no-such-id"), ("rotate", "no-such-id")], ids=" ".join)
def test_an_unknown_id_is_explained(gateway, arguments):
    result = gateway.run("keys", *arguments, code=1)
    assert "no-such-id" in result.stderr


def test_an_agent_or_owner_that_cannot_be_a_header_is_refused(gateway):
    for agent, owner in (("a\r\nb", "o"), ("", "o"), ("a", "o\n"), ("a", "ö"), ("a", "")):
        result = gateway.run("keys", "create", "--agent", agent, "--owner", owner, "--name", "n", code=None)
        assert result.returncode in (1, 2)


@about_the_file
def test_the_store_is_for_its_owner_only(gateway):
    files = [path for path in gateway.folder.iterdir() if path.name.startswith("gatehouse.db")]
    assert files
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_store_does_not_hold_the_key(gateway):
    secret = gateway.create_key()["key"]
    for path in gateway.folder.iterdir():
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


def test_keys_outlive_a_restart(start):
    gateway = start()
    made = gateway.create_key()
    gateway.process.kill()
    gateway.process.wait()
    gateway.start()
    assert status(gateway, made["key"]) == 200
    listed = gateway.run("keys", "list", "--json").stdout
    assert made["id"] in listed


def test_a_thousand_unknown_keys_are_cheap_and_disturb_nobody(gateway, good):
    before = gateway.cpu_seconds()
    with gateway.connect("plain") as wire:
        for index in range(1000):
            wire.send(request("GET", "/api/agents/bot-1/", token=f"rk_{index:043d}"))
            assert wire.answer().status == 401
    assert gateway.ask("/api/x", token=good).status == 200
    assert gateway.cpu_seconds() - before < 3 * PATIENCE, "of the gateway's own time, whatever else the machine does"
