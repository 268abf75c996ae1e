"""Messages pass in both directions as HTTP/1.1 says, streamed, with backpressure."""

import hashlib
import os
import threading
import time

import pytest
from support import PATIENCE, eventually
from support.upstream import STREAM_HEAD, answer, chunk
from support.wire import Truncated, elapsed, request

# Requests


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


# Answers


def test_a_head_and_its_fields_come_back_as_they_were(gateway, upstream, good):
    fields = ["Set-Cookie: a=b", "Set-Cookie: c=d; HttpOnly", "X-Custom:  x \xe4 y ", "Content-Type: text/x", "Date: Mon, 01 Jan 2024 00:00:00 GMT", "Server: agent"]
    upstream.script = answer(b"body", "299 Very Own Reason", *fields)
    reply = gateway.ask("/api/x", token=good)
    assert (reply.status, reply.body) == (299, b"body")
    assert reply.all("Set-Cookie") == ["a=b", "c=d; HttpOnly"]
    assert reply.header("X-Custom") == "x \xe4 y" and reply.header("Content-Type") == "text/x" and reply.header("Server") == "agent"
    assert reply.header("Date") == "Mon, 01 Jan 2024 00:00:00 GMT"
    assert reply.all("Via") == []


def test_hop_by_hop_fields_of_answers_stay_here(gateway, upstream, good):
    upstream.script = answer(b"x", "200 OK", "Connection: X-Hop, keep-alive", "X-Hop: 1", "Keep-Alive: timeout=5", "Proxy-Connection: x", "Upgrade: h2c")
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
            assert data == b"data: %d\n\n" % number and seconds < 0.5 * PATIENCE
            seen.release()
        assert wire.chunk() == b""
    assert not upstream.problems


def test_the_head_of_a_stream_comes_before_its_first_event(gateway, upstream, good):
    go = threading.Event()

    def script(connection, _):
        connection.send(STREAM_HEAD)
        go.wait(5)
        connection.send(b"0\r\n\r\n")

    upstream.script = script
    with gateway.connect() as wire:
        seconds, head = elapsed(wire.send(request("GET", "/api/x", token=good)).final_head)
        assert head.status == 200 and seconds < 0.5 * PATIENCE
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
        start = time.monotonic()
        ended.append(connection.wait_ended(5) and time.monotonic() - start)
        return False

    upstream.script = script
    wire = gateway.connect("plain")
    wire.send(request("POST", "/api/x", token=good, body=b"{}"))
    assert started.wait(5)
    if when == "in the stream":
        assert wire.final_head().status == 200
    getattr(wire, how)()
    eventually(lambda: ended, within=6)
    assert ended[0] is not False and ended[0] < 1.5 * PATIENCE


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
        threading.Thread(target=wire.send, args=[request("POST", "/api/x", token=good, body=body)], daemon=True).start()
        reply = wire.answer()
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
        assert wire.answer().body == b"0"
        thread.join()


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
