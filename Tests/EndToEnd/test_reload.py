"""SIGHUP: the new configuration, or the old one when it is broken."""

import os
import shutil
import threading

import httpx
import pytest

from support import PATIENCE, eventually
from support.frames import Frames
from support.gateway import configuration, refusal
from support.lab import write_private
from support.upstream import STREAM_HEAD, answer, chunk
from support.wire import TIMEOUT, request

RELOADS = int(os.environ.get("GATEHOUSE_RELOADS", "30"))


def reloads(gateway, **labels):
    return gateway.metric("gatehouse_config_reloads_total", **labels)


def reload(gateway, **labels):
    before = reloads(gateway, **labels)
    gateway.reload()
    eventually(lambda: reloads(gateway, **labels) > before)


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
    assert reloads(changing, result="success") == 1


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


def on_one_connection(gateway, token):
    with gateway.connect() as wire:
        while True:
            yield wire.send(request("GET", "/api/x", token=token)).answer().status


def on_new_connections(gateway, token):
    while True:
        yield gateway.ask("/api/x", token=token, listener="tls").status


def by_http_2(gateway, token):
    with Frames(gateway) as frames:
        while True:
            streams = [frames.request("POST", body=b"x" * 1000, token=token) for _ in range(4)]
            yield max(frames.answer(stream).status for stream in streams)


def by_http_2_on_new_connections(gateway, token):
    url, headers = f"https://localhost:{gateway.ports.tls}/api/x", {"Authorization": f"Bearer {token}"}
    context = gateway.lab.client_context()
    while True:
        with httpx.Client(http2=True, verify=context, timeout=TIMEOUT) as client:
            answer = client.get(url, headers=headers)
            yield answer.status_code if answer.http_version == "HTTP/2" else answer.http_version


CLIENTS = (on_one_connection, on_one_connection, on_new_connections, by_http_2, by_http_2_on_new_connections)


@pytest.mark.timeout(60 + RELOADS * 0.5 * PATIENCE)
def test_reloads_under_load_lose_no_request(changing, upstream, good):
    """Each is waited for, and brings a route or takes one away; and each client is answered while it happens or after."""
    stop, failures, counts = threading.Event(), [], dict.fromkeys(range(len(CLIENTS)), 0)
    upstream.script = answer(b"x" * 1000)

    def run(number, client):
        try:
            for status in client(changing, good):
                if status != 200:
                    failures.append(f"{client.__name__}: {status}")
                counts[number] += 1
                if stop.wait(0.003) or failures:
                    return
        except Exception as problem:
            failures.append(f"{client.__name__}: {problem!r}")

    texts = (changing.text, changing.text + "route /new/ { accept jwt; upstream agents; }")
    threads = [threading.Thread(target=run, args=row) for row in enumerate(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        with changing.connect() as wire:
            for number in range(1, RELOADS + 1):
                seen = dict(counts)
                changing.write(texts[number % 2])
                reload(changing, result="success")
                assert wire.send(request("GET", "/new/x", token=good)).answer().status == (404, 200)[number % 2]
                eventually(lambda: failures or all(counts[one] > seen[one] for one in counts), within=10)
                assert not failures, failures
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures, failures
    assert reloads(changing, result="success") == RELOADS and reloads(changing, result="failure") == 0


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
            assert set(seen[seen.index(expected) :]) == {expected}, seen
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
