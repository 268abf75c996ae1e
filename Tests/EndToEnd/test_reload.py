"""SIGHUP: the new configuration, or the old one when it is broken."""

import shutil
import threading
import time

import pytest

from support import eventually
from support.gateway import configuration, refusal
from support.lab import write_private
from support.upstream import STREAM_HEAD, answer, chunk
from support.wire import request


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
    assert (
        changing.metric("gatehouse_config_reloads_total", result="success")
        + changing.metric("gatehouse_config_reloads_total", result="ok")
        >= 1
    )


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
        assert wire.chunk() == b"data: 2\n\n" and wire.chunk() == b"" and wire.until(b"\r\n") == b""
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


def test_a_reload_is_one_moment_for_all_connections(changing, upstream, good):
    """Who saw the new configuration on one connection does not see the old one on another: a token that the new key signed
    is verified wherever it is shown next."""
    texts = (changing.text, changing.text + "route /new/ { accept jwt; upstream agents; }")
    wires = [changing.connect() for _ in range(6)]
    ask = lambda wire: wire.send(request("GET", "/new/x", token=good)).answer().status
    try:
        for number in range(1, 13):
            changing.write(texts[number % 2])
            changing.reload()
            expected = (404, 200)[number % 2]
            both = lambda: [ask(wire) for _ in range(2) for wire in wires]
            seen = eventually(lambda: expected in (answers := both())[:6] and answers, every=0)
            assert set(seen[seen.index(expected):]) == {expected}, seen
    finally:
        for wire in wires:
            wire.close()


def test_a_changed_listener_is_opened_at_reload(changing, upstream):
    changing.write(changing.text.replace("admin ", "listen 127.0.0.1:{extra} plain; admin "))
    reload(changing)

    def answers():
        try:
            return changing.ask("/healthz", listener="extra").status == 200
        except ConnectionRefusedError:
            return False

    eventually(answers)
