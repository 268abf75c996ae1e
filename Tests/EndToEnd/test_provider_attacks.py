"""Providers that answer late, wrong or too much, and reloads and upgrades while they do: nobody is let in, and nobody is lost."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import PATIENCE, eventually
from support.chat import Echo, chat
from support.gateway import configuration, refusal
from support.hostile import ACTIVE, ASK, INACTIVE, KEYS, Hostile, drip, issue_expired, json_answer, jwk, key_set, reset, slow
from support.identity import identity_configuration
from support.tokens import claims, encode, rs, soon
from support.upstream import answer
from support.wire import elapsed, request
from test_reload import reload
from test_sse import collect, endless, last_event, opened
from test_upgrade import Line
from test_websocket import closing

ROUTES = "route /api/ { accept opaque jwt; upstream agents; }"
JWT_ROUTES = "route /api/ { accept jwt; upstream agents; }"
OPAQUE_ROUTES = "route /api/ { accept opaque; upstream agents; }"


def fetched(provider, stale="1h", keys=None):
    """A configuration that fetches its keys from the provider; `keys` says from where else."""
    keys = keys or f"keys jwks:{provider.issuer}{KEYS};"
    block = f"jwt idp {{ {keys} ca LAB/ca.pem; algorithms RS256; refresh 1m; stale {stale}; }}"
    return configuration(jwt=block, routes=JWT_ROUTES)


def introspection(provider, name="legacy", more="cache 1s;"):
    return f"introspection {name} {{ endpoint {provider.issuer}{ASK}; ca LAB/ca.pem; client gw file:LAB/hs256.key; {more} }}\n"


def asking(provider, more="cache 1s;"):
    """A configuration that asks the provider about opaque tokens."""
    return configuration(jwt=introspection(provider, more=more), routes=OPAQUE_ROUTES)


@pytest.fixture
def hostile(lab):
    """Makes providers, which end with the test."""
    made = []

    def make(keys=None, tokens=None):
        made.append(Hostile(lab))
        made[-1].at = {KEYS: keys, ASK: tokens}
        return made[-1]

    yield make
    for provider in made:
        provider.close()


@pytest.fixture
def begin(start):
    """Starts gateways that end with the test."""
    made = []

    def make(text, **settings):
        made.append(start(text, **settings))
        return made[-1]

    yield make
    for gateway in made:
        gateway.stop()


def token(key, kid, **changes):
    return encode({"alg": "RS256", "kid": kid}, claims(**changes), rs(key))


def ask(gateway, token, *fields):
    return gateway.ask("/api/x", *fields, token=token)


def passes(gateway, token):
    return ask(gateway, token).status == 200


def crowd(gateway, tokens):
    """Sends requests with these tokens all at once; gives what waits for their statuses."""
    pool = ThreadPoolExecutor(len(tokens))
    waiting = [pool.submit(ask, gateway, token) for token in tokens]
    return lambda: [each.result().status for each in waiting]


def failures(gateway, kind="keys", name="idp"):
    labels = {"kind": kind, "name": name, "result": "failure"}
    return sum(value for found, their, value in gateway.samples() if "provider_requests_total" in found and their == labels)


# Answers that are no key set

STRANGE = [{"kty": "XYZ", "kid": "a"}, {"kty": "EC", "crv": "P-999", "kid": "b", "x": "AA", "y": "AA"}]
OCT = [{"kty": "oct", "kid": "shared", "alg": "HS256", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}]
NO_KEY_SETS = {
    "an error": (answer(b"{}", "500 Internal Server Error", "Content-Type: application/json"), "the answer is 500"),
    "a login page": (answer(b"<html>", "200 OK", "Content-Type: text/html"), "not JSON"),
    "a page that says it is JSON": (answer(b"<html>", "200 OK", "Content-Type: application/json"), "JSON"),
    "a set of nothing": (key_set(), "no key that can be used"),
    "keys of unknown kinds": (key_set(*STRANGE), "no key that can be used"),
    "secrets only": (key_set(*OCT), "no key that can be used"),
    "too long": (json_answer({"keys": [], "x": "x" * (256 << 10)}), "longer than 256 KiB"),
    "another host": (answer(b"", "302 Found", "Location: https://login.example.com/keys"), "redirects to another host"),
    "its own address by another name": (answer(b"", "307 X", "Location: //127.0.0.1/keys"), "redirects to another host"),
    "redirects without end": (answer(b"", "302 Found", f"Location: {KEYS}"), "too many redirects"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "no HTTP"),
    "nothing": (reset, "without an answer"),
    "a byte now and then": (drip(key_set()), "within 5 s"),
}


@pytest.fixture(scope="module")
def steady(lab, start):
    """A provider and a gateway that has its good set."""
    provider = Hostile(lab)
    provider.at[KEYS] = key_set(jwk(lab.rsa[0], "good"))
    gateway = start(fetched(provider))
    assert passes(gateway, token(lab.rsa[0], "good"))
    yield provider, gateway
    provider.close()


def fails_but_serves(gateway, lab, reason, within):
    """After a reload, which fetches: the last good set stays, and the failure is told and counted."""
    before, counted = len(gateway.said()), failures(gateway)
    reload(gateway)
    eventually(lambda: failures(gateway) > counted, within)
    [line] = [line for line in gateway.said()[before:].splitlines() if "cannot be fetched" in line]
    assert "issuer idp" in line and reason in line and "the last good set" in line
    assert passes(gateway, token(lab.rsa[0], "good"))
    refusal(ask(gateway, token(lab.strangers_rsa, "good")), 401, "token_invalid")
    assert jwk(lab.rsa[0], "good") in json.loads((gateway.folder / "keys-idp.json").read_text())["set"]["keys"]


@pytest.mark.parametrize("script, reason", NO_KEY_SETS.values(), ids=NO_KEY_SETS)
def test_what_is_no_key_set_leaves_the_last_one_in_place(steady, upstream, lab, script, reason):
    provider, gateway = steady
    provider.at[KEYS] = script
    fails_but_serves(gateway, lab, reason, within=7)


@pytest.mark.parametrize("certificate, reason", [("expired", "expired"), ("other", "hostname mismatch")])
def test_a_certificate_that_proves_nothing_leaves_the_last_set_in_place(steady, upstream, lab, certificate, reason):
    """Out of date; of another host: the set would make a stranger's key good."""
    provider, gateway = steady
    issue_expired(lab)
    provider.at[KEYS], provider.certificate = key_set(jwk(lab.strangers_rsa, "good")), certificate
    try:
        fails_but_serves(gateway, lab, reason, within=3)
    finally:
        provider.certificate = "localhost"


def test_a_set_of_useless_keys_does_not_fill_the_log(hostile, begin, upstream):
    """Their names cannot write lines of their own either."""
    useless = [{"kty": "EC", "crv": "P-999", "kid": f"{number}\n2026-01-01T00:00:00Z notice FORGED"} for number in range(1_500)]
    gateway = begin(fetched(hostile(keys=key_set(*useless))))
    eventually(lambda: failures(gateway) >= 2)
    lines = gateway.said().splitlines()
    assert 1 <= sum("idp" in line for line in lines) <= 10
    assert not any(line.startswith("2026-01-01T00:00:00Z notice FORGED") for line in lines)


# Discovery

FIRST, SECOND = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"
NO_METADATA = {
    "404": answer(b"no", "404 Not Found", "Content-Type: text/html"),
    "a login page elsewhere": answer(b"", "302 Found", "Location: https://login.example.com/"),
    "nothing": reset,
}


@pytest.mark.parametrize("script", NO_METADATA.values(), ids=NO_METADATA)
def test_metadata_are_looked_for_in_the_second_place_too(hostile, begin, upstream, lab, script):
    """RFC 8414 §3, where OpenID Connect Discovery finds nothing."""
    provider = hostile(keys=key_set(jwk(lab.rsa[0], "k")))
    provider.at |= {FIRST: script, SECOND: json_answer({"issuer": provider.issuer, "jwks_uri": provider.issuer + KEYS})}
    gateway = begin(fetched(provider, keys=f"discover {provider.issuer};"))
    assert passes(gateway, token(lab.rsa[0], "k", iss=provider.issuer))
    assert provider.asked(FIRST) >= 1 and provider.asked(SECOND) == provider.asked(KEYS) == 1
    assert "cannot be fetched" not in gateway.said()


# Reloads


def test_a_reload_may_take_the_issuer_of_a_stream_away(begin, upstream, lab):
    """The stream was let in within its issuer's leeway, which nobody knows any more."""
    block = "jwt %s { issuer %s; keys jwks:LAB/jwks.json; algorithms RS256; leeway 30s; }\n"
    both = configuration(jwt=block % ("a", "a") + block % ("b", "b"), routes=JWT_ROUTES)
    gateway, late = begin(both), token(lab.rsa[0], "rsa-0", iss="b", exp=int(time.time()) - 5)
    upstream.script = endless
    wire, _ = opened(gateway, "/api/x", late)
    with wire:
        wire.chunk()
        gateway.write(both.replace(block % ("b", "b"), ""))
        reload(gateway)
        time.sleep(1.5)
        assert gateway.alive, gateway.said()[-2000:]
        upstream.script = answer()
        assert passes(gateway, token(lab.rsa[0], "rsa-0", iss="a"))
        refusal(ask(gateway, late), 401, "token_invalid")


def test_keys_of_a_former_provider_that_come_late_vouch_for_nothing(hostile, begin, upstream, lab):
    """Its set is being fetched when another provider takes its name."""
    (old_key, new_key), asked, go = lab.rsa[:2], threading.Event(), threading.Event()
    old, new = hostile(key_set(jwk(old_key, "old"))), hostile(key_set(jwk(new_key, "new")))
    gateway = begin(fetched(old))
    assert passes(gateway, token(old_key, "old"))
    old.at[KEYS] = lambda connection, _: asked.set() or go.wait(5) and connection.send(key_set(jwk(old_key, "late")))
    statuses = crowd(gateway, [token(old_key, "late")])
    assert asked.wait(5)
    gateway.write(fetched(new))
    reload(gateway)
    for _ in range(2):
        assert passes(gateway, token(new_key, "new"))
        for kid in ("old", "late"):
            refusal(ask(gateway, token(old_key, kid)), 401, "token_invalid")
        go.set()
        assert statuses() == [401]
        time.sleep(0.3)
    kept = json.loads((gateway.folder / "keys-idp.json").read_text())
    assert kept["location"] == new.issuer + KEYS and kept["set"]["keys"] == [jwk(new_key, "new")]


def keep(gateway, provider, fetched_at, *keys):
    """Writes the file in which a former process kept the set."""
    kept = {"location": provider.issuer + KEYS, "fetched_at": fetched_at, "set": {"keys": list(keys)}}
    (gateway.folder / "keys-idp.json").write_text(json.dumps(kept))
    return gateway.start()


def test_a_shorter_stale_acts_at_the_reload(hostile, begin, upstream, lab):
    """The provider is down, and the set is 90 seconds old."""
    provider, good = hostile(keys=reset), token(lab.rsa[0], "k")
    gateway = keep(begin(fetched(provider), run=False), provider, int(time.time()) - 90, jwk(lab.rsa[0], "k"))
    assert passes(gateway, good)
    reload(gateway)
    assert passes(gateway, good)
    gateway.write(fetched(provider, stale="1m"))
    reload(gateway)
    refusal(ask(gateway, good), 503, "keys_unavailable")


def test_a_reload_does_not_keep_a_set_from_becoming_stale(hostile, begin, upstream, lab):
    """Some seconds are left of its minute, and it cannot be read from disk any more."""
    provider, good = hostile(keys=reset), token(lab.rsa[0], "k")
    gateway = begin(fetched(provider, stale="1m"), run=False)
    keep(gateway, provider, soon(2.5) - 60, jwk(lab.rsa[0], "k"))
    (gateway.folder / "keys-idp.json").unlink()
    reload(gateway)
    assert passes(gateway, good)
    eventually(lambda: ask(gateway, good).status == 503, within=10, every=0.1)
    assert "too old" in gateway.said()


@pytest.mark.parametrize("fetched_at", [-(2**63), 2**63 - 1, 4102444800])
def test_a_kept_set_of_an_impossible_time_is_no_set(hostile, begin, upstream, lab, fetched_at):
    """It would serve for ever; the arithmetic must not end the process either."""
    provider = hostile(keys=reset)
    gateway = keep(begin(fetched(provider), run=False), provider, fetched_at, jwk(lab.rsa[0], "k"))
    refusal(ask(gateway, token(lab.rsa[0], "k")), 503, "keys_unavailable")
    assert gateway.alive


def test_a_reload_loses_no_token_that_is_being_asked_about(hostile, begin, upstream):
    provider = hostile(tokens=slow(0.3, ACTIVE))
    gateway = begin(asking(provider, "max_lookups 2;"))
    statuses = crowd(gateway, [f"token-{number}" for number in range(8)])
    eventually(lambda: provider.under_way)
    reload(gateway)
    assert statuses() == [200] * 8


def test_a_reload_loses_no_token_that_waits_for_its_key(hostile, begin, upstream, lab):
    provider = hostile(key_set(jwk(lab.rsa[0], "old")))
    gateway = begin(fetched(provider))
    assert passes(gateway, token(lab.rsa[0], "old"))
    provider.at[KEYS] = slow(1, key_set(jwk(lab.rsa[1], "new")))
    statuses = crowd(gateway, [token(lab.rsa[1], "new")] * 5)
    eventually(lambda: provider.under_way)
    reload(gateway)
    assert statuses() == [200] * 5


def test_kept_connections_are_served_after_an_upgrade(lab, module_upstream, tmp_path, hostile, upstream):
    """The old process still asks and fetches for those who are connected to it."""
    provider = hostile(key_set(jwk(lab.rsa[0], "old")), ACTIVE)
    block = f"jwt idp {{ keys jwks:{provider.issuer}{KEYS}; ca LAB/ca.pem; algorithms RS256; }}\n"
    line = Line(lab, tmp_path, configuration(jwt=block + introspection(provider), routes=ROUTES), module_upstream)
    try:
        wires = [line.gateway.connect("plain") for _ in range(8)]
        for wire in wires:
            assert wire.send(request("GET", "/api/x", token="opaque")).answer().status == 200
        line.upgrade()
        provider.at[KEYS] = key_set(jwk(lab.rsa[0], "old"), jwk(lab.rsa[1], "new"))
        for index, wire in enumerate(wires):
            each = ["opaque", f"opaque-{index}", token(lab.rsa[0], "old"), token(lab.rsa[1], "new")][index % 4]
            assert wire.send(request("GET", "/api/x", token=each)).answer().status == 200, index
            wire.close()
        assert passes(line.gateway, "opaque") and passes(line.gateway, token(lab.rsa[1], "new"))
    finally:
        line.stop()


# Rotation


def test_a_made_up_key_name_does_not_keep_a_new_key_out(hostile, begin, upstream, lab):
    """Tokens may have the set fetched twice at once."""
    provider = hostile(key_set(jwk(lab.rsa[0], "old")))
    gateway = begin(fetched(provider))
    assert passes(gateway, token(lab.rsa[0], "old"))
    refusal(ask(gateway, token(lab.strangers_rsa, "made-up")), 401, "token_invalid")
    provider.at[KEYS] = key_set(jwk(lab.rsa[0], "old"), jwk(lab.rsa[1], "new"))
    assert passes(gateway, token(lab.rsa[1], "new"))
    assert provider.asked(KEYS) == 3


# Answers about opaque tokens


@pytest.mark.parametrize("delay", [0, 0.3])
def test_what_comes_behind_an_answer_is_not_the_next_one(hostile, begin, upstream, delay):
    """Surplus bytes of a kept connection, at once or late, would vouch for a token that nobody knows."""
    sent = threading.Event()

    def script(connection, asked):
        if b"token=made-up" in asked.body:
            return connection.send(INACTIVE)
        connection.send(ACTIVE if delay else ACTIVE * 2)
        time.sleep(delay)
        connection.send(ACTIVE if delay else b"")
        sent.set()

    gateway = begin(asking(hostile(tokens=script), "max_lookups 1;"))
    assert passes(gateway, "good")
    assert sent.wait(5 * PATIENCE)
    time.sleep(0.1)
    refusal(ask(gateway, "made-up"), 401, "token_invalid")
    assert len(upstream.requests) == 1
    assert passes(gateway, "another good one")


def test_a_408_on_a_connection_that_rests_costs_nothing(hostile, begin, upstream):
    answered, gone = threading.Event(), threading.Event()

    def script(connection, _):
        connection.send(ACTIVE)
        answered.wait(5 * PATIENCE)
        connection.send(answer(b"", "408 Request Timeout", "Connection: close"))
        connection.close()
        gone.set()
        return False

    gateway = begin(asking(hostile(tokens=script), "max_lookups 1;"))
    for number in range(4):
        answered.clear()
        gone.clear()
        assert passes(gateway, f"token-{number}")
        answered.set()
        assert gone.wait(5 * PATIENCE)
        time.sleep(0.1)
    assert failures(gateway, "introspection", "legacy") == 0


def test_each_issuer_has_its_own_bound_and_its_own_outage(hostile, begin, upstream):
    fragile, able = hostile(tokens=slow(0.1, INACTIVE)), hostile(tokens=slow(0.1, ACTIVE))
    blocks = introspection(fragile, "fragile", "max_lookups 1;") + introspection(able, "able", "max_lookups 8;")
    gateway = begin(configuration(jwt=blocks, routes=OPAQUE_ROUTES))
    assert crowd(gateway, [f"token-{number}" for number in range(12)])() == [200] * 12
    assert fragile.most_at_once == 1 and fragile.asked(ASK) == able.asked(ASK) == 12
    fragile.at[ASK] = answer(b"", "503 Service Unavailable")
    for number in range(5):
        assert passes(gateway, f"later-{number}")
    said = gateway.said()
    assert said.count("introspection fragile cannot be asked") == 1 and "answers again" not in said


def test_an_opaque_token_is_no_cookie_also_when_it_is_known(hostile, begin, upstream):
    """A page would be let in by what no login of this gateway has made."""
    text = identity_configuration("cookies on;", jwt=introspection(hostile(tokens=ACTIVE)), routes=ROUTES)
    gateway = begin(text.replace("workers 2;", "workers 1;"))
    cookie = "Cookie: __Host-access=opaque"
    refusal(ask(gateway, None, cookie), 401, "token_invalid")
    assert passes(gateway, "opaque")
    refusal(ask(gateway, None, cookie), 401, "token_invalid")
    assert len(upstream.requests) == 1


# What runs under an opaque token


def test_a_stream_ends_when_its_token_does(hostile, begin, upstream):
    provider = hostile(tokens=ACTIVE)
    gateway = begin(asking(provider))
    upstream.script = endless
    wire, _ = opened(gateway, "/api/x", "opaque")
    with wire:
        wire.chunk()
        provider.at[ASK] = INACTIVE
        seconds, (received, _) = elapsed(lambda: collect(wire))
    assert last_event(received) == "token_revoked"
    assert seconds < (1 + 2) * PATIENCE, "cache, and 2 seconds"


def test_a_websocket_ends_when_its_token_does(hostile, begin):
    echo, provider = Echo(), hostile(tokens=ACTIVE)
    try:
        gateway = begin(asking(provider), upstream=echo.port)
        with chat(gateway, token="opaque") as socket:
            provider.at[ASK] = INACTIVE
            seconds, end = elapsed(lambda: closing(socket))
        assert end == (4401, "token_revoked") and seconds < (1 + 2) * PATIENCE
    finally:
        echo.close()


@pytest.mark.parametrize("outage", [reset, answer(b"", "503 Service Unavailable")], ids=["down", "503"])
def test_a_stream_outlives_an_outage_of_its_issuer(hostile, begin, upstream, outage):
    """It was let in by a good answer."""
    provider = hostile(tokens=ACTIVE)
    gateway = begin(asking(provider))
    upstream.script = endless
    wire, _ = opened(gateway, "/api/x", "opaque")
    with wire:
        provider.at[ASK] = outage
        end = time.monotonic() + 3.5
        while time.monotonic() < end:
            assert wire.chunk() == b"data: 1\n\n"
    assert failures(gateway, "introspection", "legacy") >= 1
    refusal(ask(gateway, "opaque"), 503, "keys_unavailable")
