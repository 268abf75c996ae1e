"""Health and metrics."""

import json
import re
import threading

import pytest

from support import eventually
from support.gateway import ROUTES
from support.upstream import STREAM_HEAD, answer, chunk
from support.wire import request

# Health


@pytest.mark.parametrize("target", ["/healthz", "/healthz/"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("listener", ["tls", "plain", "redirect", "admin"])
def test_healthz(gateway, upstream, listener, method, target):
    for token in (None, "garbage"):
        answer = gateway.ask(target, method=method, listener=listener, token=token)
        assert answer.status == 200
        if method == "GET":
            assert answer.json == {"status": "ok"}
            assert answer.header("Content-Type") == "application/json"
    assert not upstream.requests


def test_readyz_is_on_admin_only(gateway, good):
    status, body = gateway.admin("/readyz")
    assert status == 200, body
    assert json.loads(body)["status"] and isinstance(json.loads(body)["checks"], dict)
    for target in ("/readyz", "/metrics", "/routes"):
        for listener in ("tls", "plain"):
            assert gateway.ask(target, listener=listener, token=good).status == 404


def test_readyz_when_the_upstream_is_dead(start, good):
    from support import free_port

    gateway = start(
        server=f"server 127.0.0.1:{free_port()};", directives="connect_timeout 500ms; fail_limit 2; eject_time 5s;", routes=ROUTES
    )
    for _ in range(6):
        gateway.ask("/api/x", token=good)
    eventually(lambda: gateway.admin("/readyz")[0] == 503)
    assert gateway.admin("/healthz")[0] == 200


def test_readyz_when_the_only_upstream_is_back(start, upstream, good):
    """A single server is asked although it is ejected: what it answers ends that, long before its time."""
    gateway = start(directives="fail_limit 2; eject_time 1h;", routes=ROUTES)
    upstream.script = lambda connection, request: False
    eventually(lambda: gateway.ask("/api/x", token=good).status == 502 and gateway.admin("/readyz")[0] == 503)
    upstream.script = answer(b"back")
    with gateway.connect() as wire:
        eventually(lambda: wire.send(request("GET", "/api/x", token=good)).answer().status == 200)
    # Each worker finds out for itself.
    eventually(lambda: gateway.ask("/api/x", token=good).status == 200 and gateway.admin("/readyz")[0] == 200)
    assert gateway.metric("gatehouse_upstream_up", upstream="agents") == 1


def test_admin_shows_the_routes(gateway):
    status, body = gateway.admin("/routes")
    assert status == 200 and "/api/agents/{agent_id}/query/" in body


def test_admin_has_nothing_else(gateway):
    assert gateway.admin("/")[0] == 404
    assert gateway.admin("/api/x")[0] == 404


# Metrics

METRICS = {
    "gatehouse_requests_total": "counter", "gatehouse_refusals_total": "counter", "gatehouse_request_seconds": "histogram",
    "gatehouse_upstream_up": "gauge", "gatehouse_connections": "gauge", "gatehouse_tls_handshakes_total": "counter",
    "gatehouse_streams": "gauge", "gatehouse_token_cache_total": "counter", "gatehouse_log_dropped_total": "counter",
    "gatehouse_config_reloads_total": "counter", "gatehouse_store_up": "gauge", "process_resident_memory_bytes": "gauge",
    "process_cpu_seconds_total": "counter", "process_open_fds": "gauge", "process_start_time_seconds": "gauge",
}  # fmt: skip


@pytest.mark.parametrize("name, kind", METRICS.items())
def test_metrics_have_help_and_type(gateway, name, kind):
    text = gateway.admin("/metrics")[1]
    assert re.search(rf"^# HELP {name} \S", text, re.MULTILINE)
    assert re.search(rf"^# TYPE {name} {kind}$", text, re.MULTILINE)


def test_metrics_are_well_formed(gateway, good):
    gateway.ask("/api/x", token=good)
    sample = re.compile(r'[a-z_:]+(\{[a-z_]+="([^"\\\n]|\\.)*"(,[a-z_]+="([^"\\\n]|\\.)*")*\})? [-+0-9.eEInfNa]+')
    lines = gateway.admin("/metrics")[1].splitlines()
    for line in lines:
        assert line.startswith("# ") or sample.fullmatch(line), line
    series = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(series) == len(set(series)), "a series twice"


def test_requests_refusals_and_times_are_counted(gateway, upstream, good):
    count = lambda **labels: gateway.metric("gatehouse_requests_total", **labels)
    refusals = lambda: gateway.metric("gatehouse_refusals_total", error="credentials_missing")
    before = (
        count(),
        count(status="200"),
        count(status="401", method="GET"),
        refusals(),
        gateway.metric("gatehouse_request_seconds_count"),
    )
    for _ in range(3):
        gateway.ask("/api/x", token=good)
        gateway.ask("/api/x")
    eventually(lambda: count() == before[0] + 6)
    assert count(status="200") == before[1] + 3
    assert count(status="401", method="GET") == before[2] + 3
    assert refusals() == before[3] + 3
    assert gateway.metric("gatehouse_request_seconds_count") == before[4] + 6
    scraped = count()
    for _ in range(3):
        gateway.admin("/metrics")
    assert count() == scraped, "scrapes are not requests"


def test_labels_are_bounded_whatever_clients_send(gateway, upstream, good):
    for index in range(30):
        gateway.ask(f"/api/unbounded-{index}/", method=f"METHOD{index}", token=good)
        gateway.ask(f"/unbounded-{index}/", token=good)
    text = gateway.admin("/metrics")[1]
    assert "unbounded" not in text and "METHOD1" not in text


def test_the_token_cache_is_counted(gateway, jwt):
    token = jwt(jti="for the cache")
    results = lambda: {
        labels["result"]: value for name, labels, value in gateway.samples() if name == "gatehouse_token_cache_total"
    }
    before = results()
    with gateway.connect("plain") as wire:
        for _ in range(5):
            assert wire.send(request("GET", "/api/x", token=token)).answer().status == 200
    after = results()
    grown = {name: after[name] - before.get(name, 0) for name in after}
    assert sum(grown.values()) >= 5 and max(grown.values()) >= 4


@pytest.fixture
def open_stream(gateway, upstream, good):
    """A stream under way on the plain listener; it ends with the test."""
    go = threading.Event()

    def script(connection, _):
        connection.send(STREAM_HEAD + chunk(b"data: 1\n\n"))
        go.wait(10)
        connection.send(b"0\r\n\r\n")

    upstream.script = script

    def open_():
        wire = gateway.connect("plain")
        wire.send(request("GET", "/api/x", token=good)).final_head()
        return wire

    yield open_
    go.set()


def test_connections_are_a_gauge(gateway, open_stream):
    connections = lambda: gateway.metric("gatehouse_connections", listener=f"127.0.0.1:{gateway.ports.plain}")
    eventually(lambda: connections() == 0)
    with open_stream():
        eventually(lambda: connections() == 1)
    eventually(lambda: connections() == 0)


def test_streams_are_a_gauge(gateway, open_stream):
    streams = lambda: gateway.metric("gatehouse_streams")
    eventually(lambda: streams() == 0)
    with open_stream():
        eventually(lambda: streams() == 1)
    eventually(lambda: streams() == 0)
