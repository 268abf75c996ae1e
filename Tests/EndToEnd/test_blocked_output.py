"""Nobody reads stdout and stderr, and the pipes behind them are full."""

import fcntl
import os
import signal
import subprocess
import threading

import pytest

from support import PATIENCE, eventually
from support.gateway import BINARY, ROUTES, configuration
from support.wire import elapsed, request

# More than the 4 MiB that may wait to be written: a line has up to 1 KiB of the target, and a quote takes two bytes there.
LINE = request("GET", "/nothing?" + '"' * 1100)
REQUESTS, AT_ONCE = 2400, 20


class FullPipe:
    """A pipe that takes nothing more until somebody reads."""

    def __init__(self):
        self.source, self.sink = os.pipe()
        fcntl.fcntl(self.sink, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(self.sink, False)
        self.filling = 0
        try:
            while True:
                self.filling += os.write(self.sink, b"\n")
        except BlockingIOError:
            os.set_blocking(self.sink, True)

    def close_sink(self):
        if self.sink is not None:
            os.close(self.sink)
            self.sink = None

    def close(self):
        self.close_sink()
        os.close(self.source)


@pytest.fixture
def blocked(start):
    """A gateway of one test's own that logs to a full pipe, and says what it has to say to another."""
    gateway = start(configuration(routes=ROUTES).replace("access_log access.log json;", "access_log stdout json;"), run=False)
    gateway.stdout, gateway.stderr_pipe = FullPipe(), FullPipe()
    gateway.stderr = open(gateway.folder / "stderr.log", "ab")
    gateway.process = subprocess.Popen(
        [BINARY, "run", "-c", "gateway.conf"],
        cwd=gateway.folder,
        stdin=subprocess.DEVNULL,
        stdout=gateway.stdout.sink,
        stderr=gateway.stderr_pipe.sink,
        start_new_session=True,
    )
    gateway.stdout.close_sink()
    gateway.stderr_pipe.close_sink()
    eventually(gateway.ready, within=15)
    yield gateway
    if gateway.alive:
        gateway.process.kill()
        gateway.process.wait()
    gateway.expect_failure = True
    gateway.stdout.close()
    gateway.stderr_pipe.close()


def dropped(gateway):
    return gateway.metric("gatehouse_log_dropped_total")


def fill(gateway):
    """Requests, until more lines wait than may; each is answered at once. How many there were."""
    with gateway.connect("plain") as wire:
        for _ in range(REQUESTS // AT_ONCE):
            wire.send(LINE * AT_ONCE)
            seconds, answers = elapsed(lambda: [wire.answer() for _ in range(AT_ONCE)])
            assert {answer.status for answer in answers} == {404} and seconds < 2 * PATIENCE
        eventually(lambda: dropped(gateway) > 0)
    return REQUESTS


def test_a_gateway_whose_output_is_full_serves_reloads_and_ends(blocked, upstream, good):
    fill(blocked)
    blocked.write(blocked.text + "route /new/ { accept jwt; upstream agents; }")
    blocked.reload()
    eventually(lambda: blocked.metric("gatehouse_config_reloads_total", result="success") == 1)
    assert blocked.ask("/new/", token=good, listener="tls").status == 200
    assert blocked.resident() < 200_000 * PATIENCE, "KiB"
    blocked.signal(signal.SIGTERM)
    seconds, code = elapsed(lambda: blocked.wait(15))
    assert code == 0 and seconds < 10 * PATIENCE


def test_every_line_is_written_or_counted_once_somebody_reads(blocked, upstream, good):
    sent, lines = fill(blocked), 0

    def read():
        nonlocal lines
        while data := os.read(blocked.stdout.source, 65536):
            lines += data.count(b"\n")

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    eventually(lambda: lines - blocked.stdout.filling + dropped(blocked) >= sent, within=20)
    assert lines - blocked.stdout.filling + dropped(blocked) == sent
    assert 0 < dropped(blocked) < sent
    # Said again, and nothing more is lost.
    lost = dropped(blocked)
    assert blocked.ask("/nothing", token=good).status == 404
    eventually(lambda: lines - blocked.stdout.filling + lost == sent + 1)
    assert dropped(blocked) == lost
    blocked.process.kill()
    reader.join(10 * PATIENCE)
