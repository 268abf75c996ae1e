"""Several servers, health checks, and the ways to reach a server."""

import concurrent.futures
import socket
import ssl
import threading
import time

import pytest

from support import PATIENCE, eventually, free_port
from support.gateway import configuration, refusal
from support.upstream import RecordingUpstream, answer
from support.wire import elapsed

ROUTE = "route /api/ { accept jwt; upstream agents; }"


# Several servers


def test_one_dead_server_of_two_is_not_noticed(start, upstream, good):
    gateway = start(
        server=f"server 127.0.0.1:UPSTREAM; server 127.0.0.1:{free_port()};", directives="connect_timeout 500ms;", routes=ROUTE
    )
    statuses = [
        gateway.ask("/api/x", method=method, token=good, body=b"x").status for _ in range(15) for method in ("GET", "POST")
    ]
    assert statuses == [200] * 30


def test_requests_are_spread_over_the_servers(start, upstream, good):
    second = RecordingUpstream()
    gateway = start(
        server=f"server 127.0.0.1:UPSTREAM; server 127.0.0.1:{second.port};", directives="balance round_robin;", routes=ROUTE
    )
    for _ in range(20):
        assert gateway.ask("/api/x", token=good).status == 200
    assert len(upstream.requests) >= 5 and len(second.requests) >= 5
    second.close()


def test_a_server_that_comes_back_is_used_again(start, good):
    port = free_port()
    gateway = start(
        server=f"server 127.0.0.1:{port};", directives="connect_timeout 500ms; fail_limit 2; eject_time 500ms;", routes=ROUTE
    )
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
    gateway.stop()  # its checks would go on through the tests that follow


def test_a_check_by_the_name_that_the_backend_goes_by(start, upstream):
    """Django answers 400 to a name that ALLOWED_HOSTS has not: by its address it would seem ill."""

    def script(connection, seen):
        connection.send(answer(b"", "200 OK" if seen.header("Host") == "api.example.com" else "400 Bad Request"))

    upstream.script = script
    by_address = start(directives="health_check GET /check every 100ms;", routes=ROUTE)
    eventually(lambda: by_address.metric("gatehouse_upstream_up", upstream="agents") == 0)
    assert upstream.last().header("Host") == f"127.0.0.1:{upstream.port}"
    by_address.stop()
    by_name = start(directives="health_check GET /check every 100ms host api.example.com;", routes=ROUTE)
    eventually(lambda: upstream.last().header("Host") == "api.example.com")
    seen = len(upstream.requests)
    eventually(lambda: len(upstream.requests) > seen + 3)
    assert by_name.metric("gatehouse_upstream_up", upstream="agents") == 1
    by_name.stop()


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


def test_a_burst_leaves_its_connections_to_the_next_and_keepalive_to_the_rest(start, good):
    """Streams that end and begin together would else close and open a connection each."""
    upstream, together = RecordingUpstream(), threading.Barrier(8)
    upstream.script = lambda connection, _: together.wait(10) >= 0 and connection.send(answer(b"{}"))
    gateway = start(configuration(directives="keepalive 2;").replace("workers 2;", "workers 1;"), upstream=upstream)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(4):
            statuses = list(pool.map(lambda _: gateway.ask("/api/x", token=good, listener="plain").status, range(8)))
            assert statuses == [200] * 8
    assert len(upstream.connections) == 8
    ended = lambda: sum(connection.wait_ended(0.05) for connection in upstream.connections)
    eventually(lambda: ended() == 6, within=4)
    time.sleep(1.5)
    assert ended() == 6, "two are kept, as keepalive says"
    upstream.close()
