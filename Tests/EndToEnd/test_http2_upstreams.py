"""Upstreams that speak HTTP/2, over cleartext by `h2c` and over TLS by ALPN."""

import concurrent.futures
import contextlib
import ssl
import time

import h2.errors
import pytest

from support import PATIENCE, eventually
from support.chat import Echo, chat
from support.gateway import ROUTES, configuration, refusal
from support.h2c import H2Upstream
from support.wire import request


@pytest.fixture(scope="module")
def server():
    server = H2Upstream()
    yield server
    server.close()


@pytest.fixture(scope="module")
def gateway(start, server):
    return start(configuration(server="server 127.0.0.1:UPSTREAM h2c;", directives="response_timeout 2s;"), upstream=server.port)


@pytest.fixture(autouse=True)
def afresh(server):
    server.requests.clear()
    server.script = H2Upstream.answer


def test_a_request_becomes_a_stream(gateway, server, good):
    answer = gateway.ask("/api/x?a=%20b", "X-One: 1", "Connection: close, x-hop", "X-Hop: 1", token=good)
    assert answer.status == 200 and answer.body == b"ok" and answer.header("Content-Length") == "2"
    seen = server.requests[-1]
    assert (seen.method, seen.path) == ("GET", "/api/x?a=%20b") and seen.header(":authority") == "localhost"
    assert seen.header("x-user-id") and seen.header("x-one") == "1" and seen.header(":scheme") == "http"
    assert not {"host", "connection", "x-hop", "transfer-encoding", "content-length"} & {name for name, _ in seen.fields}


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_bodies_go_both_ways(gateway, server, good, framing):
    body = bytes(range(256)) * 4000
    server.script = lambda up, conn, seen: up.answer(conn, seen, b"%d" % len(seen.body))
    if framing == "length":
        data = request("POST", "/api/x", token=good, body=body)
    else:
        data = request("POST", "/api/x", "Transfer-Encoding: chunked", token=good)
        data += b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    answer = gateway.send(data, method="POST")
    assert answer.status == 200 and answer.body == b"%d" % len(body)
    assert server.requests[-1].body == body
    assert server.requests[-1].header("content-length") == (str(len(body)) if framing == "length" else None)


def test_one_connection_carries_many(gateway, server, good):
    def script(up, conn, seen):
        time.sleep(0.01)
        up.answer(conn, seen, seen.path.encode())

    server.script = script
    ask = lambda n: gateway.ask(f"/api/{n}", token=good).body
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert list(pool.map(ask, range(60))) == [f"/api/{n}".encode() for n in range(60)]
    assert len({seen.connection for seen in server.requests}) <= 2, "one for each shard"


def test_head_and_empty_answers(gateway, server, good):
    def script(up, conn, seen):
        more = [("content-length", "5")] if seen.method == "HEAD" else []
        conn.send_headers(seen.stream, [(":status", "200" if more else "204"), *more], end_stream=True)

    server.script = script
    with gateway.connect("plain") as wire:
        head = wire.send(request("HEAD", "/api/x", token=good)).answer("HEAD")
        assert head.status == 200 and head.header("Content-Length") == "5"
        assert wire.send(request("GET", "/api/x", token=good)).answer().status == 204


def test_a_refused_stream_is_sent_again(gateway, server, good):
    """RFC 9113 8.7: nothing was done with it, so that a POST may be repeated too."""

    def script(up, conn, seen):
        if len(server.requests) == 1:
            conn.reset_stream(seen.stream, h2.errors.ErrorCodes.REFUSED_STREAM)
        else:
            up.answer(conn, seen)

    server.script = script
    assert gateway.ask("/api/x", token=good, method="POST").status == 200
    assert len(server.requests) == 2


def test_a_server_that_refuses_for_ever(gateway, server, good):
    server.script = lambda _, conn, seen: conn.reset_stream(seen.stream, h2.errors.ErrorCodes.REFUSED_STREAM)
    refusal(gateway.ask("/api/x", token=good), 503, "upstream_unavailable")
    assert 2 <= len(server.requests) <= 5


def test_goaway_moves_on_to_another_connection(gateway, server, good):
    """What the server has not looked at is sent again, what it has is answered."""

    def script(up, conn, seen):
        up.answer(conn, seen)
        conn.close_connection(last_stream_id=seen.stream)

    server.script = script
    before = server.connections
    for _ in range(6):
        assert gateway.ask("/api/x", token=good, method="POST").status == 200
    assert server.connections > before


@pytest.mark.parametrize("body", [b"", b"abc"], ids=["without-body", "with-body"])
def test_a_post_that_may_have_been_carried_out_is_not_repeated(gateway, server, good, body):
    """Report 38, over connections that served before: there a break says nothing about the request."""
    for _ in range(12):
        assert gateway.ask("/api/x", token=good).status == 200
    server.script = lambda _, conn, seen: conn.reset_stream(seen.stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
    for _ in range(6):
        server.requests.clear()
        refusal(gateway.send(request("POST", "/api/x", token=good, body=body), method="POST"), 502, "upstream_error")
        assert len(server.requests) == 1
    server.requests.clear()
    refusal(gateway.ask("/api/x", token=good), 502, "upstream_error")
    assert len(server.requests) <= 2


def test_a_server_that_says_nothing(gateway, server, good):
    server.script = lambda *_: None
    start = time.monotonic()
    refusal(gateway.ask("/api/x", token=good), 504, "upstream_timeout")
    assert 1.5 < time.monotonic() - start < 6 * PATIENCE
    eventually(lambda: server.requests[-1].reset is not None)


def test_an_upload_that_is_not_taken_ends_in_time(start, good):
    """The server's window stays closed: the gateway takes no more, and does not wait without end."""
    server = H2Upstream(grants=False)
    gateway = start(
        configuration(server="server 127.0.0.1:UPSTREAM h2c;", directives="response_timeout 1s;"), upstream=server.port
    )
    with gateway.connect("plain") as wire:
        wire.socket.settimeout(8 * PATIENCE)
        with contextlib.suppress(OSError):
            wire.send(request("POST", "/api/x", "Content-Length: 5000000", token=good) + b"x" * 5_000_000)
        refusal(wire.answer(), 504, "upstream_timeout")
    server.close()


def test_a_client_that_leaves_resets_its_stream(gateway, server, good):
    server.script = lambda *_: None
    with gateway.connect("plain") as wire:
        wire.send(request("GET", "/api/x", token=good))
        eventually(lambda: server.requests)
    eventually(lambda: server.requests[-1].reset is not None, within=3)
    server.script = H2Upstream.answer
    assert gateway.ask("/api/x", token=good).status == 200


def test_a_body_that_breaks_off_is_seen_to(gateway, server, good):
    def script(_, conn, seen):
        conn.send_headers(seen.stream, [(":status", "200")])
        conn.send_data(seen.stream, b"some")
        conn.reset_stream(seen.stream, h2.errors.ErrorCodes.INTERNAL_ERROR)

    server.script = script
    with gateway.connect("plain") as wire:
        rest = wire.send(request("GET", "/api/x", token=good)).rest()
    assert b"200" in rest and not rest.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("status", ["101", "000", "abc"])
def test_answers_that_are_none(gateway, server, good, status):
    server.script = lambda _, conn, seen: conn.send_headers(seen.stream, [(":status", status)], end_stream=True)
    refusal(gateway.ask("/api/x", token=good), 502, "upstream_error")


def test_websocket_goes_over_http_1(start, good):
    """A cleartext server that speaks both, as most do; few know RFC 8441."""
    echo = Echo()
    gateway = start(configuration(server="server 127.0.0.1:UPSTREAM h2c;"), upstream=echo.port)
    with chat(gateway, token=good) as socket:
        socket.send("x")
        assert socket.recv(5) == "x"
    echo.close()


def test_health_checks_speak_http_2(start, server, good):
    other = H2Upstream()
    servers = f"server 127.0.0.1:UPSTREAM h2c; server 127.0.0.1:{other.port} h2c;"
    gateway = start(configuration(server=servers, directives="health_check GET /healthz every 300ms;"), upstream=server.port)
    up = lambda one: gateway.metric("gatehouse_upstream_up", server=f"127.0.0.1:{one.port}")
    eventually(lambda: len([seen for seen in other.requests if seen.path == "/healthz"]) >= 3)  # two bad ones make it ill
    # Two that come late do so as well, until the next good one.
    eventually(lambda: up(server) == 1 and up(other) == 1)
    other.script = lambda upstream, conn, seen: upstream.answer(conn, seen, status="500")
    eventually(lambda: up(other) == 0)
    eventually(lambda: up(server) == 1)
    assert up(other) == 0


def over_tls(lab, protocols):
    lab.authority.issue(lab.folder, "backend", "localhost", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(lab.path("backend.pem"), lab.path("backend.key"))
    context.set_alpn_protocols(protocols)
    return context


def test_alpn_chooses(start, lab, good):
    server = H2Upstream(over_tls(lab, ["h2", "http/1.1"]))
    tls = f"tls on; tls_name localhost; ca {lab.path('ca.pem')};"
    gateway = start(configuration(server="server 127.0.0.1:UPSTREAM;", directives=tls), upstream=server.port)
    for size in (0, 10, 300_000):
        assert gateway.send(request("POST", "/api/x", token=good, body=b"x" * size), method="POST").status == 200
        assert server.requests[-1].body == b"x" * size and server.requests[-1].header(":scheme") == "https"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert {one.status for one in pool.map(lambda _: gateway.ask("/api/x", token=good), range(40))} == {200}
    assert ROUTES
    server.close()
