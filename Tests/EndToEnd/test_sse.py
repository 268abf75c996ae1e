"""Event streams: signs of life while the upstream thinks, and the last event when it is over (contract.md)."""

import json
import signal
import threading
import time

import pytest

from support import PATIENCE, eventually
from support.gateway import ROUTES, configuration, wait_until
from support.identity import Door, identity_configuration
from support.tokens import soon
from support.upstream import OK, STREAM_HEAD, answer, chunk
from support.wire import CUT, request

EVENTS = """
route /api/quiet/ { accept jwt; stream_keepalive 1s; upstream agents; }
route /api/graced/ { accept jwt; stream_grace 1h; upstream agents; }
"""
ACCEPT = "Accept: text/event-stream"
LAG = 1.0
LATE = 1.0  # what a busy machine may add to the lag


@pytest.fixture(scope="module")
def gateway(start):
    return start(configuration(routes=ROUTES + EVENTS, directives=f"response_timeout {int(3 * PATIENCE)}s;"))


@pytest.fixture(scope="module")
def patient(start):
    """A gateway with a long lag, of which it waits one half for an event under way."""
    return start(configuration().replace("revocation_lag 1s;", "revocation_lag 4s;"))


@pytest.fixture(scope="module")
def door(start):
    door = Door(start(identity_configuration(routes=ROUTES + EVENTS)))
    door.add("sse@example.com")
    return door


def collect(wire):
    """All chunks until the end, and whether the end was a regular one."""
    received = b""
    try:
        while data := wire.chunk():
            received += data
        return received, True
    except CUT:
        return received, False


def last_event(received):
    """The envelope of a last `event: error`, which stands for itself."""
    before, mark, data = received.rpartition(b"event: error\ndata: ")
    assert mark and data.endswith(b"\n\n") and b"\n" not in data[:-2], received
    assert not before or before.endswith((b"\n\n", b"\r\n\r\n", b"\r\r")), f"written into an event: {received}"
    envelope = json.loads(data)
    assert list(envelope) == ["error", "message", "details"] and envelope["details"]["request_id"]
    return envelope["error"]


def endless(connection, _, event=b"data: 1\n\n", head=STREAM_HEAD):
    connection.send(head)
    for _ in range(100):
        connection.send(chunk(event))
        time.sleep(0.1)
    return False


def opened(gateway, target, token, *fields):
    wire = gateway.connect()
    head = wire.send(request("GET", target, *fields, token=token)).final_head()
    assert head.status == 200, head
    return wire, head


def ended_in_time(exp):
    """Whether it is now the time to end what runs under a token that ends with `exp`."""
    return exp <= time.time() < exp + (LAG + LATE) * PATIENCE


def test_exp_ends_a_stream_with_an_event(gateway, upstream, jwt):
    upstream.script, exp = endless, soon()
    wire, _ = opened(gateway, "/api/x", jwt(exp=exp))
    with wire:
        received, regular = collect(wire)
    assert ended_in_time(exp)
    assert last_event(received) == "token_expired" and regular
    eventually(lambda: upstream.connections[upstream.last().connection].wait_ended(2))
    assert gateway.logged(error="token_expired", status=200)


@pytest.mark.parametrize("target", ["/api/x", "/api/graced/x"])
def test_a_logout_ends_it(door, upstream, target):
    upstream.script = endless
    access = door.login("sse@example.com")["access"]
    wire, _ = opened(door.gateway, target, access)
    with wire:
        wire.chunk()
        assert door.logout(access).status == 204
        start = time.monotonic()
        received, _ = collect(wire)
    assert last_event(received) == "token_revoked"
    assert time.monotonic() - start < (LAG + LATE) * PATIENCE


def test_a_disabled_user_ends_it(door, upstream):
    upstream.script = endless
    door.add("gone@example.com")
    access = door.login("gone@example.com")["access"]
    wire, _ = opened(door.gateway, "/api/x", access)
    with wire:
        door.gateway.run("users", "disable", "gone@example.com")
        received, _ = collect(wire)
    assert last_event(received) == "token_revoked"


def test_a_rotated_key_ends_it(gateway, upstream):
    made = gateway.create_key("bot-7")
    upstream.script = endless
    wire, _ = opened(gateway, "/api/agents/bot-7/x", made["key"])
    with wire:
        gateway.run("keys", "rotate", made["id"], "--grace", "0s")
        received, _ = collect(wire)
    assert last_event(received) == "api_key_revoked"


def test_a_grace_outlives_exp(gateway, upstream, jwt):
    upstream.script, exp = endless, soon()
    wire, _ = opened(gateway, "/api/graced/x", jwt(exp=exp))
    with wire:
        while time.time() < exp + 1.2 * LAG:
            assert wire.chunk() == b"data: 1\n\n"


def test_an_event_under_way_is_waited_for(patient, upstream, jwt):
    exp = soon()

    def script(connection, _):
        connection.send(STREAM_HEAD + chunk(b"data: 1\n\ndata: ha"))
        wait_until(exp + 1)  # by then `exp` was noticed, and the event has 2 s to end in
        connection.send(chunk(b"lf\r\n\r\ndata: next\n\n"))
        connection.wait_ended(3)
        return False

    upstream.script = script
    wire, _ = opened(patient, "/api/x", jwt(exp=exp))
    with wire:
        received, _ = collect(wire)
    assert received.startswith(b"data: 1\n\ndata: half\r\n\r\n") and b"next" not in received
    assert last_event(received) == "token_expired"


def test_an_event_that_never_ends_is_cut(gateway, upstream, jwt):
    def script(connection, _):
        connection.send(STREAM_HEAD + chunk(b"data: never"))
        connection.wait_ended(5)
        return False

    upstream.script, exp = script, soon()
    wire, _ = opened(gateway, "/api/x", jwt(exp=exp))
    with wire:
        assert collect(wire) == (b"data: never", False)
    assert ended_in_time(exp)


@pytest.mark.parametrize(
    "why, head",
    [
        ("compressed", STREAM_HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")),
        ("of a known length", STREAM_HEAD.replace(b"Transfer-Encoding: chunked", b"Content-Length: 1000")),
        ("no event stream", STREAM_HEAD.replace(b"event-stream", b"plain")),
    ],
)
def test_other_streams_are_cut_without_a_word(gateway, upstream, jwt, why, head):
    def script(connection, _):
        connection.send(head + (b"data: 1\n\n" if b"Length" in head else chunk(b"data: 1\n\n")))
        connection.wait_ended(5)
        return False

    upstream.script, exp = script, soon()
    wire, _ = opened(gateway, "/api/x", jwt(exp=exp))
    with wire:
        rest = wire.rest()
    assert ended_in_time(exp)
    assert b"event: error" not in rest and not rest.endswith(b"0\r\n\r\n"), why


def test_a_request_without_a_head_gets_401(gateway, upstream, jwt):
    upstream.script = lambda connection, _: connection.wait_ended(5) and False
    with gateway.connect() as wire:
        got = wire.send(request("GET", "/api/x", token=jwt(exp=soon()))).answer()
        assert got.status == 401 and got.error == "token_expired" and got.header("Connection") == "close"
        assert wire.ended()


def test_an_upload_under_way_gets_401(gateway, upstream, jwt):
    with gateway.connect() as wire:
        wire.send(request("POST", "/api/x", "Content-Length: 1000", token=jwt(exp=soon())) + b"some")
        got = wire.answer()
        assert got.status == 401 and got.error == "token_expired"
    eventually(lambda: upstream.connections[upstream.last().connection].wait_ended(2))


# Signs of life


def test_comments_while_the_upstream_is_silent(gateway, upstream, good):
    seen = threading.Event()

    def script(connection, _):
        connection.send(STREAM_HEAD + chunk(b"data: 1\n\n"))
        seen.wait(10 * PATIENCE)
        connection.send(chunk(b"data: 2\n\n") + b"0\r\n\r\n")

    upstream.script = script
    start = time.monotonic()
    wire, head = opened(gateway, "/api/quiet/x", good)
    with wire:
        assert head.header("Content-Type") == "text/event-stream" and wire.chunk() == b"data: 1\n\n"
        for number in (1, 2):
            assert wire.chunk() == b":\n\n"
            # One after each second of silence, which is looked for four times a second.
            assert number * 0.95 < time.monotonic() - start < (number * 1.25 + LATE) * PATIENCE
        seen.set()
        received, regular = collect(wire)
    assert regular and received.replace(b":\n\n", b"") == b"data: 2\n\n", received


def test_no_comment_within_an_event(gateway, upstream, good):
    def script(connection, _):
        connection.send(STREAM_HEAD + chunk(b"data: a"))
        time.sleep(1.6)
        connection.send(chunk(b"b\n\n") + b"0\r\n\r\n")

    upstream.script = script
    wire, _ = opened(gateway, "/api/quiet/x", good)
    with wire:
        assert collect(wire) == (b"data: ab\n\n", True)


def test_no_comment_unless_configured(gateway, upstream, good):
    def script(connection, _):
        connection.send(STREAM_HEAD)
        time.sleep(1.6)
        connection.send(chunk(b"data: 1\n\n") + b"0\r\n\r\n")

    upstream.script = script
    wire, _ = opened(gateway, "/api/x", good)
    with wire:
        assert collect(wire) == (b"data: 1\n\n", True)


@pytest.fixture
def held(upstream):
    """Has the upstream send its answer only when it is told to: `go = held(then)`, `go.set()`."""

    def make(then):
        go = threading.Event()
        upstream.script = lambda connection, _: go.wait(10 * PATIENCE) and connection.send(then)
        return go

    return make


def test_a_200_before_the_upstreams_head(gateway, held, good):
    go = held(STREAM_HEAD + chunk(b"data: 1\n\n") + b"0\r\n\r\n")
    start = time.monotonic()
    wire, head = opened(gateway, "/api/quiet/x", good, ACCEPT)
    with wire:
        assert time.monotonic() - start > 0.95, "after the interval"
        go.set()
        assert head.header("Content-Type") == "text/event-stream"
        assert "no-transform" in head.header("Cache-Control") and head.header("X-Request-Id")
        received, regular = collect(wire)
    assert regular and received.startswith(b":\n\n") and received.endswith(b"data: 1\n\n"), received


@pytest.mark.parametrize(
    "then, code",
    [
        (answer(b"{}", "500 Internal Server Error"), "upstream_error"),
        (OK, "upstream_error"),
        (b"garbage\r\n\r\n", "upstream_error"),
    ],
)
def test_a_bad_head_after_that_is_a_last_event(gateway, held, good, then, code):
    go = held(then)
    wire, _ = opened(gateway, "/api/quiet/x", good, ACCEPT)
    with wire:
        go.set()
        received, _ = collect(wire)
    assert last_event(received) == code


def test_a_head_that_never_comes_is_a_timeout(gateway, upstream, good):
    upstream.script = lambda connection, _: connection.wait_ended(6) and False
    start = time.monotonic()
    wire, _ = opened(gateway, "/api/quiet/x", good, ACCEPT)
    with wire:
        received, _ = collect(wire)
    assert last_event(received) == "upstream_timeout"
    assert 2.5 * PATIENCE < time.monotonic() - start < 5 * PATIENCE, "response_timeout counts on"


def test_others_wait_for_their_head(gateway, upstream, good):
    upstream.script = lambda connection, _: time.sleep(1.6) or connection.send(OK)
    with gateway.connect() as wire:
        got = wire.send(request("GET", "/api/quiet/x", "Accept: application/json", token=good)).answer()
    assert got.status == 200 and got.body == b'{"ok":true}'


def test_a_client_that_leaves_early_ends_the_upstream(gateway, upstream, good):
    upstream.script = lambda connection, _: connection.wait_ended(6) and False
    wire, _ = opened(gateway, "/api/quiet/x", good, ACCEPT)
    wire.close()
    assert upstream.connections[upstream.last().connection].wait_ended(2)


def test_a_drain_says_so(start, upstream, good):
    gateway = start(configuration().replace("drain_timeout 5s;", "drain_timeout 1s;"))
    upstream.script = endless
    wire, _ = opened(gateway, "/api/x", good)
    with wire:
        gateway.signal(signal.SIGTERM)
        received, regular = collect(wire)
    assert last_event(received) == "draining" and not regular, "a drain is no regular end"
    assert gateway.wait(4) == 0
