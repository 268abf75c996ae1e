"""What clients see when an upstream is ill."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import PATIENCE, eventually, free_port
from support.gateway import configuration, refusal
from support.upstream import answer, chunk
from support.wire import CUT, Truncated, elapsed, request

ROUTE = "route /api/ { accept jwt; upstream agents; }"
DIRECTIVES = "connect_timeout 1s; response_timeout 1s; idle_timeout 2s; fail_limit 1000;"


@pytest.fixture(scope="module")
def gateway(start):
    return start(directives=DIRECTIVES)


@pytest.fixture(scope="module")
def single(start):
    """One worker: whoever sends the next request, it would go over the connection that was kept last."""
    return start(configuration(directives=DIRECTIVES).replace("workers 2;", "workers 1;"))


def assert_not_used_again(single, upstream, good):
    """The connection of the last request, on which the upstream still listens, is not kept."""
    spoilt = upstream.last().connection
    upstream.reset_script()
    assert single.ask("/api/y", token=good).status == 200
    assert upstream.last().connection != spoilt
    kept = upstream.last().connection
    assert single.ask("/api/z", token=good).status == 200
    assert upstream.requests[-1].connection == kept, "a good one would be"


def ending(data, how="close"):
    """A script that sends `data` and ends the connection."""

    def script(connection, _):
        if data:
            connection.send(data)
        getattr(connection, how)()
        return False

    return script


# Before the answer's head

GARBAGE = {
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "an empty line first": b"\r\n" + answer(),
    "a version of its own": b"HTTP/3.7 200 OK\r\nContent-Length: 0\r\n\r\n",
    "status 000": b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n",
    "status 99": b"HTTP/1.1 99 OK\r\nContent-Length: 0\r\n\r\n",
    "status 1000": b"HTTP/1.1 1000 OK\r\nContent-Length: 0\r\n\r\n",
    "status no number": b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
    "two lengths that differ": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length with a sign": b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
    "an unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "bare LF in a field": b"HTTP/1.1 200 OK\r\nX-A: b\nX-B: c\r\nContent-Length: 0\r\n\r\n",
    "bare CR in a field": b"HTTP/1.1 200 OK\r\nX-A: b\rSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n",
    "NUL in a field": b"HTTP/1.1 200 OK\r\nX-A: b\0c\r\nContent-Length: 0\r\n\r\n",
    "a folded field": b"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "a field without colon": b"HTTP/1.1 200 OK\r\nX-A\r\nContent-Length: 0\r\n\r\n",
    "a head over 64 KiB": b"HTTP/1.1 200 OK\r\nX-A: " + b"x" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "a flood of interim answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000 + answer(),
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_502_and_the_connection_not_used_again(single, upstream, good, data):
    upstream.script = data
    assert refusal(single.ask("/api/x", token=good), 502, "upstream_error") == {"upstream": "agents"}
    assert_not_used_again(single, upstream, good)


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 200 OK\r\nContent-Le"], ids=["nothing", "half a head"])
def test_an_end_before_the_head(gateway, upstream, good, data, how):
    upstream.script = ending(data, how)
    refusal(gateway.ask("/api/x", token=good), 502, "upstream_error")
    assert gateway.ask("/api/x", token=good, method="POST", body=b"x").status == 502


def test_silence_is_504_in_time(gateway, upstream, good):
    upstream.script = lambda connection, _: connection.wait_ended(10) and False
    seconds, late = elapsed(lambda: gateway.ask("/api/x", token=good))
    assert refusal(late, 504, "upstream_timeout") == {"upstream": "agents"}
    assert 0.8 < seconds < 3 * PATIENCE


def test_a_head_that_drips_is_504_in_time(gateway, upstream, good):
    def script(connection, _):
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
            connection.send(bytes([byte]))
            time.sleep(0.1)

    upstream.script = script
    seconds, late = elapsed(lambda: gateway.ask("/api/x", token=good))
    assert late.status == 504 and seconds < 3 * PATIENCE


def test_a_refused_connection(start, good):
    gateway = start(server=f"server 127.0.0.1:{free_port()};", directives="connect_timeout 1s;", routes=ROUTE)
    seconds, reply = elapsed(lambda: gateway.ask("/api/x", token=good))
    assert refusal(reply, 503, "upstream_unavailable") == {"upstream": "agents"}
    assert seconds < 2 * PATIENCE


def test_a_connection_that_is_never_accepted(start, good):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = []
        for _ in range(4):  # the backlog of a server that no longer accepts
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            fillers.append(filler)
        gateway = start(server=f"server 127.0.0.1:{full.getsockname()[1]};", directives="connect_timeout 500ms;", routes=ROUTE)
        seconds, reply = elapsed(lambda: gateway.ask("/api/x", token=good))
        assert reply.status in (503, 504) and reply.json["details"]["upstream"] == "agents"
        assert seconds < 3 * PATIENCE
        for filler in fillers:
            filler.close()


# After the answer's head: truncation has to be visible

TRUNCATED = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
    "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf",
    "between chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    "the last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
}


@pytest.mark.parametrize("listener", ["plain", "tls"])
@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("data", TRUNCATED.values(), ids=TRUNCATED)
def test_truncation_is_visible(gateway, upstream, good, data, how, listener):
    arrived = threading.Event()

    def script(connection, _):
        connection.send(data)
        arrived.wait(5 * PATIENCE)  # a reset takes with it what was not read yet
        getattr(connection, how)()
        return False

    upstream.script = script
    with gateway.connect(listener) as wire:
        head = wire.send(request("GET", "/api/x", token=good)).final_head()
        assert head.status == 200
        arrived.set()
        with pytest.raises(CUT):
            wire.body(head)


BAD_CHUNKS = {
    "size no number": b"4\r\nhalf\r\nzz\r\nrest\r\n0\r\n\r\n",
    "no CRLF after the data": b"4\r\nhalfX\r\n0\r\n\r\n",
    "bare LF": b"4\r\nhalf\r\n4\nrest\r\n0\r\n\r\n",
    "overflow": b"4\r\nhalf\r\nfffffffffffffffff\r\n",
}


@pytest.mark.parametrize("data", BAD_CHUNKS.values(), ids=BAD_CHUNKS)
def test_bad_chunks_of_an_upstream_end_the_answer_visibly(single, upstream, good, data):
    upstream.script = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data
    with single.connect("plain") as wire:
        wire.send(request("GET", "/api/x", token=good))
        try:
            assert wire.answer().status == 502, "a good answer was made of bad chunks"
        except CUT:
            pass
    assert_not_used_again(single, upstream, good)


def test_a_body_longer_than_its_length_is_cut_and_the_connection_not_used_again(gateway, upstream, good):
    upstream.script = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodyHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    with gateway.connect("plain") as wire:
        assert wire.send(request("GET", "/api/x", token=good)).answer().body == b"body"
        spoilt = upstream.last().connection
        upstream.reset_script()
        assert wire.send(request("GET", "/api/y", token=good)).answer().body == b'{"ok":true}'
    assert upstream.last().connection != spoilt


def test_bytes_that_come_unasked_are_nobodys_answer(gateway, upstream, good):
    answered, ended = threading.Event(), []

    def script(connection, _):
        connection.send(answer(b"first"))
        answered.wait(5 * PATIENCE)
        connection.send(answer(b"unasked"))
        ended.append(connection.wait_ended(5))
        return False

    upstream.script = script
    with gateway.connect("plain") as wire:
        assert wire.send(request("GET", "/api/x", token=good)).answer().body == b"first"
        answered.set()
        eventually(lambda: ended, within=6)
        assert ended == [True], "the connection is given up"
        upstream.reset_script()
        assert wire.send(request("GET", "/api/y", token=good)).answer().body == b'{"ok":true}'


def test_a_stream_that_falls_silent_is_ended_by_idle_timeout(gateway, upstream, good):
    def script(connection, _):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"one"))
        connection.wait_ended(8)
        return False

    upstream.script = script
    with gateway.connect("plain") as wire:
        start = time.monotonic()
        assert wire.send(request("GET", "/api/x", token=good)).final_head().status == 200
        assert wire.chunk() == b"one"
        with pytest.raises(CUT):
            wire.chunk()
        assert 1.9 < time.monotonic() - start < 5 * PATIENCE


def test_a_stream_that_goes_on_outlives_every_timeout(gateway, upstream, good):
    def script(connection, _):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(7):
            connection.send(chunk(b"x"))
            time.sleep(0.5)
        connection.send(b"0\r\n\r\n")

    upstream.script = script
    assert gateway.ask("/api/x", token=good).body == b"x" * 7


# In the middle of an upload


@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_server_that_ends_in_the_middle_of_uploads_does_no_harm(gateway, upstream, good, how):
    """The bytes of an upload lie in a buffer that the end of its exchange gives up: once that ended the process."""

    def end(connection, _):
        connection.exactly(20_000)
        getattr(connection, how)()
        return False

    def upload(_):
        head = request("POST", "/api/x", "Content-Length: 3000000", token=good)
        with gateway.connect("plain") as wire:
            try:
                wire.send(head + b"x" * 3_000_000)
                return wire.answer().status
            except (OSError, Truncated):
                return None

    upstream.on_head = end
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(upload, range(64))) <= {502, None}
    upstream.reset_script()
    with gateway.connect("plain") as wire:
        assert wire.send(request("GET", "/api/x", token=good)).answer().status == 200


def test_an_interim_answer_for_a_client_that_has_just_gone(start, upstream, good):
    """It is sent at once, and what it was read from goes with the client."""
    gateway, early = start(), ending(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n")
    for _ in range(20):
        wire, done = gateway.connect("plain"), threading.Event()

        def on_head(connection, asked, wire=wire, done=done):
            try:
                wire.reset()
                return early(connection, asked)
            finally:
                done.set()

        upstream.on_head = on_head
        wire.send(request("GET", "/api/x", token=good))
        assert done.wait(5 * PATIENCE) and gateway.alive
    upstream.reset_script()
    assert gateway.ask("/api/x", token=good).status == 200
