"""HTTP/2 to clients: the same exchanges as over HTTP/1.1, many on one connection."""

import signal
import threading
import time

import pytest
from hyperframe.frame import DataFrame, GoAwayFrame, PingFrame, RstStreamFrame, WindowUpdateFrame

from support import PATIENCE
from support.chat import Echo
from support.frames import CANCEL, INTERNAL_ERROR, NO_ERROR, PROTOCOL_ERROR, Frames
from support.gateway import ROUTES, configuration, refusal
from support.upstream import STREAM_HEAD, answer, chunk
from support.wire import request


@pytest.fixture
def frames(gateway):
    with Frames(gateway) as frames:
        yield frames


def test_a_request_and_its_answer(frames, upstream, good):
    got = frames.answer(frames.request(token=good))
    assert got.status == 200 and got.body == b'{"ok":true}' and got.header("content-length") == "11"
    assert all(name == name.lower() for name, _ in got.fields)
    assert not {"connection", "transfer-encoding", "keep-alive"} & {name for name, _ in got.fields}
    seen = upstream.last()
    assert seen.line == "GET /api/x HTTP/1.1" and seen.all("Host") == ["localhost"]
    assert seen.header("Content-Length") is None and seen.header("Transfer-Encoding") is None
    assert seen.header("X-Forwarded-Proto") == "https" and seen.header("X-Forwarded-For") == "127.0.0.1"


def test_identity_is_the_gateways(frames, upstream, good):
    """threats.md: whatever the spelling, headers and trailers alike."""
    spoofed = [("x-user-id", "evil"), ("x_user_id", "evil"), ("x-agent-id", "evil"), ("x-forwarded-for", "6.6.6.6")]
    assert frames.answer(frames.request("GET", "/api/x", *spoofed, token=good)).status == 200
    seen = upstream.last()
    assert seen.all("X-User-Id") == ["123e4567-e89b-12d3-a456-426614174000"]
    assert "x_user_id" not in seen.names() and seen.header("X-Agent-Id") is None
    assert seen.all("X-Forwarded-For") == ["127.0.0.1"]


def test_several_cookies_become_one(frames, upstream, good):
    """RFC 9113 8.2.3"""
    frames.answer(frames.request("GET", "/api/x", ("cookie", "a=1"), ("x-y", "z"), ("cookie", "b=2"), token=good))
    assert upstream.last().all("Cookie") == ["a=1; b=2"]


@pytest.mark.parametrize("length", [True, False])
def test_bodies_arrive_whole(frames, upstream, good, length):
    body = bytes(range(256)) * 1000
    more = [("content-length", str(len(body)))] if length else []
    stream = frames.open(frames.fields("POST", "/api/x", *more, token=good), end=False)
    sent = 0
    while sent < len(body):
        frames.data(stream, body[sent : sent + 16384], end=sent + 16384 >= len(body))
        sent += 16384
    assert frames.answer(stream).status == 200
    seen = upstream.last()
    assert seen.body == body and seen.complete
    assert seen.header("Content-Length") == (str(len(body)) if length else None)
    assert seen.header("Transfer-Encoding") == (None if length else "chunked")


def test_an_upload_of_several_windows(frames, upstream, good):
    body = b"x" * 3_000_000
    stream = frames.open(frames.fields("POST", "/api/x", token=good), end=False)
    windows = {0: 65_535, stream: 65_535}
    frames.until(lambda frame: isinstance(frame, WindowUpdateFrame))
    windows[0] += frames.received[-1].window_increment
    windows[stream] = frames.settings[4]
    sent = 0
    while sent < len(body):
        room = min(16384, windows[0], windows[stream], len(body) - sent)
        if room == 0:
            frame = frames.until(lambda frame: isinstance(frame, WindowUpdateFrame))
            assert frame, "the window never opened"
            windows[frame.stream_id] += frame.window_increment
            continue
        sent += room
        frames.data(stream, body[:room], end=sent == len(body))
        windows[0], windows[stream] = windows[0] - room, windows[stream] - room
    assert frames.answer(stream).status == 200 and upstream.last().body == body


def test_refusals_are_those_of_http_1(gateway, frames, good, jwt):
    cases = [("GET", "/api/x", None), ("GET", "/nothing", good), ("DELETE", "/limited/x", good),
             ("GET", "/api/x", jwt(exp=1)), ("GET", "/api/scoped/", good), ("GET", "/api/%2f", good)]  # fmt: skip
    for method, path, token in cases:
        ours = frames.answer(frames.request(method, path, ("x-request-id", "same"), token=token))
        theirs = gateway.send(request(method, path, "X-Request-Id: same", token=token), "tls")
        assert (ours.status, ours.body) == (theirs.status, theirs.body), path
        hop = {"connection", "date"}
        assert sorted(pair for pair in ours.fields if pair[0] not in hop) == sorted(
            (name.lower(), value) for name, value in theirs.fields if name.lower() not in hop
        )


def test_head_has_no_body_and_others_go_on(frames, upstream, good):
    """reports.md 17"""
    first = frames.request("HEAD", token=good)
    second = frames.request(token=good)
    refused = frames.request("HEAD")
    got = frames.answer(first)
    assert got.status == 200 and got.body == b"" and got.header("content-length") == "11"
    assert frames.answer(second).body == b'{"ok":true}'
    assert frames.answer(refused).status == 401 and frames.answers[refused].body == b""


def test_streams_do_not_wait_for_each_other(frames, upstream, good):
    go = threading.Event()

    def script(connection, request):
        if request.target == "/api/slow":
            go.wait(10)
        connection.send(answer(request.target.encode()))

    upstream.script = script
    slow = frames.request("GET", "/api/slow", token=good)
    for number in range(20):
        assert frames.answer(frames.request("GET", f"/api/{number}", token=good)).body == f"/api/{number}".encode()
    assert slow not in frames.answers
    go.set()
    assert frames.answer(slow).body == b"/api/slow"


def test_each_stream_is_judged_alone(frames, upstream, good, jwt):
    streams = [frames.request(token=token) for token in (good, None, jwt(user_id="other"), "x", good)]
    assert [frames.answer(stream).status for stream in streams] == [200, 401, 200, 401, 200]
    assert [seen.header("X-User-Id")[:5] for seen in upstream.requests].count("other") == 1


def test_an_early_answer_is_delivered(frames, upstream, good):
    def on_head(connection, _):
        connection.send(answer(b"no", "403 Forbidden"))
        return False

    upstream.on_head = on_head
    stream = frames.open(frames.fields("POST", token=good), end=False)
    frames.data(stream, b"some")
    assert frames.answer(stream).status == 403
    # RFC 9113 8.1: the rest is not wanted, which is no error.
    assert frames.reset(stream, 4) == NO_ERROR and frames.alive()


def test_a_refused_upload_is_not_read_for_ever(frames, upstream):
    stream = frames.open(frames.fields("POST"), end=False)
    assert frames.answer(stream).status == 401
    assert frames.reset(stream, 4) == NO_ERROR
    assert not upstream.requests and frames.alive()


def test_expect_is_answered_here(frames, upstream, good):
    stream = frames.open(frames.fields("POST", "/api/x", ("expect", "100-continue"), token=good), end=False)
    frames.until(lambda frame: frame.stream_id == stream)
    assert frames.answers[stream].status == 100
    frames.data(stream, b"body", end=True)
    assert frames.answer(stream).status == 200
    assert upstream.last().body == b"body" and upstream.last().header("Expect") is None
    refused = frames.open(frames.fields("POST", "/api/x", ("expect", "100-continue")), end=False)
    assert frames.answer(refused).status == 401 and not frames.answers[refused].interim


def test_interim_answers_pass(frames, upstream, good):
    """reports.md 21"""
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n"
    upstream.script = early + answer(b"ok")
    got = frames.answer(frames.request(token=good))
    assert got.status == 200 and got.body == b"ok"
    assert [(one.status, one.fields) for one in got.interim] == [(103, [("link", "</a>")])]


def test_a_client_that_leaves_ends_the_upstream(frames, upstream, good):
    """reports.md 32"""
    upstream.script = lambda connection, _: connection.wait_ended(5)
    stream = frames.request(token=good)
    upstream.last()
    frames.send(RstStreamFrame(stream, error_code=CANCEL))
    assert upstream.connections[upstream.last().connection].wait_ended(3) and frames.alive()


def test_a_broken_answer_is_seen_to_be_broken(frames, upstream, good):
    upstream.script = lambda connection, _: connection.send(STREAM_HEAD + chunk(b"data: 1\n\n")) or connection.reset()
    stream = frames.request(token=good)
    assert frames.reset(stream) == INTERNAL_ERROR
    assert frames.answers[stream].body == b"data: 1\n\n" and not frames.answers[stream].ended
    assert frames.alive()


def test_small_events_arrive_at_once(frames, upstream, good):
    """reports.md 33"""
    go = threading.Event()

    def script(connection, _):
        connection.send(STREAM_HEAD + chunk(b"data: 1\n\n"))
        go.wait(5 * PATIENCE)
        connection.send(b"0\r\n\r\n")

    upstream.script = script
    stream = frames.request(token=good)
    start = time.monotonic()
    assert frames.until(lambda frame: isinstance(frame, DataFrame) and frame.data == b"data: 1\n\n")
    assert time.monotonic() - start < 2 * PATIENCE
    go.set()
    assert frames.answer(stream).ended


def test_a_reader_that_stalls_stops_the_upstream(gateway, upstream, good):
    """Flow control end to end: what the client does not take is not taken from the upstream."""
    sent, stalled = [], threading.Event()

    def script(connection, _):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
        connection.socket.settimeout(1)
        try:
            while len(sent) < 500:
                connection.send(b"x" * 100_000)
                sent.append(100_000)
        except TimeoutError:
            stalled.set()
        return False

    upstream.script = script
    with Frames(gateway, settings={4: 20_000}) as frames:
        stream = frames.request(token=good)
        frames.until(lambda frame: stream in frames.answers and len(frames.answers[stream].body) == 20_000)
        assert frames.alive(), "others go on"
        assert frames.answer(frames.request("GET", "/healthz")).status == 200
        assert stalled.wait(10 * PATIENCE)
        assert sum(sent) < 12_000_000, "the kernel's buffers and ours"
        assert len(frames.answers[stream].body) == 20_000


def test_a_large_download(frames, upstream, good):
    body = bytes(range(256)) * 20_000
    upstream.script = answer(body)
    assert frames.answer(frames.request(token=good), within=40).body == body


def test_trailers_pass_for_grpc_alone(frames, upstream, good):
    upstream.script = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n0\r\ngrpc-status: 0\r\nX-User-Id: 1\r\n\r\n"
    )
    got = frames.answer(frames.request("POST", "/api/x", ("content-type", "application/grpc"), token=good, body=b""))
    assert got.body == b"abc" and got.trailers == [("grpc-status", "0")]
    assert not frames.answer(frames.request(token=good)).trailers


def test_a_drain_lets_streams_finish(start, upstream, good):
    gateway = start()
    go = threading.Event()
    upstream.script = lambda connection, _: go.wait(10) and connection.send(answer(b"late"))
    with Frames(gateway) as frames:
        stream = frames.request(token=good)
        upstream.last()
        gateway.signal(signal.SIGTERM)
        first = frames.until(lambda frame: isinstance(frame, GoAwayFrame))
        assert first.error_code == NO_ERROR and first.last_stream_id == 2**31 - 1, "a notice, RFC 9113 6.8"
        second = frames.until(lambda frame: isinstance(frame, GoAwayFrame))
        assert second.last_stream_id == stream
        go.set()
        assert frames.answer(stream).body == b"late"
        assert frames.until(lambda _: False, 3) is None
    assert gateway.wait(4) == 0


def test_idle_connections_end_with_the_drain(start):
    gateway = start()
    with Frames(gateway) as frames:
        assert frames.alive()
        gateway.signal(signal.SIGTERM)
        assert gateway.wait(4) == 0


def test_idle_connections_end_in_time(start):
    gateway = start(configuration(top="keepalive_timeout 1s;"))
    with Frames(gateway) as frames:
        assert frames.answer(frames.request("GET", "/healthz")).status == 200
        assert frames.goaway(4) == NO_ERROR


def test_it_is_logged(gateway, frames, good):
    got = frames.answer(frames.request(token=good, body=b"12345"))
    line = gateway.logged(request_id=got.header("x-request-id"))
    assert line["protocol"] == "HTTP/2" and line["bytes_in"] == 5 and line["path"] == "/api/x"


# RFC 8441


def test_websocket_over_a_stream(start, good):
    """reports.md 37: advertised and working."""
    echo = Echo()
    gateway = start(configuration(), upstream=echo.port)
    with Frames(gateway) as frames:
        frames.until(lambda _: 8 in frames.settings)
        assert frames.settings[8] == 1, "SETTINGS_ENABLE_CONNECT_PROTOCOL"
        more = [(":protocol", "websocket"), ("sec-websocket-version", "13"), ("authorization", f"Bearer {good}")]
        stream = frames.open(frames.fields("CONNECT", "/api/chat", *more), end=False)
        frames.until(lambda frame: stream in frames.answers)
        got = frames.answers[stream]
        assert got.status == 200 and got.header("sec-websocket-accept") is None and got.header("upgrade") is None
        masked = bytes(byte ^ key for byte, key in zip(b"hello", b"\1\2\3\4\1"))
        frames.data(stream, b"\x81\x85\1\2\3\4" + masked)
        frames.until(lambda frame: isinstance(frame, DataFrame) and got.body == b"\x81\x05hello")
        assert got.body == b"\x81\x05hello"
        frames.data(stream, b"\x88\x82\0\0\0\0\x03\xe8", end=True)
        frames.until(lambda frame: got.ended)
        assert got.ended and got.body.endswith(b"\x88\x02\x03\xe8"), "closed in order"
        refused = frames.open(frames.fields("CONNECT", "/api/chat", *more[:2]), end=False)
        frames.until(lambda frame: refused in frames.answers)
        assert frames.answers[refused].status == 401
        unknown = frames.open(frames.fields("CONNECT", "/api/chat", (":protocol", "x"), *more[1:]), end=False)
        frames.until(lambda frame: unknown in frames.answers)
        assert frames.answers[unknown].status == 400 and frames.answers[unknown].header("x-request-id")
        assert frames.alive()
    echo.close()


def test_more_streams_than_allowed_end_the_connection(start, upstream, good):
    gateway = start(configuration(top="http2_max_streams 2;"))
    upstream.script = lambda connection, _: connection.wait_ended(5) and False
    with Frames(gateway) as frames:
        frames.until(lambda _: 3 in frames.settings)
        assert frames.settings[3] == 2
        assert frames.send(PingFrame(0, b"--------")).alive()
        streams = [frames.request(token=good) for _ in range(3)]
        assert len(streams) == 3 and frames.goaway() == PROTOCOL_ERROR, "RFC 9113 5.1.2: it knew the limit"


def test_the_same_limits_as_over_http_1(gateway, frames, good):
    large = [("x-large", "x" * 1000)] * 40
    got = frames.answer(frames.request("GET", "/api/x", *large, token=good))
    assert refusal(got, 431, "headers_too_large")
    got = frames.answer(frames.request("GET", "/api/x", *[(f"x-{n}", "1") for n in range(120)], token=good))
    assert refusal(got, 431, "headers_too_large")
    assert refusal(frames.answer(frames.request("GET", "/api/" + "x" * 9000, token=good)), 414, "uri_too_long")
    got = frames.answer(frames.request("POST", "/api/small/", ("content-length", "2000"), token=good, body=b"x" * 2000))
    assert refusal(got, 413, "body_too_large")
    stream = frames.open(frames.fields("POST", "/api/small/", token=good), end=False)
    frames.data(stream, b"x" * 2000)
    assert refusal(frames.answer(stream), 413, "body_too_large")
    assert frames.alive() and ROUTES
