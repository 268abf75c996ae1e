"""Starting and ending: drain, signals, systemd, and faults around the process."""

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from support import PATIENCE, eventually
from support.accounts import LOGIN, identity
from support.gateway import BINARY, Gateway, about_the_file, configuration
from support.upstream import STREAM_HEAD, chunk
from support.wire import CUT, elapsed, request


def is_closed(gateway):
    """It no longer takes connections."""
    try:
        gateway.connect("plain").close()
        return False
    except ConnectionError:
        return True


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
        eventually(lambda: is_closed(gateway))
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
        assert wire.chunk() == b"data: 1\n\n"
        start_time = time.monotonic()
        gateway.signal(signal.SIGTERM)
        received = b""
        with pytest.raises(CUT):
            while data := wire.chunk():
                received += data
        assert 0.7 < time.monotonic() - start_time < 4 * PATIENCE
    assert gateway.wait(4) == 0
    assert received.count(b"data: 1\n\n") >= 2, "it went on until then"


def test_a_second_sigterm_ends_it_at_once(start, upstream, good):
    gateway = start()
    upstream.script = lambda connection, _: connection.send(STREAM_HEAD) or connection.wait_ended(10)
    with gateway.connect() as wire:
        wire.send(request("GET", "/api/x", token=good)).final_head()
        gateway.signal(signal.SIGTERM)
        eventually(lambda: is_closed(gateway))  # two that wait are one
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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to drop")
def test_privileges_are_dropped_after_binding(lab, upstream, module_upstream, good):
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        for file in ("hs256.key", "localhost.pem", "localhost.key", "jwks.json"):
            shutil.copy2(lab.path(file), home / file)
        gateway = Gateway(lab, home, configuration(top="user nobody;").replace("LAB", name), module_upstream)
        for path in (home, *home.iterdir()):
            shutil.chown(path, "nobody")
        try:
            gateway.start()
            status = Path(f"/proc/{gateway.process.pid}/status").read_text()
            nobody = pwd.getpwnam("nobody")
            assert re.search(rf"^Uid:(\t{nobody.pw_uid}){{4}}$", status, re.MULTILINE)
            assert re.search(rf"^Gid:(\t{nobody.pw_gid}){{4}}$", status, re.MULTILINE)
            assert gateway.ask("/api/x", token=good).status == 200
            assert (home / "access.log").stat().st_uid == nobody.pw_uid, "it is opened anew by whom the process became"
            reloads = gateway.metric("gatehouse_config_reloads_total", result="success")
            gateway.reload()
            eventually(lambda: gateway.metric("gatehouse_config_reloads_total", result="success") > reloads)
            assert gateway.ask("/api/x", listener="tls", token=good).status == 200
        finally:
            gateway.stop()


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


@about_the_file
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


def test_a_stop_while_passwords_are_hashed_is_a_clean_one(start, upstream):
    """What OpenSSL frees at an exit, other threads may still be using."""
    gateway = start(configuration(jwt="", identity=identity()))
    body = b'{"email": "nobody@example.com", "password": "wrong"}'
    with contextlib.ExitStack() as stack:
        for _ in range(12):
            wire = stack.enter_context(gateway.connect("plain"))
            wire.send(request("POST", LOGIN, "Content-Type: application/json", body=body))
        time.sleep(0.2)
    gateway.signal(signal.SIGTERM)
    assert gateway.wait(10) == 0, gateway.said()
