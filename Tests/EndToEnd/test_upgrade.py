"""SIGUSR2: a new process takes over the listening sockets, and nobody notices."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from support import PATIENCE, eventually
from support.gateway import BINARY, Gateway, configuration
from support.upstream import STREAM_HEAD, chunk
from support.wire import Wire, request


class Line:
    """A gateway and those that take its place: one after the other, each found by what its predecessor said."""

    def __init__(self, lab, folder, text, upstream, binary=BINARY):
        self.gateway = Gateway(lab, folder, text, upstream)
        self.log = open(folder / "stderr.log", "ab")
        self.first = subprocess.Popen(
            [binary, "run", "-c", "gateway.conf"], cwd=folder, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log
        )
        self.gateway.process, self.gateway.stderr = self.first, self.log
        self.pids = [self.first.pid]
        eventually(self.gateway.ready, within=15)

    @property
    def pid(self):
        return self.pids[-1]

    def said(self, text):
        return len(re.findall(text, self.gateway.said()))

    def upgrade(self):
        """Hands over to a new process that serves."""
        known = self.said("the new process serves")
        os.kill(self.pid, signal.SIGUSR2)
        eventually(lambda: self.said("the new process serves") > known, within=20)
        started = re.findall(r"a new process was started.*?pid=(\d+)", self.gateway.said())
        self.pids.append(int(started[-1]))

    def gone(self, pid):
        if pid == self.first.pid:
            return self.first.poll() is not None
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        return state == "Z"

    def stop(self):
        for pid in reversed(self.pids):
            if not self.gone(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
        for pid in self.pids:
            try:
                eventually(lambda: self.gone(pid), within=10)
            except AssertionError:
                os.kill(pid, signal.SIGKILL)
                raise
        self.first.wait()
        self.log.close()
        said = self.gateway.said()
        assert "Fatal error" not in said and "Sanitizer" not in said, said[-3000:]


@pytest.fixture
def line(lab, module_upstream, tmp_path):
    made = []

    def make(text=None, **settings):
        folder = tmp_path / f"line{len(made)}"
        folder.mkdir()
        made.append(Line(lab, folder, text or configuration(), module_upstream, **settings))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def test_no_request_is_lost(line, upstream, good):
    line = line()
    gateway = line.gateway
    stop, failures, served = threading.Event(), [], [0]

    def keep_asking(listener, kept):
        wire = None
        while not stop.is_set():
            try:
                wire = wire or gateway.connect(listener)
                got = wire.send(request("GET", "/api/x", token=good)).answer()
                assert got.status == 200, got
                served[0] += 1
                if not kept or got.header("Connection") == "close":
                    wire.close()
                    wire = None
            except Exception as problem:
                failures.append(f"{listener} {kept}: {problem!r}")
                wire = None

    threads = [
        threading.Thread(target=keep_asking, args=case)
        for case in (("tls", True), ("plain", True), ("plain", False), ("tls", False))
    ]
    for thread in threads:
        thread.start()
    for _ in range(4):
        line.upgrade()
        time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures and served[0] > 100, (failures[:5], served)
    for pid in line.pids[:-1]:
        eventually(lambda: line.gone(pid), within=8)
    assert gateway.ask("/api/x", token=good).status == 200


def test_h2load_does_not_notice(line, good):
    line = line()
    load = subprocess.Popen(
        ["h2load", "-D3", "-c8", "-m8", "-H", f"Authorization: Bearer {good}", f"https://localhost:{line.gateway.ports.tls}/api/x"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    time.sleep(1)
    line.upgrade()
    text = load.communicate(timeout=30)[0]
    assert re.search(r" 0 failed, 0 errored, 0 timeout", text), text


def test_what_is_under_way_finishes(line, upstream, good):
    line = line()
    go = threading.Event()

    def script(connection, _):
        connection.send(STREAM_HEAD + chunk(b"data: 1\n\n"))
        go.wait(10)
        connection.send(chunk(b"data: 2\n\n") + b"0\r\n\r\n")

    upstream.script = script
    with line.gateway.connect() as wire:
        wire.send(request("GET", "/api/x", token=good)).final_head()
        assert wire.chunk() == b"data: 1\n\n"
        line.upgrade()
        upstream.script = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        assert line.gateway.ask("/api/x", token=good).status == 200
        assert not line.gone(line.pids[0])
        go.set()
        assert wire.chunk() == b"data: 2\n\n" and wire.chunk() == b""
    eventually(lambda: line.gone(line.pids[0]), within=8)


def test_a_kept_connection_is_told_to_close(line, good):
    line = line()
    with line.gateway.connect() as wire:
        assert wire.send(request("GET", "/api/x", token=good)).answer().header("Connection") is None
        line.upgrade()
        assert wire.send(request("GET", "/api/x", token=good)).answer().header("Connection") == "close"
        assert wire.ended()


@pytest.mark.parametrize("why, break_it", [
    ("a broken configuration", lambda folder: (folder / "gateway.conf").write_text("nonsense;")),
    ("a program that ends", lambda folder: (folder / "gatehouse").unlink() or (folder / "gatehouse").symlink_to("/bin/false")),
    ("no program at all", lambda folder: (folder / "gatehouse").unlink()),
    ("a file that is none", lambda folder: (folder / "gatehouse").unlink() or (folder / "gatehouse").write_text("x")),
])  # fmt: skip
def test_the_old_one_stays_when_the_new_one_fails(lab, module_upstream, tmp_path, upstream, good, why, break_it):
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "gatehouse").symlink_to(BINARY)
    line = Line(lab, folder, configuration(), module_upstream, binary=folder / "gatehouse")
    try:
        break_it(folder)
        os.kill(line.pid, signal.SIGUSR2)
        eventually(lambda: line.said("the upgrade failed, this process goes on"), within=10)
        assert line.gateway.ask("/api/x", token=good).status == 200, why
        assert not line.gone(line.pid)
        (folder / "gatehouse").unlink(missing_ok=True)
        (folder / "gatehouse").symlink_to(BINARY)
        line.gateway.write(configuration())
        line.upgrade()
        assert line.gateway.ask("/api/x", token=good).status == 200
    finally:
        line.stop()


def test_a_link_that_points_elsewhere_is_followed(lab, module_upstream, tmp_path, upstream, good):
    folder = tmp_path / "linked"
    folder.mkdir()
    other = folder / "gatehouse-2"
    shutil.copy2(BINARY, other)
    (folder / "gatehouse").symlink_to(BINARY)
    line = Line(lab, folder, configuration(), module_upstream, binary=folder / "gatehouse")
    try:
        (folder / "next").symlink_to(other)
        (folder / "next").rename(folder / "gatehouse")
        line.upgrade()
        assert os.readlink(f"/proc/{line.pid}/exe") == str(other)
        assert line.gateway.ask("/api/x", token=good).status == 200
    finally:
        line.stop()


def test_listeners_come_and_go_and_shards_too(line, upstream, good):
    text = configuration(listeners="listen 127.0.0.1:{plain} plain; listen 127.0.0.1:{tls} tls; listen unix:s.sock plain;")
    line = line(text)
    gateway = line.gateway
    path = str(gateway.folder / "s.sock")
    with Wire(path) as wire:
        assert wire.send(request("GET", "/api/x", token=good)).answer().status == 200
    for workers, listeners in ((1, "listen 127.0.0.1:{plain} plain; listen 127.0.0.1:{extra} plain; listen unix:s.sock plain;"),
                               (2, "listen 127.0.0.1:{plain} plain; listen unix:s.sock plain;")):  # fmt: skip
        gateway.write(configuration(listeners=listeners).replace("workers 2;", f"workers {workers};"))
        line.upgrade()
        eventually(lambda: line.gone(line.pids[-2]), within=8)
        for _ in range(20):
            assert gateway.ask("/api/x", token=good).status == 200
        with Wire(path) as wire:
            assert wire.send(request("GET", "/api/x", token=good)).answer().status == 200
        if workers == 1:
            assert gateway.ask("/api/x", token=good, listener="extra").status == 200
    for name in ("tls", "extra"):
        with pytest.raises(ConnectionError):
            gateway.connect(name, context=None)


def test_systemd_is_told_who_is_next(lab, module_upstream, tmp_path, upstream):
    path = str(tmp_path / "notify")
    folder = tmp_path / "told"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(10 * PATIENCE)
        os.environ["NOTIFY_SOCKET"] = path
        try:
            line = Line(lab, folder, configuration(), module_upstream)
        finally:
            del os.environ["NOTIFY_SOCKET"]
        try:
            line.upgrade()
            said = []
            while f"MAINPID={line.pid}".encode() not in said:
                said += notify.recv(4096).splitlines()
            assert b"STOPPING=1" not in said
        finally:
            line.stop()


def test_the_variable_does_not_reach_children_nor_strangers(line, good):
    """What it names is checked: a descriptor that is no listening socket of that address is not used."""
    line = line()
    line.upgrade()
    environment = Path(f"/proc/{line.pid}/environ").read_bytes()
    assert b"GATEHOUSE_LISTENERS=ready" in environment, "it came this way"
    line.upgrade()
    assert line.gateway.ask("/api/x", token=good).status == 200


def test_a_stop_while_the_new_one_starts_ends_both(lab, module_upstream, tmp_path, upstream):
    folder = tmp_path / "slow"
    folder.mkdir()
    (folder / "gatehouse").symlink_to(BINARY)
    line = Line(lab, folder, configuration(), module_upstream, binary=folder / "gatehouse")
    (folder / "gatehouse").unlink()
    (folder / "gatehouse").write_text("#!/bin/sh\nexec sleep 30\n")
    (folder / "gatehouse").chmod(0o755)
    os.kill(line.pid, signal.SIGUSR2)
    eventually(lambda: line.said("a new process was started"))
    os.kill(line.pid, signal.SIGUSR2)
    eventually(lambda: line.said("is being started already"))
    child = int(re.findall(r"a new process was started.*?pid=(\d+)", line.gateway.said())[-1])
    os.kill(line.pid, signal.SIGTERM)
    eventually(lambda: line.gone(line.pid) and line.gone(child), within=8)
    line.stop()
