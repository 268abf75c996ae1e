"""Bodies stream both ways as they are made, with backpressure, and end when their reader leaves."""

import hashlib
import os
import threading
import time

import pytest

from support import PATIENCE, eventually
from support.upstream import STREAM_HEAD, answer, chunk
from support.wire import elapsed, request

# Streams


def test_events_arrive_one_by_one(gateway, upstream, good):
    seen = threading.Semaphore(0)

    def script(connection, _):
        connection.send(STREAM_HEAD)
        for number in range(5):
            connection.send(chunk(b"data: %d\n\n" % number))
            assert seen.acquire(timeout=3 * PATIENCE), "the reader has not got this event"
        connection.send(b"0\r\n\r\n")

    upstream.script = script
    with gateway.connect() as wire:
        head = wire.send(request("GET", "/api/x", "Accept: text/event-stream", token=good)).final_head()
        assert head.status == 200 and head.header("Content-Type") == "text/event-stream"
        for number in range(5):
            seconds, data = elapsed(wire.chunk)
            assert data == b"data: %d\n\n" % number and seconds < 2 * PATIENCE
            seen.release()
        assert wire.chunk() == b""
    assert not upstream.problems


def test_the_head_of_a_stream_comes_before_its_first_event(gateway, upstream, good):
    go = threading.Event()

    def script(connection, _):
        connection.send(STREAM_HEAD)
        go.wait(5 * PATIENCE)
        connection.send(b"0\r\n\r\n")

    upstream.script = script
    with gateway.connect() as wire:
        seconds, head = elapsed(wire.send(request("GET", "/api/x", token=good)).final_head)
        assert head.status == 200 and seconds < 2 * PATIENCE
        go.set()
        assert wire.chunk() == b""


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("when", ["before the head", "in the stream"])
def test_when_the_client_leaves_the_upstream_ends_within_a_second(gateway, upstream, good, when, how):
    ended, started = [], threading.Event()

    def script(connection, _):
        if when == "in the stream":
            connection.send(STREAM_HEAD + chunk(b"data: 1\n\n"))
        started.set()
        ended.append(connection.wait_ended(5) and time.monotonic())
        return False

    upstream.script = script
    wire = gateway.connect("plain")
    wire.send(request("POST", "/api/x", token=good, body=b"{}"))
    assert started.wait(5 * PATIENCE)
    if when == "in the stream":
        assert wire.final_head().status == 200
    getattr(wire, how)()
    left = time.monotonic()
    eventually(lambda: ended, within=6)
    assert ended[0] is not False and ended[0] - left < 1.5 * PATIENCE


def test_when_the_client_leaves_in_an_upload_the_upstream_never_gets_a_complete_request(gateway, upstream, good):
    for framing, data in (("Content-Length: 1000", b"x" * 500), ("Transfer-Encoding: chunked", chunk(b"x" * 500))):
        upstream.reset_script()
        wire = gateway.connect("plain")
        wire.send(request("POST", "/api/x", framing, token=good) + data)
        upstream.last()
        wire.close()
        time.sleep(0.3)
        assert not upstream.last().complete


# Amounts


def test_large_bodies_both_ways(gateway, upstream, good):
    body = os.urandom(1 << 20) * 9
    digest = hashlib.sha256(body).hexdigest().encode()

    def script(connection, seen):
        connection.send(answer(hashlib.sha256(seen.body).hexdigest().encode() + seen.body))

    upstream.script = script
    with gateway.connect() as wire:
        reply = wire.send(request("POST", "/api/x", token=good, body=body)).answer()
    assert reply.body[:64] == digest and reply.body[64:] == body


def pump(connection, amount, sent):
    """Sends until `amount`, counting, so that a test can see where it stalls."""
    block = b"x" * 65_536
    try:
        for _ in range(amount // len(block)):
            connection.send(block)
            sent[0] += len(block)
    except OSError:
        pass


def stalled(count, still=0.5):
    """Waits until a counter no longer moves, and gives it."""
    before = -1
    while before != count[0]:
        before = count[0]
        time.sleep(still * PATIENCE)
    return before


def test_a_reader_that_does_not_read_stops_the_upstream(gateway, upstream, good):
    sent, amount = [0], 200 << 20

    def script(connection, _):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % amount)
        pump(connection, amount, sent)
        return False

    upstream.script = script
    before = gateway.resident()
    with gateway.connect(receive_buffer=65_536) as wire:
        assert wire.send(request("GET", "/api/x", token=good)).final_head().status == 200
        assert stalled(sent) < 40 << 20, "the kernel's buffers hold some megabytes, the gateway nearly nothing"
        assert gateway.resident() - before < 16 << 10
        # And it goes on when the reader does.
        assert len(wire.exactly(20 << 20)) == 20 << 20


def test_an_upstream_that_does_not_read_stops_the_client(start, upstream, good):
    gateway = start(routes="route /api/ { accept jwt; max_body 1g; upstream agents; }")
    sent, amount, go = [0], 100 << 20, threading.Event()

    def on_head(connection, _):
        go.wait(20)
        left = amount
        while left > 0 and (data := connection.exactly(min(left, 1 << 20))):
            left -= len(data)
        connection.send(answer(b"%d" % left))
        return True

    upstream.on_head = on_head
    before = gateway.resident()
    with gateway.connect() as wire:
        wire.send(request("POST", "/api/x", f"Content-Length: {amount}", token=good))

        class Client:
            send = staticmethod(wire.socket.sendall)

        thread = threading.Thread(target=pump, args=[Client, amount, sent], daemon=True)
        thread.start()
        assert stalled(sent) < 40 << 20
        assert gateway.resident() - before < 16 << 10
        go.set()
        thread.join()  # one thread at a time: a TLS connection of Python is not for two
        assert wire.answer().body == b"0"


def test_many_connections_at_once(gateway, upstream, good):
    upstream.script = lambda connection, seen: connection.send(answer(seen.target.encode()))
    wires = [gateway.connect("plain") for _ in range(200)]
    try:
        for number, wire in enumerate(wires):
            wire.send(request("GET", f"/api/{number}", token=good))
        assert [wire.answer().body for wire in wires] == [b"/api/%d" % number for number in range(200)]
    finally:
        for wire in wires:
            wire.close()
