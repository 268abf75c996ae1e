"""Running it: health, metrics, the access log, reload, drain, signals."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest
from support import PATIENCE, eventually
from support.gateway import BINARY, ROUTES, configuration, refusal
from support.lab import Authority, write_private
from support.tokens import USER
from support.upstream import STREAM_HEAD, answer, chunk
from support.wire import Truncated, Wire, elapsed, request

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

    gateway = start(server=f"server 127.0.0.1:{free_port()};", directives="connect_timeout 500ms; fail_limit 2; eject_time 5s;", routes=ROUTES)
    for _ in range(6):
        gateway.ask("/api/x", token=good)
    eventually(lambda: gateway.admin("/readyz")[0] == 503)
    assert gateway.admin("/healthz")[0] == 200


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
    "gatehouse_config_reloads_total": "counter", "process_resident_memory_bytes": "gauge", "process_cpu_seconds_total": "counter",
    "process_open_fds": "gauge", "process_start_time_seconds": "gauge",
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
    before = count(), count(status="200"), count(status="401", method="GET"), refusals(), gateway.metric("gatehouse_request_seconds_count")
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
    results = lambda: {labels["result"]: value for name, labels, value in gateway.samples() if name == "gatehouse_token_cache_total"}
    before = results()
    with gateway.connect("plain") as wire:
        for _ in range(5):
            assert wire.send(request("GET", "/api/x", token=token)).answer().status == 200
    after = results()
    grown = {name: after[name] - before.get(name, 0) for name in after}
    assert sum(grown.values()) >= 5 and max(grown.values()) >= 4


def test_connections_and_streams_are_gauges(gateway, upstream, good):
    go = threading.Event()

    def script(connection, _):
        connection.send(STREAM_HEAD + chunk(b"data: 1\n\n"))
        go.wait(10)
        connection.send(b"0\r\n\r\n")

    upstream.script = script
    streams, connections = gateway.metric("gatehouse_streams"), gateway.metric("gatehouse_connections")
    with gateway.connect("plain") as wire:
        wire.send(request("GET", "/api/x", token=good)).final_head()
        eventually(lambda: gateway.metric("gatehouse_connections") == connections + 1)
        eventually(lambda: gateway.metric("gatehouse_streams") == streams + 1)
        go.set()
        while wire.chunk():
            pass
    eventually(lambda: gateway.metric("gatehouse_connections") == connections)
    eventually(lambda: gateway.metric("gatehouse_streams") == streams)


# Access log

FIELDS = {"time", "request_id", "address", "method", "path", "protocol", "status", "error", "route", "user_id", "api_key_id", "agent_id", "upstream",
          "duration_ms", "upstream_ms", "bytes_in", "bytes_out", "trace_id"}  # fmt: skip


def test_a_line_of_a_forwarded_request(gateway, upstream, good):
    gateway.ask("/api/logged?a=b", "X-Request-Id: logged-1", method="POST", listener="tls", token=good, body=b"12345")
    line = gateway.logged(request_id="logged-1")
    assert set(line) <= FIELDS
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", line["time"])
    assert line["address"] == "127.0.0.1" and line["method"] == "POST" and line["path"].startswith("/api/logged")
    assert line["protocol"] == "HTTP/1.1" and line["status"] == 200 and "error" not in line
    assert line["user_id"] == USER and "api_key_id" not in line and "agent_id" not in line
    assert "/api/" in line["route"] and "agents" in line["upstream"]
    assert line["duration_ms"] >= line["upstream_ms"] >= 0
    assert line["bytes_in"] >= 5 and line["bytes_out"] >= 11


def test_a_line_of_a_refusal(gateway, upstream):
    answer = gateway.ask("/api/refused")
    line = gateway.logged(request_id=answer.header("X-Request-Id"))
    assert line["status"] == 401 and line["error"] == "credentials_missing" and line["path"] == "/api/refused"
    assert not {"user_id", "upstream", "upstream_ms"} & set(line)


def test_a_line_of_an_api_key(gateway, upstream):
    key = gateway.key()
    gateway.ask("/api/agents/bot-1/", "X-Request-Id: key-1", token=key)
    line = gateway.logged(request_id="key-1")
    assert line["user_id"] == "owner-1" and line["agent_id"] == "bot-1" and line["api_key_id"] == gateway.keys["bot-1"]["id"]


def test_malformed_requests_are_logged(gateway):
    answer = gateway.send(b"GET /api/malformed HTTP/1.1\r\nbad header\r\n\r\n")
    line = gateway.logged(request_id=answer.header("X-Request-Id"))
    assert line["status"] == 400 and line["error"] == "bad_request"


def test_no_part_of_a_credential_is_logged(gateway, upstream, jwt, good):
    unknown = "rk_" + "Qq1" * 14 + "Z"
    expired = jwt(exp=1)
    for token in (good, unknown, expired, "garbage-credential"):
        gateway.ask("/api/x", token=token)
    for name in ("access_token", "key", "token", "api_key"):
        gateway.ask(f"/api/x?a=1&{name}=query-secret-{name}&b=2")
    gateway.ask("/api/x", "Cookie: session=cookie-secret", f"X-Request-Id: {good[:60]}")
    gateway.send(b"GET /api/x HTTP/1.1\r\nHost: localhost\r\nAuthorization Bearer malformed-secret\r\n\r\n")
    gateway.ask("/api/last", "X-Request-Id: last-one")
    gateway.logged(request_id="last-one")
    text = (gateway.folder / "access.log").read_text() + gateway.said()
    for secret in (good.split(".")[2], expired.split(".")[2], unknown, unknown[8:], "garbage-credential", "cookie-secret", "malformed-secret",
                   "query-secret-access_token", "query-secret-key", "query-secret-token"):  # fmt: skip
        assert secret not in text, secret


def test_lines_are_json_whatever_clients_send(gateway, good):
    for target in ('/api/"quoted"', "/api/\\u0041"[:5] + "x", "/api/%22%5B%5D", "/api/x?\"<>'"):
        gateway.ask(target, "User-Agent: \"\\\x01"[:13], token=good)
    gateway.ask("/api/end", "X-Request-Id: json-end", token=good)
    gateway.logged(request_id="json-end")  # reading it parses every line


def test_the_traceparent_is_logged(gateway, good):
    gateway.ask("/api/x", "X-Request-Id: traced", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", token=good)
    assert gateway.logged(request_id="traced").get("trace_id") == "0af7651916cd43dd8448eb211c80319c"


def test_sigusr1_opens_the_log_anew(start, upstream, good):
    gateway = start()
    gateway.ask("/api/x", "X-Request-Id: before", token=good)
    gateway.logged(request_id="before")
    os.rename(gateway.folder / "access.log", gateway.folder / "access.log.1")
    gateway.signal(signal.SIGUSR1)
    eventually(lambda: (gateway.folder / "access.log").exists())
    gateway.ask("/api/x", "X-Request-Id: after", token=good)
    assert gateway.logged(request_id="after")
    assert "after" not in (gateway.folder / "access.log.1").read_text()


def test_a_log_that_cannot_be_written_stops_nobody(start, upstream, good):
    gateway = start(configuration().replace("access_log access.log json;", "access_log /dev/full json;"))
    for _ in range(20):
        assert gateway.ask("/api/x", token=good).status == 200
    eventually(lambda: gateway.metric("gatehouse_log_dropped_total") > 0)


# Reload


def reloads(gateway):
    return gateway.metric("gatehouse_config_reloads_total")


def reload(gateway):
    before = reloads(gateway)
    gateway.reload()
    eventually(lambda: reloads(gateway) > before)


@pytest.fixture
def changing(start):
    """A gateway of one test's own, which it reloads."""
    return start()


def test_a_reload_brings_new_routes_and_keeps_connections(changing, upstream, good):
    with changing.connect() as wire:
        assert wire.send(request("GET", "/new/x", token=good)).answer().status == 404
        changing.write(changing.text + "route /new/ { accept jwt; upstream agents; }")
        reload(changing)
        assert wire.send(request("GET", "/new/x", token=good)).answer().status == 200
    assert changing.metric("gatehouse_config_reloads_total", result="success") + changing.metric("gatehouse_config_reloads_total", result="ok") >= 1


def test_a_reload_keeps_requests_in_flight(changing, upstream, good):
    go = threading.Event()

    def script(connection, _):
        connection.send(STREAM_HEAD + chunk(b"data: 1\n\n"))
        go.wait(10)
        connection.send(chunk(b"data: 2\n\n") + b"0\r\n\r\n")

    upstream.script = script
    with changing.connect() as wire:
        wire.send(request("GET", "/api/x", token=good)).final_head()
        assert wire.chunk() == b"data: 1\n\n"
        reload(changing)
        go.set()
        assert wire.chunk() == b"data: 2\n\n" and wire.chunk() == b""
        upstream.script = answer(b"next")
        assert wire.send(request("GET", "/api/x", token=good)).answer().body == b"next"


def test_a_broken_reload_keeps_the_old_and_tells_the_place(changing, upstream, good):
    text = changing.text
    changing.write(text + "route /broken/ { acept jwt; upstream agents; }\n")
    number = len(changing.text.splitlines())
    reload(changing)
    eventually(lambda: f"gateway.conf:{number}:18" in changing.said())
    assert "did you mean 'accept'" in changing.said()
    assert changing.ask("/api/x", token=good).status == 200
    assert changing.ask("/broken/", token=good).status == 404
    changing.write(text)
    reload(changing)
    assert changing.ask("/api/x", token=good).status == 200


@pytest.mark.parametrize("file", ["gateway.conf", "hs256.key", "localhost.pem"])
def test_a_file_that_is_gone_at_reload_is_named_and_the_old_stays(start, lab, upstream, good, tmp_path, file):
    for name in ("hs256.key", "localhost.pem", "localhost.key", "jwks.json"):
        shutil.copy2(lab.path(name), tmp_path / name)
    gateway = start(configuration().replace("LAB", str(tmp_path)))
    ((gateway.folder if file == "gateway.conf" else tmp_path) / file).unlink()
    reload(gateway)
    eventually(lambda: file in gateway.said())
    assert gateway.ask("/api/x", listener="tls", token=good).status == 200


def test_a_reload_of_keys_ends_what_they_vouched_for(start, lab, upstream, good, tmp_path):
    key = write_private(tmp_path / "signing.key", lab.secret)
    gateway = start(configuration().replace("LAB/hs256.key", str(key)))
    with gateway.connect() as wire:
        assert wire.send(request("GET", "/api/x", token=good)).answer().status == 200
        write_private(key, lab.other_secret)
        reload(gateway)
        refusal(wire.send(request("GET", "/api/x", token=good)).answer(), 401, "token_invalid")


def test_a_reload_brings_a_new_certificate(start, lab, upstream, good, tmp_path):
    for name in ("localhost.pem", "localhost.key"):
        shutil.copy2(lab.path(name), tmp_path / name)
    gateway = start(configuration().replace("LAB/localhost", f"{tmp_path}/localhost"))
    serial = lambda wire: wire.socket.getpeercert()["serialNumber"]
    with gateway.connect() as old:
        before = serial(old)
        lab.authority.issue(tmp_path, "localhost", "localhost", "127.0.0.1")
        reload(gateway)
        with gateway.connect() as new:
            assert serial(new) != before
        assert old.send(request("GET", "/api/x", token=good)).answer().status == 200


def test_a_new_certificate_that_does_not_fit_its_key_is_not_taken(start, lab, upstream, tmp_path):
    for name in ("localhost.pem", "localhost.key"):
        shutil.copy2(lab.path(name), tmp_path / name)
    gateway = start(configuration().replace("LAB/localhost", f"{tmp_path}/localhost"))
    shutil.copy2(lab.path("other.key"), tmp_path / "localhost.key")
    reload(gateway)
    assert gateway.ask("/healthz", listener="tls").status == 200
    assert "localhost.key" in gateway.said()


def test_reloads_under_load_lose_no_request(changing, upstream, good):
    stop, failures, count = threading.Event(), [], [0]

    def client():
        try:
            with changing.connect() as wire:
                while not stop.is_set():
                    if wire.send(request("GET", "/api/x", token=good)).answer().status != 200:
                        failures.append("a status other than 200")
                    count[0] += 1
        except Exception as problem:
            failures.append(repr(problem))

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        changing.reload()
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures and count[0] > 50


def test_a_changed_listener_is_opened_at_reload(changing, upstream):
    changing.write(changing.text.replace("admin ", "listen 127.0.0.1:{extra} plain; admin "))
    reload(changing)

    def answers():
        try:
            return changing.ask("/healthz", listener="extra").status == 200
        except ConnectionRefusedError:
            return False

    eventually(answers)


# The end


def test_sigterm_lets_requests_finish_and_takes_no_new_ones(start, upstream, good):
    gateway = start()
    go = threading.Event()

    def script(connection, _):
        connection.send(STREAM_HEAD + chunk(b"data: 1\n\n"))
        go.wait(10)
        connection.send(chunk(b"data: 2\n\n") + b"0\r\n\r\n")

    upstream.script = script
    idle = gateway.connect()
    idle.send(request("GET", "/widget/", token=good))
    with gateway.connect() as wire:
        wire.send(request("GET", "/api/x", token=good)).final_head()
        assert wire.chunk() == b"data: 1\n\n"
        gateway.signal(signal.SIGTERM)

        def closed():
            try:
                gateway.connect("plain").close()
                return False
            except ConnectionError:
                return True

        eventually(closed)
        assert gateway.alive
        go.set()
        assert wire.chunk() == b"data: 2\n\n" and wire.chunk() == b""
    assert gateway.wait(3) == 0
    idle.close()


def test_sigint_drains_as_well(start):
    gateway = start()
    gateway.signal(signal.SIGINT)
    assert gateway.wait(3) == 0


def test_idle_connections_do_not_delay_the_end(start, upstream, good):
    gateway = start()
    held = [gateway.connect("plain") for _ in range(5)] + [gateway.connect() for _ in range(5)]
    held[-1].send(request("GET", "/api/x", token=good)).answer()
    gateway.signal(signal.SIGTERM)
    seconds, code = elapsed(lambda: gateway.wait(4))
    assert code == 0 and seconds < 3 * PATIENCE
    for wire in held:
        wire.close()


@pytest.mark.parametrize("kind", ["text/event-stream", "application/octet-stream"])
def test_drain_timeout_cuts_endless_streams_visibly(start, upstream, good, kind):
    gateway = start(configuration().replace("drain_timeout 5s;", "drain_timeout 1s;"))

    def script(connection, _):
        connection.send(STREAM_HEAD.replace(b"text/event-stream", kind.encode()))
        for _ in range(100):
            connection.send(chunk(b"data: 1\n\n"))
            time.sleep(0.1)

    upstream.script = script
    with gateway.connect() as wire:
        wire.send(request("GET", "/api/x", token=good)).final_head()
        start_time = time.monotonic()
        gateway.signal(signal.SIGTERM)
        received = b""
        with pytest.raises((Truncated, OSError)):
            while data := wire.chunk():
                received += data
        assert 0.7 < time.monotonic() - start_time < 4 * PATIENCE
    assert gateway.wait(4) == 0
    assert received.count(b"data: 1\n\n") >= 5


def test_a_second_sigterm_ends_it_at_once(start, upstream, good):
    gateway = start()
    upstream.script = lambda connection, _: connection.send(STREAM_HEAD) or connection.wait_ended(10)
    with gateway.connect() as wire:
        wire.send(request("GET", "/api/x", token=good)).final_head()
        gateway.signal(signal.SIGTERM)
        time.sleep(0.3)
        assert gateway.alive
        gateway.signal(signal.SIGTERM)
        seconds, code = elapsed(lambda: gateway.wait(4))
    assert code is not None and seconds < 1.5 * PATIENCE
    gateway.expect_failure = True


def test_a_port_in_use(start):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        gateway = start(configuration(listeners=f"listen 127.0.0.1:{port} plain; listen 127.0.0.1:{{tls}} tls;"), run=False)
        gateway.expect_failure = True
        gateway.start(wait=False)
        assert gateway.wait(5) == 1
    assert f"127.0.0.1:{port}" in gateway.said()


def test_a_broken_configuration_does_not_start(start):
    gateway = start("nonsense;", run=False)
    gateway.expect_failure = True
    gateway.start(wait=False)
    assert gateway.wait(5) == 1
    assert "gateway.conf:1:1: error: unknown directive 'nonsense'" in gateway.said()


def test_systemd_is_told(start, tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(10 * PATIENCE)
        gateway = start(run=False)
        os.environ["NOTIFY_SOCKET"] = path
        try:
            gateway.start(wait=False)
        finally:
            del os.environ["NOTIFY_SOCKET"]
        assert b"READY=1" in notify.recv(4096).splitlines()
        assert gateway.ask("/healthz").status == 200, "ready means that it serves"
        gateway.signal(signal.SIGTERM)
        said = []
        while b"STOPPING=1" not in said:
            said += notify.recv(4096).splitlines()
    assert gateway.wait(3) == 0


def test_closed_standard_streams_stop_nobody(lab, start, upstream, good):
    gateway = start(configuration().replace("access_log access.log json;", "access_log stdout json;"), run=False)
    process = subprocess.Popen(
        ["/bin/sh", "-c", f'exec "{BINARY}" run -c gateway.conf <&- >&- 2>&-'], cwd=gateway.folder, start_new_session=True
    )
    gateway.process, gateway.stderr = process, open(gateway.folder / "stderr.log", "ab")
    eventually(gateway.ready, within=15)
    for _ in range(5):
        assert gateway.ask("/api/x", token=good).status == 200


def test_the_store_is_not_on_the_path_of_requests(start, upstream, good):
    """The store locked by somebody else: verification of held keys goes on, and it heals by itself."""
    import sqlite3

    gateway = start()
    key = gateway.key()
    with sqlite3.connect(gateway.folder / "gatehouse.db", isolation_level=None) as store:
        store.execute("BEGIN EXCLUSIVE")
        for _ in range(10):
            assert gateway.ask("/api/agents/bot-1/", token=key).status == 200
            assert gateway.ask("/api/x", token=good).status == 200
            time.sleep(0.05)
        store.execute("ROLLBACK")
    assert gateway.create_key("bot-2")["key"]
