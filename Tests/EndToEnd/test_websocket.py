"""WebSocket through the gateway (RFC 6455), and how it ends with its credential."""

import os
import signal
import time
from socket import SHUT_RDWR

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from support import PATIENCE, eventually
from support.chat import Echo, chat
from support.gateway import ROUTES, configuration, refusal, wait_until
from support.identity import Door, identity_configuration
from support.tokens import soon
from support.wire import request

CHAT = """
route /api/off/ { accept jwt; websocket off; upstream agents; }
route /api/graced/ { accept jwt; stream_grace 1h; upstream agents; }
route /api/tiny/ { accept jwt; max_body 10; upstream agents; }
"""


@pytest.fixture(scope="module")
def echo():
    server = Echo()
    yield server
    server.close()


@pytest.fixture(scope="module")
def gateway(start, echo):
    return start(configuration(routes=ROUTES + CHAT), upstream=echo.port)


@pytest.fixture(scope="module")
def scripted(start):
    """A gateway in front of the recording upstream."""
    return start(configuration(routes=ROUTES + CHAT))


def shake(*fields, key="dGhlIHNhbXBsZSBub25jZQ==", version="13", token=None, target="/api/chat"):
    lines = ["Connection: keep-alive, Upgrade", "Upgrade: websocket", *fields]
    lines += [f"Sec-WebSocket-Key: {key}"] if key is not None else []
    lines += [f"Sec-WebSocket-Version: {version}"] if version is not None else []
    return request("GET", target, *lines, token=token)


@pytest.mark.parametrize("listener", ["tls", "plain"])
def test_messages_pass_both_ways(gateway, good, listener):
    with chat(gateway, token=good, listener=listener) as socket:
        for message in ("hello", b"\0\1\2", "", "ä" * 70_000, os.urandom(1 << 20)):
            socket.send(message)
            assert socket.recv(5 * PATIENCE) == message


def test_an_api_key_opens_one(gateway):
    key = gateway.key()
    with chat(gateway, "/api/agents/bot-1/chat", token=key) as socket:
        socket.send("x")
        assert socket.recv(5) == "x"
    with pytest.raises(InvalidStatus) as refused:
        chat(gateway, "/api/agents/bot-2/chat", token=key)
    assert refused.value.response.status_code == 403


def test_subprotocol_and_compression_are_negotiated_end_to_end(gateway, good):
    with chat(gateway, token=good, subprotocols=["other", "chat"]) as socket:
        assert socket.subprotocol == "chat"
        assert "permessage-deflate" in socket.response.headers["Sec-WebSocket-Extensions"]
        socket.send("a" * 100_000)
        assert socket.recv(5) == "a" * 100_000


def test_the_handshake_has_the_headers_of_any_request(gateway, echo, good):
    """reports.md 36, and threats.md: identity is ours, whatever the client says."""
    spoofed = [("X-User-Id", "evil"), ("x_user_id", "evil"), ("X-Forwarded-For", "6.6.6.6"), ("X-Agent-Id", "evil")]
    with chat(gateway, token=good, fields=spoofed) as socket:
        socket.send("x")
        socket.recv(5)
        assert socket.response.headers["X-Request-Id"]
    headers = echo.handshakes[-1].headers
    assert headers.get_all("X-User-Id") == ["123e4567-e89b-12d3-a456-426614174000"]
    assert headers.get_all("X-Forwarded-For") == ["127.0.0.1"] and headers["X-Forwarded-Proto"] == "https"
    assert "x_user_id" not in headers and "X-Agent-Id" not in headers


def test_without_a_credential_there_is_no_socket(scripted, upstream):
    refusal(scripted.send(shake()), 401, "credentials_missing")
    assert not upstream.requests


@pytest.mark.parametrize(
    "why, settings, status",
    [
        ("RFC 6455 4.2.1: a key is 16 bytes", {"key": "c2hvcnQ="}, 400),
        ("no base64", {"key": "!" * 22 + "=="}, 400),
        ("no key", {"key": None}, 400),
        ("another version, RFC 6455 4.2.2", {"version": "8"}, 426),
        ("no version", {"version": None}, 400),
    ],
)
def test_bad_handshakes(scripted, upstream, good, why, settings, status):
    answer = scripted.send(shake(token=good, **settings))
    refusal(answer, status, "bad_request")
    assert answer.header("Sec-WebSocket-Version") == ("13" if status == 426 else None), why
    assert not upstream.requests


def test_two_keys_are_refused(scripted, upstream, good):
    answer = scripted.send(shake("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", token=good))
    refusal(answer, 400, "bad_request")


@pytest.mark.parametrize("target, fields", [
    ("/api/off/x", ["Upgrade: websocket"]), ("/api/x", ["Upgrade: h2c", "HTTP2-Settings: AAMAAABk"])
])  # fmt: skip
def test_other_upgrades_are_stripped(scripted, upstream, good, target, fields):
    """h2c smuggling; and `websocket off`."""
    answer = scripted.send(request("GET", target, "Connection: Upgrade, HTTP2-Settings", *fields, token=good))
    assert answer.status == 200
    seen = upstream.last()
    assert seen.header("Upgrade") is None and seen.header("Connection") is None


def test_a_refusal_of_the_upstream_is_delivered(scripted, upstream, good):
    upstream.script = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
    answer = scripted.send(shake(token=good))
    assert answer.status == 403 and answer.body == b"no"
    assert upstream.last().header("Upgrade") == "websocket" and upstream.last().header("Connection") == "Upgrade"


@pytest.mark.parametrize(
    "why, data, lines",
    [
        ("nobody asked", request("GET", "/api/x"), "Upgrade: websocket\r\nConnection: Upgrade\r\n"),
        ("another key's answer", None, "Upgrade: websocket\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n"),
        ("no answer to the key", None, "Upgrade: websocket\r\n"),
        ("another protocol", None, "Upgrade: h2c\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
    ],
)
def test_a_101_that_proves_nothing_is_502(scripted, upstream, good, why, data, lines):
    upstream.script = f"HTTP/1.1 101 X\r\nConnection: Upgrade\r\n{lines}\r\nSMUGGLED".encode()
    data = shake(token=good) if data is None else request("GET", "/api/x", token=good)
    answer = scripted.send(data)
    refusal(answer, 502, "upstream_error")


def test_what_lies_behind_the_101_goes_through(scripted, upstream, good):
    accept = b"Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    upstream.script = lambda connection, _: (
        connection.send(b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\n" + accept + b"\x81\x02hi")
        or connection.send(b"<" + connection.exactly(7) + b">")
        and False
    )
    with scripted.connect("plain") as wire:
        answer = wire.send(shake(token=good) + b"earlier").final_head()
        assert answer.status == 101 and answer.header("Upgrade") == "websocket"
        assert wire.exactly(4) == b"\x81\x02hi" and wire.exactly(9) == b"<earlier>"


def test_close_codes_pass(gateway, echo, good):
    with chat(gateway, token=good) as socket:
        socket.send("bye")
        with pytest.raises(ConnectionClosed):
            socket.recv(5)
        assert (socket.close_code, socket.close_reason) == (4000, "as you wish")
    socket = chat(gateway, token=good)
    socket.close(4100, "enough")
    eventually(lambda: 4100 in echo.ends)


def test_a_client_that_vanishes_ends_the_upstreams_side(gateway, echo, good):
    known = len(echo.ends)
    socket = chat(gateway, token=good)
    socket.socket.shutdown(SHUT_RDWR)
    eventually(lambda: len(echo.ends) > known)


def test_max_body_does_not_count_tunnels(gateway, good):
    with chat(gateway, "/api/tiny/x", token=good) as socket:
        for _ in range(5):
            socket.send("longer than ten bytes")
            assert socket.recv(5) == "longer than ten bytes"


def test_a_reload_keeps_it(gateway, good):
    """reports.md 35."""
    with chat(gateway, token=good) as socket:
        before = gateway.metric("gatehouse_config_reloads_total", result="success")
        gateway.reload()
        eventually(lambda: gateway.metric("gatehouse_config_reloads_total", result="success") > before)
        socket.send("still there")
        assert socket.recv(5) == "still there"


def test_it_is_counted_and_logged(gateway, good):
    with chat(gateway, token=good) as socket:
        socket.send("x")
        socket.recv(5)
        assert gateway.metric("gatehouse_streams") >= 1
        request_id = socket.response.headers["X-Request-Id"]
    line = gateway.logged(request_id=request_id)
    assert line["status"] == 101 and line["bytes_in"] > 0 and line["bytes_out"] > 0


def closing(socket, within=4):
    with pytest.raises(ConnectionClosed):
        while True:
            socket.recv(within * PATIENCE)
    return socket.close_code, socket.close_reason


def test_the_tokens_end_is_its_end(gateway, jwt):
    exp = soon()
    with chat(gateway, token=jwt(exp=exp)) as socket:
        assert closing(socket) == (4401, "token_expired")
        assert exp <= time.time() < exp + 2 * PATIENCE, "revocation_lag is 1 s, and machines may be busy"


def test_a_grace_outlives_the_tokens_end(gateway, jwt):
    exp = soon()
    with chat(gateway, "/api/graced/x", token=jwt(exp=exp)) as socket:
        wait_until(exp + 1.2)
        socket.send("x")
        assert socket.recv(5) == "x"


@pytest.fixture(scope="module")
def identity_gateway(start, echo):
    return start(identity_configuration(routes=ROUTES + CHAT), upstream=echo.port)


@pytest.mark.parametrize("path", ["/api/chat", "/api/graced/x"])
def test_a_logout_is_its_end(identity_gateway, path):
    door = Door(identity_gateway)
    if path == "/api/chat":
        door.add("ws@example.com")
    access = door.login("ws@example.com")["access"]
    with chat(identity_gateway, path, token=access) as socket:
        assert door.logout(access).status == 204
        start_time = time.monotonic()
        assert closing(socket) == (4401, "token_revoked")
        assert time.monotonic() - start_time < 2 * PATIENCE, "revocation_lag is 1 s, and machines may be busy"


def test_a_revoked_key_is_its_end(gateway):
    made = gateway.create_key("bot-9")
    with chat(gateway, "/api/agents/bot-9/chat", token=made["key"]) as socket:
        gateway.run("keys", "revoke", made["id"])
        assert closing(socket) == (4401, "api_key_revoked")


def test_a_frame_under_way_is_not_written_into(start, upstream, jwt):
    """It is waited for, for half of the lag."""
    gateway = start(configuration().replace("revocation_lag 1s;", "revocation_lag 4s;"))
    exp = soon()
    accept = b"Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

    def script(connection, _):
        connection.send(b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\n" + accept + b"\x81\x04ab")
        wait_until(exp + 1)  # by then `exp` was noticed, and the frame has 2 s to end in
        connection.send(b"cd\x81\x01x")
        connection.wait_ended(3)
        return False

    upstream.script = script
    with gateway.connect("plain") as wire:
        assert wire.send(shake(token=jwt(exp=exp))).final_head().status == 101
        assert wire.rest() == b"\x81\x04abcd\x88\x0f\x11\x31token_expired"


def test_a_drain_says_goodbye(start, echo, good):
    gateway = start(configuration().replace("drain_timeout 5s;", "drain_timeout 1s;"), upstream=echo.port)
    with chat(gateway, token=good) as socket:
        gateway.signal(signal.SIGTERM)
        assert closing(socket)[0] == 1001
    assert gateway.wait(4) == 0
