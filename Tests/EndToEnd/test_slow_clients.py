"""Clients that never stop, and never get anywhere: their time is that of the whole head, and the rate of their body."""

import select
import time
from concurrent.futures import ThreadPoolExecutor

import hpack
import pytest

from support import PATIENCE
from support.frames import PREFACE, Frames, raw
from support.gateway import refusal
from support.upstream import chunk
from support.wire import elapsed, request

HEAD_TIMEOUT, WINDOW = 1.5, 2.0
EVERY = 0.1
# A limit that starts anew with each byte is not reached in this time.
LONG = 4 * WINDOW * PATIENCE
HEADERS, SETTINGS, CONTINUATION = 1, 4, 9


@pytest.fixture(scope="module")
def gateway(start):
    return start(top=f"head_timeout {HEAD_TIMEOUT * 1000:.0f}ms; body_min_rate 50 {WINDOW:.0f}s; keepalive_timeout 60s;")


def drip(wire, pieces, every=EVERY):
    """Sends piece by piece until something comes back or LONG is over; how long that took."""
    start = time.monotonic()
    for piece in pieces:
        wire.send(piece)
        if select.select([wire.socket], [], [], every)[0]:
            break
        if time.monotonic() - start > LONG:
            raise AssertionError(f"still read after {LONG} s")
    return time.monotonic() - start


def bytes_of(text):
    return [bytes([byte]) for byte in text]


# Heads

LINES = b"GET /widget/ HTTP/1.1\r\nHost: localhost\r\n"
HEADS = {
    "a byte at a time from the first": (b"", bytes_of(b"GET /widget/" + b"x" * 4096)),
    "a byte of a name at a time": (LINES, bytes_of(b"X-" + b"a" * 4096)),
    "a byte of a value at a time": (LINES, bytes_of(b"X-A: " + b"b" * 4096)),
    "a field at a time, as Slowloris does": (LINES, [b"X-%d: y\r\n" % number for number in range(90)]),
    "a byte of the second request at a time": (LINES + b"\r\n" + LINES, bytes_of(b"X-A: " + b"b" * 4096)),
}


def slow_head(gateway, prefix, pieces):
    """How long a head was read, and what came then."""
    with gateway.connect("plain") as wire:
        wire.send(prefix)
        if b"\r\n\r\n" in prefix:
            assert wire.answer().status == 200
        seconds = drip(wire, pieces)
        answer = wire.answer()
        assert wire.ended()
        return seconds, answer


def test_heads_that_drip_are_cut_and_disturb_nobody(gateway, upstream, good):
    """RFC 9110 15.5.9. All at once, as they come in an attack."""
    with ThreadPoolExecutor(len(HEADS)) as pool:
        running = {name: pool.submit(slow_head, gateway, *row) for name, row in HEADS.items()}
        others = []
        while not all(one.done() for one in running.values()):
            others.append(elapsed(lambda: gateway.ask("/api/x", token=good)))
            time.sleep(EVERY)
    for name, one in running.items():
        seconds, answer = one.result()
        assert refusal(answer, 408, "request_timeout") == {"limit": "head_timeout"}, name
        assert HEAD_TIMEOUT * 0.7 < seconds < HEAD_TIMEOUT + 3 * PATIENCE, (name, seconds)
    assert len(others) > 3 and all(answer.status == 200 and seconds < 1 * PATIENCE for seconds, answer in others)


def test_a_slow_head_that_comes_in_time_is_served(gateway, upstream):
    """A gap between two pieces is nothing to be cut for."""
    with gateway.connect("plain") as wire:
        drip(wire, [LINES, b"X-A: ", b"b", b"\r\n", b"\r\n"])
        assert wire.answer().status == 200


def test_empty_lines_before_a_request_buy_no_time(gateway):
    """RFC 9112 2.2 has a server pass over one."""
    with gateway.connect("plain") as wire:
        assert drip(wire, [b"\r\n"] * 200) < HEAD_TIMEOUT + 3 * PATIENCE
        refusal(wire.answer(), 400, "bad_request")
        assert wire.ended()


BLOCK = hpack.Encoder().encode([(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/widget/")])
HTTP_2_HEADS = {
    "the preface": ([], [*bytes_of(PREFACE), *bytes_of(bytes(1000))]),
    "a header block, in frames of a byte": ([PREFACE, raw(SETTINGS, 0, 0), raw(HEADERS, 1, 1, BLOCK[:1])],
                                            [raw(CONTINUATION, 0, 1, byte) for byte in bytes_of(BLOCK[1:] * 9)]),
    "a frame with a header block": ([PREFACE, raw(SETTINGS, 0, 0), raw(HEADERS, 5, 1, b"x" * 1000)[:10]], bytes_of(b"x" * 900)),
}  # fmt: skip


def slow_block(gateway, before, pieces):
    """How long a client's frames were taken."""
    with Frames(gateway, preface=False) as frames:
        frames.send(*before)
        start = time.monotonic()
        with pytest.raises(OSError):
            for piece in pieces:
                frames.send(piece)
                time.sleep(EVERY)
                assert time.monotonic() - start < LONG, "still read"
        return time.monotonic() - start


def test_what_begins_a_request_of_http_2_does_not_drip_for_ever(gateway):
    with ThreadPoolExecutor(len(HTTP_2_HEADS)) as pool:
        running = {name: pool.submit(slow_block, gateway, *row) for name, row in HTTP_2_HEADS.items()}
    for name, one in running.items():
        assert HEAD_TIMEOUT * 0.7 < one.result() < HEAD_TIMEOUT + 5 * PATIENCE, name


# Bodies

BODIES = {
    "with a length": ("Content-Length: 100000", bytes_of(b"x" * 1000)),
    "in chunks": ("Transfer-Encoding: chunked", [b"1", b"\r\n", b"x", b"\r\n"] * 250),
    "in a chunk": ("Transfer-Encoding: chunked", [b"ffff\r\n", *bytes_of(b"x" * 1000)]),
}


def slow_body(gateway, target, field, pieces, token):
    with gateway.connect("plain") as wire:
        wire.send(request("POST", target, field, token=token))
        seconds = drip(wire, pieces)
        answer = wire.answer()
        assert wire.ended()
        return seconds, answer


def steady_body(gateway, target, token):
    """Faster than it has to be, for longer than the rate is averaged over."""
    with gateway.connect("plain") as wire:
        wire.send(request("POST", target, "Transfer-Encoding: chunked", token=token))
        drip(wire, [chunk(b"x" * 500)] * int(1.5 * WINDOW / EVERY))
        return wire.send(b"0\r\n\r\n").answer()


def test_bodies_that_drip_are_cut_and_disturb_nobody(gateway, upstream, good):
    with ThreadPoolExecutor(len(BODIES) + 1) as pool:
        running = {name: pool.submit(slow_body, gateway, "/api/slow", *row, good) for name, row in BODIES.items()}
        steady = pool.submit(steady_body, gateway, "/api/steady", good)
    for name, one in running.items():
        seconds, answer = one.result()
        assert refusal(answer, 408, "request_timeout") == {"limit": "body_min_rate"}, name
        assert WINDOW * 0.7 < seconds < WINDOW + 3 * PATIENCE, (name, seconds)
    assert steady.result().status == 200
    assert {seen.target for seen in upstream.requests if seen.complete} == {"/api/steady"}, "nobody takes a part for a whole"


def test_an_upload_that_drips_over_http_2_is_cut_alone(gateway, upstream, good):
    """Its window may have begun before it; what another stream of the connection sends does not count for it."""
    with Frames(gateway) as frames:
        slow = frames.open(frames.fields("POST", "/api/slow", token=good), end=False)
        steady = frames.open(frames.fields("POST", "/api/steady", token=good), end=False)
        start = time.monotonic()
        while slow not in frames.answers:
            assert time.monotonic() - start < LONG, "still read"
            frames.data(slow, b"x")
            frames.data(steady, b"x" * 500)
            frames.frame(EVERY / PATIENCE)
        seconds = time.monotonic() - start
        answer = frames.answer(slow)
        assert answer.status == 408 and answer.json["details"]["limit"] == "body_min_rate"
        assert WINDOW * 0.7 < seconds < 2 * WINDOW + 3 * PATIENCE
        frames.data(steady, b"end", end=True)
        assert frames.answer(steady).status == 200
    assert {seen.target for seen in upstream.requests if seen.complete} == {"/api/steady"}
