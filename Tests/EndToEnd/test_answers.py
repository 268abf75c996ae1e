"""Answers arrive at the client as HTTP/1.1 says."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from support import PATIENCE, eventually
from support.upstream import answer, chunk
from support.wire import Truncated, request


def test_a_head_and_its_fields_come_back_as_they_were(gateway, upstream, good):
    fields = [
        "Set-Cookie: a=b",
        "Set-Cookie: c=d; HttpOnly",
        "X-Custom:  x \xe4 y ",
        "Content-Type: text/x",
        "Date: Mon, 01 Jan 2024 00:00:00 GMT",
        "Server: agent",
    ]
    upstream.script = answer(b"body", "299 Very Own Reason", *fields)
    reply = gateway.ask("/api/x", token=good)
    assert (reply.status, reply.body) == (299, b"body")
    assert reply.all("Set-Cookie") == ["a=b", "c=d; HttpOnly"]
    assert (
        reply.header("X-Custom") == "x \xe4 y" and reply.header("Content-Type") == "text/x" and reply.header("Server") == "agent"
    )
    assert reply.header("Date") == "Mon, 01 Jan 2024 00:00:00 GMT"
    assert reply.all("Via") == []


def test_hop_by_hop_fields_of_answers_stay_here(gateway, upstream, good):
    upstream.script = answer(
        b"x",
        "200 OK",
        "Connection: X-Hop, keep-alive",
        "X-Hop: 1",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: x",
        "Upgrade: h2c",
    )
    reply = gateway.ask("/api/x", token=good)
    assert reply.status == 200 and reply.body == b"x"
    assert not {"x-hop", "keep-alive", "proxy-connection", "upgrade"} & {name.lower() for name, _ in reply.fields}


def test_an_error_of_the_upstream_is_its_own(gateway, upstream, good):
    upstream.script = answer(b"no", "401 Unauthorized", 'WWW-Authenticate: Basic realm="x"')
    reply = gateway.ask("/api/x", token=good)
    assert (reply.status, reply.body, reply.header("WWW-Authenticate")) == (401, b"no", 'Basic realm="x"')


@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_head_has_no_body_whatever_its_framing_says(gateway, upstream, good, framing):
    upstream.script = f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode()
    with gateway.connect() as wire:
        reply = wire.send(request("HEAD", "/api/x", token=good)).answer("HEAD")
        assert reply.status == 200
        if "Length" in framing:
            assert reply.header("Content-Length") == "100"
        upstream.script = answer(b"next")
        assert wire.send(request("GET", "/api/y", token=good)).answer().body == b"next"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_answers_that_have_no_body(gateway, upstream, good, status):
    upstream.script = f"HTTP/1.1 {status}\r\nETag: x\r\n\r\n".encode()
    with gateway.connect() as wire:
        reply = wire.send(request("GET", "/api/x", token=good)).answer()
        assert reply.status == int(status[:3]) and reply.header("ETag") == "x"
        assert reply.all("Transfer-Encoding") == []
        upstream.script = answer(b"next")
        assert wire.send(request("GET", "/api/y", token=good)).answer().body == b"next"


def test_304_may_tell_the_length_of_what_it_leaves_out(gateway, upstream, good):
    upstream.script = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n"
    with gateway.connect() as wire:
        assert wire.send(request("GET", "/api/x", token=good)).answer().status == 304
        upstream.script = answer(b"next")
        assert wire.send(request("GET", "/api/y", token=good)).answer().body == b"next"


def test_interim_answers_pass_clean(gateway, upstream, good):
    upstream.script = (
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: x\r\n\r\n"
        b"HTTP/1.1 102 Processing\r\n\r\n" + answer(b"final")
    )
    reply = gateway.ask("/api/x", token=good)
    assert reply.status == 200 and reply.body == b"final"
    hints = [interim for interim in reply.interim if interim.status == 103]
    assert len(hints) <= 1
    for interim in hints:
        assert interim.header("Link") == "</style.css>; rel=preload"
        assert not {"x-hop", "keep-alive", "connection"} & {name.lower() for name, _ in interim.fields}


def test_interim_answers_are_not_for_http_1_0(gateway, upstream, good):
    upstream.script = b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + answer(b"final")
    reply = gateway.ask("/api/x", version="1.0", token=good)
    assert reply.status == 200 and reply.interim == []


def test_an_answer_that_ends_with_its_connection(gateway, upstream, good):
    def script(connection, _):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end")
        connection.close()
        return False

    upstream.script = script
    with gateway.connect() as wire:
        assert wire.send(request("GET", "/api/x", token=good)).answer().body == b"until the end"
        upstream.script = answer(b"next")
        try:  # in chunks the connection lives on; without a length it has to end
            assert wire.send(request("GET", "/api/y", token=good)).answer().body == b"next"
        except (OSError, Truncated):
            pass


def test_an_http_1_0_answer(gateway, upstream, good):
    upstream.script = b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold"
    assert gateway.ask("/api/x", token=good).body == b"old"


def test_chunks_of_every_size_come_back(gateway, upstream, good):
    pieces = [os.urandom(size) for size in (1, 2, 15, 16, 17, 255, 4096, 65_535, 65_536, 100_000)]
    upstream.script = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(map(chunk, pieces)) + b"0\r\n\r\n"
    assert gateway.ask("/api/x", listener="tls", token=good).body == b"".join(pieces)


def test_an_early_answer_is_delivered_and_the_rest_of_the_upload_dropped(gateway, upstream, good):
    def on_head(connection, _):
        connection.send(answer(b"too much", "413 Content Too Large", "Connection: close"))
        connection.wait_ended(5)
        return False

    upstream.on_head = on_head
    with gateway.connect() as wire:
        wire.send(request("POST", "/api/x", "Content-Length: 5000000", token=good) + b"x" * 10_000)
        reply = wire.answer()
        assert reply.status == 413 and reply.body == b"too much"


def test_an_early_answer_to_an_upload_that_goes_on(gateway, upstream, good):
    def on_head(connection, _):
        connection.send(answer(b"early", "200 OK"))
        connection.close()
        return False

    upstream.on_head = on_head
    with gateway.connect() as wire:
        try:
            wire.send(request("POST", "/api/x", "Content-Length: 200000", token=good) + b"x" * 200_000)
        except ConnectionError:
            pass
        assert wire.answer().body == b"early"
    upstream.on_head = None
    assert gateway.ask("/api/y", token=good).status == 200


def stopped(pid):
    """Whether all threads of a process stand still."""
    stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


@pytest.mark.parametrize("listener", ["plain", "tls"])
def test_the_last_answer_comes_although_the_client_said_more(start, upstream, good, listener):
    """Bytes that nobody reads make a close a reset, which would take with it what was not sent yet (RFC 9112 §9.6)."""
    gateway, answered = start(), threading.Event()

    def script(connection, _):
        os.kill(gateway.process.pid, signal.SIGSTOP)
        eventually(lambda: stopped(gateway.process.pid))
        connection.send(answer(b"last"))
        answered.set()

    upstream.script = script
    for _ in range(5):
        answered.clear()
        with gateway.connect(listener) as wire:
            wire.send(request("GET", "/api/x", "Connection: close", token=good))
            try:
                assert answered.wait(5 * PATIENCE)
                wire.send(b"\r\n")
                time.sleep(0.05)
            finally:
                os.kill(gateway.process.pid, signal.SIGCONT)
            reply = wire.answer()
            assert (reply.status, reply.body) == (200, b"last")


@pytest.mark.parametrize("listener", ["plain", "tls"])
def test_a_long_last_answer_comes_although_the_client_said_more(start, upstream, good, listener):
    """As above, with most of the answer still in the kernel when the last of it was written."""
    gateway, long = start(), b"x" * 300_000
    upstream.script = answer(long)
    with gateway.connect(listener, receive_buffer=4096) as wire:
        wire.send(request("GET", "/api/x", "Connection: close", token=good))
        time.sleep(0.3)
        wire.send(b"\r\n")
        reply = wire.answer()
        assert (reply.status, len(reply.body)) == (200, len(long))
