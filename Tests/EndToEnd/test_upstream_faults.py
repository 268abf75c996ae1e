"""What clients see when an upstream is ill, and what a retry may do."""

import socket
import ssl
import threading
import time

import pytest
from support import PATIENCE, eventually, free_port
from support.gateway import configuration, refusal
from support.upstream import RecordingUpstream, answer, chunk
from support.wire import Truncated, elapsed, request

ROUTE = "route /api/ { accept jwt; upstream agents; }"


@pytest.fixture(scope="module")
def gateway(start):
    return start(directives="connect_timeout 1s; response_timeout 1s; idle_timeout 2s; fail_limit 1000;")


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
def test_garbage_is_502_and_the_connection_not_used_again(gateway, upstream, good, data):
    upstream.script = data
    assert refusal(gateway.ask("/api/x", token=good), 502, "upstream_error") == {"upstream": "agents"}
    spoilt = upstream.last().connection
    upstream.reset_script()
    assert gateway.ask("/api/y", token=good).status == 200
    assert upstream.last().connection != spoilt


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
    def script(connection, _):
        connection.send(data)
        time.sleep(0.05)
        getattr(connection, how)()
        return False

    upstream.script = script
    with gateway.connect(listener) as wire:
        wire.send(request("GET", "/api/x", token=good))
        with pytest.raises((Truncated, OSError)):
            wire.answer()


BAD_CHUNKS = {
    "size no number": b"4\r\nhalf\r\nzz\r\nrest\r\n0\r\n\r\n",
    "no CRLF after the data": b"4\r\nhalfX\r\n0\r\n\r\n",
    "bare LF": b"4\r\nhalf\r\n4\nrest\r\n0\r\n\r\n",
    "overflow": b"4\r\nhalf\r\nfffffffffffffffff\r\n",
}


@pytest.mark.parametrize("data", BAD_CHUNKS.values(), ids=BAD_CHUNKS)
def test_bad_chunks_of_an_upstream_end_the_answer_visibly(gateway, upstream, good, data):
    upstream.script = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data
    with gateway.connect("plain") as wire:
        wire.send(request("GET", "/api/x", token=good))
        try:
            assert wire.answer().status == 502, "a good answer was made of bad chunks"
        except (Truncated, OSError):
            pass
    upstream.reset_script()
    assert gateway.ask("/api/y", token=good).status == 200


def test_a_body_longer_than_its_length_is_cut_and_the_connection_not_used_again(gateway, upstream, good):
    upstream.script = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodyHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    with gateway.connect("plain") as wire:
        assert wire.send(request("GET", "/api/x", token=good)).answer().body == b"body"
        spoilt = upstream.last().connection
        upstream.reset_script()
        assert wire.send(request("GET", "/api/y", token=good)).answer().body == b'{"ok":true}'
    assert upstream.last().connection != spoilt


def test_bytes_that_come_unasked_are_nobodys_answer(gateway, upstream, good):
    def script(connection, _):
        connection.send(answer(b"first"))
        time.sleep(0.1)
        connection.send(answer(b"unasked"))

    upstream.script = script
    with gateway.connect("plain") as wire:
        assert wire.send(request("GET", "/api/x", token=good)).answer().body == b"first"
        time.sleep(0.3)
        upstream.reset_script()
        assert wire.send(request("GET", "/api/y", token=good)).answer().body == b'{"ok":true}'


def test_a_stream_that_falls_silent_is_ended_by_idle_timeout(gateway, upstream, good):
    def script(connection, _):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"one"))
        connection.wait_ended(8)
        return False

    upstream.script = script
    with gateway.connect("plain") as wire:
        assert wire.send(request("GET", "/api/x", token=good)).final_head().status == 200
        assert wire.chunk() == b"one"
        start = time.monotonic()
        with pytest.raises((Truncated, OSError)):
            wire.chunk()
        assert 1.5 < time.monotonic() - start < 5 * PATIENCE


def test_a_stream_that_goes_on_outlives_every_timeout(gateway, upstream, good):
    def script(connection, _):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(7):
            connection.send(chunk(b"x"))
            time.sleep(0.5)
        connection.send(b"0\r\n\r\n")

    upstream.script = script
    assert gateway.ask("/api/x", token=good).body == b"x" * 7


# Retries


def warm(gateway, upstream, good):
    """An upstream connection in the pool, and what the upstream does with the next request on it."""
    upstream.reset_script()
    assert gateway.ask("/api/warm", token=good).status == 200
    return upstream.last().connection


@pytest.fixture(scope="module")
def single(start):
    """One worker, so that a kept upstream connection is there for the next request whoever sends it."""
    text = configuration(directives="response_timeout 2s; fail_limit 1000;", routes=ROUTE).replace("workers 2;", "workers 1;")
    return start(text)


def closing_once(first):
    """Closes connection `first` when a request comes on it, without a word; answers on others."""

    def script(connection, _):
        if connection.number == first:
            connection.close()
            return False
        connection.send(answer(b"second try"))

    return script


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_an_idempotent_request_is_retried_once_on_a_new_connection(single, upstream, good, method):
    kept = warm(single, upstream, good)
    upstream.reset_script()
    upstream.script = closing_once(kept)
    assert single.ask("/api/x", method=method, token=good).status == 200
    assert [seen.target for seen in upstream.requests] == ["/api/x"] * len(upstream.requests)
    assert 1 <= len(upstream.requests) <= 2


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_request_that_may_have_been_carried_out_is_sent_once(single, upstream, good, method):
    kept = warm(single, upstream, good)
    upstream.reset_script()
    upstream.script = closing_once(kept)
    reply = single.ask("/api/x", method=method, token=good, body=b"do it")
    if len(upstream.requests) == 1 and upstream.requests[0].connection == kept:
        refusal(reply, 502, "upstream_error")
    else:  # it went on a connection of its own, which is as good
        assert reply.status == 200 and len(upstream.requests) == 1


def test_no_answer_on_any_connection_is_502_after_one_retry_at_most(single, upstream, good):
    upstream.script = ending(b"")
    refusal(single.ask("/api/x", token=good), 502, "upstream_error")
    assert len(upstream.requests) <= 2
    upstream.reset_script()
    upstream.script = ending(b"")
    refusal(single.ask("/api/x", token=good, method="POST", body=b"x"), 502, "upstream_error")
    assert len(upstream.requests) == 1


def test_nothing_is_retried_once_an_answer_has_begun(single, upstream, good):
    upstream.script = ending(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    with single.connect("plain") as wire:
        wire.send(request("GET", "/api/x", token=good))
        with pytest.raises((Truncated, OSError)):
            wire.answer()
    assert len(upstream.requests) == 1


def test_a_kept_connection_that_the_upstream_closed_meanwhile_is_not_used(single, upstream, good):
    def script(connection, _):
        connection.send(answer())
        connection.close()
        return False

    for method in ("GET", "POST"):
        upstream.script = script
        assert single.ask("/api/x", token=good).status == 200
        time.sleep(0.1)
        upstream.reset_script()
        assert single.ask("/api/y", method=method, token=good, body=b"x").status == 200
        assert len(upstream.requests) == 1


# Several servers


def test_one_dead_server_of_two_is_not_noticed(start, upstream, good):
    gateway = start(server=f"server 127.0.0.1:UPSTREAM; server 127.0.0.1:{free_port()};", directives="connect_timeout 500ms;", routes=ROUTE)
    statuses = [gateway.ask("/api/x", method=method, token=good, body=b"x").status for _ in range(15) for method in ("GET", "POST")]
    assert statuses == [200] * 30


def test_requests_are_spread_over_the_servers(start, upstream, good):
    second = RecordingUpstream()
    gateway = start(server=f"server 127.0.0.1:UPSTREAM; server 127.0.0.1:{second.port};", directives="balance round_robin;", routes=ROUTE)
    for _ in range(20):
        assert gateway.ask("/api/x", token=good).status == 200
    assert len(upstream.requests) >= 5 and len(second.requests) >= 5
    second.close()


def test_a_server_that_comes_back_is_used_again(start, good):
    port = free_port()
    gateway = start(server=f"server 127.0.0.1:{port};", directives="connect_timeout 500ms; fail_limit 2; eject_time 500ms;", routes=ROUTE)
    for _ in range(4):
        assert gateway.ask("/api/x", token=good).status in (502, 503)
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", port))
        server.listen(8)

        def serve():
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                peer.recv(65536)
                peer.sendall(answer())
                peer.close()

        threading.Thread(target=serve, daemon=True).start()
        eventually(lambda: gateway.ask("/api/x", token=good).status == 200, within=5, every=0.1)
        server.shutdown(socket.SHUT_RDWR)


def test_active_health_checks_take_a_server_out_and_in(start, upstream, good):
    healthy = threading.Event()
    healthy.set()

    def script(connection, seen):
        if seen.target == "/check":
            return connection.send(answer(b"", "200 OK" if healthy.is_set() else "500 Ill"))
        return connection.send(answer())

    upstream.script = script
    gateway = start(directives="health_check GET /check every 200ms;", routes=ROUTE)
    eventually(lambda: any(seen.target == "/check" for seen in upstream.requests))
    eventually(lambda: gateway.metric("gatehouse_upstream_up", upstream="agents") == 1)
    assert gateway.admin("/readyz")[0] == 200
    healthy.clear()
    eventually(lambda: gateway.metric("gatehouse_upstream_up", upstream="agents") == 0, within=5)
    assert gateway.admin("/readyz")[0] == 503
    refusal(gateway.ask("/api/x", token=good), 503, "upstream_unavailable")
    assert gateway.ask("/healthz").status == 200
    healthy.set()
    eventually(lambda: gateway.ask("/api/x", token=good).status == 200, within=5)


# Other ways to reach an upstream


def test_a_host_name(start, upstream, good):
    gateway = start(server="server localhost:UPSTREAM;", routes=ROUTE)
    eventually(lambda: gateway.ask("/api/x", token=good).status == 200)
    assert upstream.last().header("Host") == "localhost"


def test_a_host_name_that_does_not_resolve(start, good):
    gateway = start(server="server no-such-host.invalid:80;", directives="connect_timeout 1s;", routes=ROUTE)
    seconds, reply = elapsed(lambda: gateway.ask("/api/x", token=good))
    refusal(reply, 503, "upstream_unavailable")
    assert seconds < 8 * PATIENCE


def test_a_unix_socket(start, tmp_path, good):
    upstream = RecordingUpstream(path=str(tmp_path / "agent.sock"))
    gateway = start(server=f"server unix:{tmp_path}/agent.sock;", routes=ROUTE)
    assert gateway.ask("/api/x", token=good).status == 200
    assert upstream.last().header("X-Forwarded-For") == "127.0.0.1"
    upstream.close()


def tls_upstream(lab, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(lab.path(f"{name}.pem"), lab.path(f"{name}.key"))
    return RecordingUpstream(context=context)


TLS = {
    "a private CA and the right name": ("tls on; ca LAB/private.pem; tls_name upstream.internal;", 200),
    "the wrong name": ("tls on; ca LAB/private.pem; tls_name other.internal;", 502),
    "the address for a name": ("tls on; ca LAB/private.pem;", 502),
    "the wrong CA": ("tls on; ca LAB/ca.pem; tls_name upstream.internal;", 502),
    "the system's CAs": ("tls on; tls_name upstream.internal;", 502),
}


@pytest.mark.parametrize("directives, status", TLS.values(), ids=TLS)
def test_upstream_tls_is_verified(lab, start, good, directives, status):
    upstream = tls_upstream(lab, "upstream")
    gateway = start(server=f"server 127.0.0.1:{upstream.port};", directives=directives, routes=ROUTE)
    reply = gateway.ask("/api/x", token=good)
    if status == 200:
        assert reply.status == 200
        assert gateway.ask("/api/y", method="POST", body=b"x" * 300_000, token=good).status == 200
        assert upstream.last().body == b"x" * 300_000
    else:
        assert reply.status in (502, 503), reply
        assert not upstream.requests, "nothing may be said to a server that is not who it should be"
    upstream.close()


def test_plain_http_at_a_tls_upstream(start, upstream, good):
    gateway = start(directives="tls on; ca LAB/private.pem; response_timeout 2s;", routes=ROUTE)
    assert gateway.ask("/api/x", token=good).status in (502, 503, 504)
    assert not upstream.requests
