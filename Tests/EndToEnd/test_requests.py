"""Requests arrive at the upstream as HTTP/1.1 says."""

import os
import threading
import time

import pytest

from support import PATIENCE
from support.upstream import STREAM_HEAD, answer, chunk
from support.wire import elapsed, request


def test_a_length_arrives_as_a_length(gateway, upstream, good):
    body = os.urandom(100_000)
    assert gateway.ask("/api/x", method="POST", token=good, body=body).status == 200
    seen = upstream.last()
    assert seen.body == body and seen.header("Content-Length") == "100000" and seen.all("Transfer-Encoding") == []


def test_chunks_arrive_as_chunks(gateway, upstream, good):
    pieces = [os.urandom(size) for size in (1, 10, 20_000, 3)]
    head = request("POST", "/api/x", "Transfer-Encoding: Chunked", token=good)
    assert gateway.send(head + b"".join(map(chunk, pieces)) + b"0\r\n\r\n").status == 200
    seen = upstream.last()
    assert seen.body == b"".join(pieces) and seen.header("Transfer-Encoding") == "chunked" and seen.all("Content-Length") == []


@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD", "OPTIONS"])
def test_a_request_without_body_gets_no_framing(gateway, upstream, good, method):
    upstream.script = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    assert gateway.ask("/api/x", method=method, token=good).status == 200
    seen = upstream.last()
    assert seen.all("Transfer-Encoding") == [] and seen.all("Content-Length") in ([], ["0"])


def test_an_empty_post_keeps_its_length(gateway, upstream, good):
    assert gateway.ask("/api/x", method="POST", token=good, body=b"").status == 200
    assert upstream.last().header("Content-Length") == "0"


def test_the_body_streams_before_it_is_complete(gateway, upstream, good):
    arrived = threading.Event()

    def on_head(connection, seen):
        assert connection.until(b"first\r\n") is not None
        arrived.set()
        connection.read_body(seen)
        connection.send(answer())
        return True

    upstream.on_head = on_head
    with gateway.connect() as wire:
        wire.send(request("POST", "/api/x", "Transfer-Encoding: chunked", token=good) + b"5\r\nfirst\r\n")
        assert arrived.wait(3 * PATIENCE), "the first chunk waits for the others"
        wire.send(b"6\r\nsecond\r\n0\r\n\r\n")
        assert wire.answer().status == 200
    assert upstream.last().body == b"second"


def test_expect_continue_is_answered_here_and_not_forwarded(gateway, upstream, good):
    with gateway.connect() as wire:
        wire.send(request("POST", "/api/x", "Expect: 100-continue", "Content-Length: 5", token=good))
        seconds, interim = elapsed(wire.head)
        assert interim.status == 100 and seconds < 1 * PATIENCE
        assert wire.send(b"hello").answer().status == 200
    seen = upstream.last()
    assert seen.body == b"hello" and seen.all("Expect") == []


def test_expect_continue_with_the_body_already_there(gateway, upstream, good):
    with gateway.connect() as wire:
        wire.send(request("POST", "/api/x", "Expect: 100-Continue", "Content-Length: 5", token=good) + b"hello")
        assert wire.answer().status == 200
        assert wire.send(request("GET", "/api/y", token=good)).answer().status == 200
    assert [seen.body for seen in upstream.requests] == [b"hello", b""]


def test_an_expectation_without_credential_is_refused_at_once(gateway, upstream):
    with gateway.connect() as wire:
        wire.send(request("POST", "/api/x", "Expect: 100-continue", "Content-Length: 5"))
        seconds, refusal = elapsed(wire.final_head)
        assert refusal.status == 401 and refusal.interim == [] and seconds < 1 * PATIENCE
    assert not upstream.requests


@pytest.mark.parametrize("target", ["http://localhost/api/x?y", "https://LOCALHOST/api/./x?y", "HTTP://localhost/api/x?y"])
def test_absolute_form_is_forwarded_as_a_path(gateway, upstream, good, target):
    assert gateway.ask(target, token=good).status == 200
    seen = upstream.last()
    assert seen.target == "/api/x?y" and seen.header("Host").lower() == "localhost"


def test_http_1_0(gateway, upstream, good):
    upstream.script = STREAM_HEAD + chunk(b"one") + chunk(b"two") + b"0\r\n\r\n"
    with gateway.connect("plain") as wire:
        reply = wire.send(request("GET", "/api/x", version="1.0", token=good)).answer()
        assert reply.status == 200 and reply.body == b"onetwo"
        assert reply.all("Transfer-Encoding") == [], "HTTP/1.0 knows no chunks"
        assert wire.ended()


def test_http_1_0_with_a_length_can_be_kept_alive(gateway, upstream, good):
    with gateway.connect("plain") as wire:
        reply = wire.send(request("GET", "/api/x", "Connection: keep-alive", version="1.0", token=good)).answer()
        assert reply.status == 200 and reply.body == b'{"ok":true}'
        if (reply.header("Connection") or "").lower() == "keep-alive":
            assert wire.send(request("GET", "/api/x", version="1.0", token=good)).answer().status == 200
        assert wire.ended()


def test_http_1_0_without_host(gateway, upstream, good):
    assert gateway.ask("/healthz", version="1.0", host=None).status == 200
    assert gateway.ask("/api/x", version="1.0", host=None, token=good).status == 400
    assert not upstream.requests


def test_connection_close_is_kept(gateway, good):
    with gateway.connect("plain") as wire:
        reply = wire.send(request("GET", "/api/x", "Connection: close", token=good)).answer()
        assert reply.status == 200 and reply.header("Connection") == "close"
        assert wire.ended()


def test_keep_alive_and_one_upstream_connection(gateway, upstream, good):
    with gateway.connect() as wire:
        for number in range(20):
            assert wire.send(request("GET", f"/api/{number}", token=good)).answer().status == 200
    assert len({seen.connection for seen in upstream.requests}) <= 2


def test_pipelined_answers_come_in_order_although_the_first_is_slow(gateway, upstream, good):
    def script(connection, seen):
        time.sleep(0.3 if seen.target == "/api/1" else 0)
        connection.send(answer(seen.target.encode()))

    upstream.script = script
    with gateway.connect() as wire:
        wire.send(b"".join(request("GET", f"/api/{number}", token=good) for number in range(1, 6)))
        assert [wire.answer().body for _ in range(5)] == [b"/api/%d" % number for number in range(1, 6)]
