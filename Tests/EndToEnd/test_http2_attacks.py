"""Frames that nobody should send (RFC 9113, threats.md), and floods of those that anybody may."""

import select
import struct
import threading
import time

import hpack
import pytest
from hyperframe.frame import (
    DataFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from support import PATIENCE, eventually
from support.frames import (
    CANCEL,
    COMPRESSION_ERROR,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    PREFACE,
    PROTOCOL_ERROR,
    STREAM_CLOSED,
    Frames,
    continued,
    raw,
)
from support.gateway import configuration
from support.upstream import answer

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED = 1, 4, 8


@pytest.fixture
def frames(gateway):
    with Frames(gateway) as frames:
        yield frames


GET = hpack.Encoder().encode([(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/widget/")])

CONNECTION_ERRORS = [
    ("DATA on stream 0, 6.1", raw(DATA, 0, 0, b"x"), {PROTOCOL_ERROR}),
    ("DATA on an idle stream, 5.1", raw(DATA, 0, 1, b"x"), {PROTOCOL_ERROR, STREAM_CLOSED}),
    ("padding longer than the frame, 6.1", raw(HEADERS, END_HEADERS, 1, GET) + raw(DATA, PADDED, 1, b"\xffx"), {PROTOCOL_ERROR}),
    ("HEADERS on stream 0, 6.2", raw(HEADERS, END_HEADERS, 0, GET), {PROTOCOL_ERROR}),
    ("HEADERS on an even stream, 5.1.1", raw(HEADERS, END_HEADERS | END_STREAM, 2, GET), {PROTOCOL_ERROR}),
    ("a frame of more than 16 KiB, 4.2", raw(DATA, 0, 1, b"x" * 16385), {FRAME_SIZE_ERROR}),
    ("PRIORITY of a wrong length on stream 0, 6.3", raw(PRIORITY, 0, 0, b"12345"), {PROTOCOL_ERROR}),
    ("RST_STREAM on stream 0, 6.4", raw(RST, 0, 0, b"\0\0\0\1"), {PROTOCOL_ERROR}),
    ("RST_STREAM on an idle stream, 6.4", raw(RST, 0, 1, b"\0\0\0\1"), {PROTOCOL_ERROR}),
    ("RST_STREAM of a wrong length, 6.4", raw(HEADERS, END_HEADERS, 1, GET) + raw(RST, 0, 1, b"\0\0\0"), {FRAME_SIZE_ERROR}),
    ("SETTINGS with ACK and payload, 6.5", raw(SETTINGS, 1, 0, b"\0\1\0\0\0\0"), {FRAME_SIZE_ERROR}),
    ("SETTINGS on a stream, 6.5", raw(SETTINGS, 0, 1, b""), {PROTOCOL_ERROR}),
    ("SETTINGS of a wrong length, 6.5", raw(SETTINGS, 0, 0, b"\0\1\0"), {FRAME_SIZE_ERROR}),
    ("a window beyond 2^31-1, 6.5.2", raw(SETTINGS, 0, 0, struct.pack(">HL", 4, 2**31)), {FLOW_CONTROL_ERROR}),
    ("ENABLE_PUSH other than 0 and 1, 6.5.2", raw(SETTINGS, 0, 0, struct.pack(">HL", 2, 2)), {PROTOCOL_ERROR}),
    ("MAX_FRAME_SIZE below 16384, 6.5.2", raw(SETTINGS, 0, 0, struct.pack(">HL", 5, 16383)), {PROTOCOL_ERROR}),
    ("PUSH_PROMISE from a client, 8.4", PushPromiseFrame(1, 2, data=GET, flags=["END_HEADERS"]).serialize(), {PROTOCOL_ERROR}),
    ("PING of a wrong length, 6.7", raw(PING, 0, 0, b"1234567"), {FRAME_SIZE_ERROR}),
    ("PING on a stream, 6.7", raw(PING, 0, 1, b"12345678"), {PROTOCOL_ERROR}),
    ("GOAWAY on a stream, 6.8", raw(GOAWAY, 0, 1, b"\0" * 8), {PROTOCOL_ERROR}),
    ("WINDOW_UPDATE of 0 on the connection, 6.9", raw(WINDOW, 0, 0, b"\0\0\0\0"), {PROTOCOL_ERROR}),
    ("WINDOW_UPDATE of a wrong length, 6.9", raw(WINDOW, 0, 0, b"\0\0\1"), {FRAME_SIZE_ERROR}),
    ("WINDOW_UPDATE on an idle stream, 5.1", raw(WINDOW, 0, 1, b"\0\0\0\1"), {PROTOCOL_ERROR}),
    ("a connection's window beyond 2^31-1, 6.9.1", raw(WINDOW, 0, 0, b"\x7f\xff\xff\xff") * 2, {FLOW_CONTROL_ERROR}),
    ("CONTINUATION without HEADERS, 6.10", raw(CONTINUATION, END_HEADERS, 1, GET), {PROTOCOL_ERROR}),
    ("CONTINUATION of another stream, 6.10", raw(HEADERS, 0, 1, GET[:3]) + raw(CONTINUATION, END_HEADERS, 3, GET[3:]), {PROTOCOL_ERROR}),
    ("a frame between HEADERS and CONTINUATION, 6.2", raw(HEADERS, 0, 1, GET[:3]) + raw(PING, 0, 0, b"12345678"), {PROTOCOL_ERROR}),
    ("an unknown frame there, 5.5", raw(HEADERS, 0, 1, GET[:3]) + raw(0xEE, 0, 1, b"x"), {PROTOCOL_ERROR}),
    ("HPACK: an index that is not there, RFC 7541 2.3.3", raw(HEADERS, END_HEADERS, 1, b"\xff\xff\x03"), {COMPRESSION_ERROR}),
    ("HPACK: a table larger than agreed, RFC 7541 6.3", raw(HEADERS, END_HEADERS, 1, b"\x3f\xff\xff\x7f" + GET), {COMPRESSION_ERROR}),
    ("HPACK: Huffman padding of zeros, RFC 7541 5.2", raw(HEADERS, END_HEADERS, 1, GET + b"\x40\x01a\x81\x00"), {COMPRESSION_ERROR}),
]  # fmt: skip


@pytest.mark.parametrize("why, data, codes", CONNECTION_ERRORS, ids=[row[0] for row in CONNECTION_ERRORS])
def test_connection_errors(frames, upstream, why, data, codes):
    frames.send(data)
    assert frames.goaway() in codes
    assert frames.wire.ended(3)


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", PREFACE[:-4] + b"XX\r\n", b"\0" * 24])
def test_a_bad_preface_ends_the_connection(gateway, data):
    with Frames(gateway, preface=False) as frames:
        frames.send(data)
        frames.goaway(3)
        assert frames.wire.ended(3)


def test_frames_before_settings(gateway):
    """RFC 9113 3.4: the preface is followed by SETTINGS."""
    with Frames(gateway, preface=False) as frames:
        frames.send(PREFACE + raw(PING, 0, 0, b"12345678"))
        assert frames.goaway() == PROTOCOL_ERROR


STREAM_ERRORS = [
    ("WINDOW_UPDATE of 0, 6.9", lambda stream: raw(WINDOW, 0, stream, b"\0\0\0\0"), {PROTOCOL_ERROR}),
    ("a window beyond 2^31-1, 6.9.1", lambda stream: raw(WINDOW, 0, stream, b"\x7f\xff\xff\xff"), {FLOW_CONTROL_ERROR}),
]


@pytest.mark.parametrize("why, make, codes", STREAM_ERRORS, ids=[row[0] for row in STREAM_ERRORS])
def test_stream_errors(frames, upstream, good, why, make, codes):
    stream = frames.open(frames.fields("POST", token=good), end=False)
    frames.send(make(stream))
    try:
        assert frames.reset(stream) in codes
        assert frames.alive()
    except AssertionError:  # a stream error may be treated as one of the connection, 5.4.1
        assert frames.received[-1].error_code in codes


def pseudo(*more, method="GET", path="/api/x", scheme="https", authority="localhost"):
    fields = [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)]
    return [pair for pair in fields if pair[1] is not None] + list(more)


MALFORMED = [
    ("an upper-case name, 8.2.1", pseudo(("X-Up", "1"))),
    ("CR in a value, 8.2.1", pseudo(("x-a", "a\rb"))),
    ("LF in a value", pseudo(("x-a", "a\nX-User-Id: 1"))),
    ("NUL in a value", pseudo(("x-a", "a\0b"))),
    ("CRLF in a name", pseudo(("x-a\r\nx-b", "1"))),
    ("a colon in a name", pseudo(("x:a", "1"))),
    ("a blank in a name", pseudo(("x a", "1"))),
    ("an empty name", pseudo(("", "1"))),
    ("a blank around a value", pseudo(("x-a", " a"))),
    ("LF in the path", pseudo(path="/a\nb")),
    ("a blank in the path", pseudo(path="/a HTTP/1.1")),
    ("CRLF in the authority", pseudo(authority="a\r\nx: y")),
    ("a blank in the method", pseudo(method="GET /a")),
    ("connection, 8.2.2", pseudo(("connection", "close"))),
    ("transfer-encoding", pseudo(("transfer-encoding", "chunked"))),
    ("keep-alive", pseudo(("keep-alive", "1"))),
    ("proxy-connection", pseudo(("proxy-connection", "close"))),
    ("upgrade", pseudo(("upgrade", "websocket"))),
    ("te other than trailers", pseudo(("te", "gzip"))),
    ("no :method, 8.3.1", pseudo(method=None)),
    ("no :scheme", pseudo(scheme=None)),
    ("no :path", pseudo(path=None)),
    ("an empty :path", pseudo(path="")),
    ("a :path without /", pseudo(path="api/x")),
    (":path twice", pseudo((":path", "/b"))),
    (":method twice", pseudo((":method", "PUT"))),
    ("an unknown pseudo-header field, 8.3", pseudo((":other", "1"))),
    (":status in a request", pseudo((":status", "200"))),
    ("a late pseudo-header field", [(":method", "GET"), ("x-a", "1"), (":scheme", "https"), (":path", "/"), (":authority", "a")]),
    ("CONNECT", [(":method", "CONNECT"), (":authority", "localhost:1")]),
    ("CONNECT with a path", pseudo(method="CONNECT")),
    (":protocol without CONNECT, RFC 8441 4", pseudo((":protocol", "websocket"))),
    ("a content-length that is no number", pseudo(("content-length", "5x"), method="POST")),
    ("two content-lengths", pseudo(("content-length", "0"), ("content-length", "5"), method="POST")),
]  # fmt: skip


@pytest.mark.parametrize("why, fields", MALFORMED, ids=[row[0] for row in MALFORMED])
def test_malformed_requests_reach_nobody(frames, upstream, good, why, fields):
    """RFC 9113 8.1.1: a stream error of type PROTOCOL_ERROR; a request that can be read gets its 400."""
    stream = frames.open(fields + [("authorization", f"Bearer {good}")])
    frames.until(lambda frame: frame.stream_id == stream or frame.type == GOAWAY)
    if stream in frames.answers:
        assert frames.answer(stream).status == 400
    else:
        assert frames.received[-1].type == RST and frames.received[-1].error_code == PROTOCOL_ERROR, frames.received[-1]
    assert frames.alive()
    assert not upstream.requests, upstream.requests


@pytest.mark.parametrize("announced, sent", [(5, 4), (5, 6), (0, 1), (5, 0)])
def test_a_length_that_lies(frames, upstream, good, announced, sent):
    fields = frames.fields("POST", "/api/x", ("content-length", str(announced)), token=good)
    stream = frames.open(fields, end=sent == 0)
    if sent:
        frames.data(stream, b"x" * sent, end=True)
    assert frames.reset(stream) == PROTOCOL_ERROR and frames.alive()
    assert not any(seen.complete for seen in upstream.requests), "the upstream never sees it whole"


@pytest.mark.parametrize("host", ["evil.example", "localhost:1"])
def test_host_and_authority_have_to_agree(frames, upstream, good, host):
    stream = frames.request("GET", "/api/x", ("host", host), token=good)
    assert frames.answer(stream).status == 400 and not upstream.requests
    assert frames.answer(frames.request("GET", "/api/x", ("host", "LOCALHOST"), token=good)).status == 200


def test_trailers_cannot_smuggle(frames, upstream, good):
    stream = frames.open(frames.fields("POST", token=good), end=False)
    frames.data(stream, b"body")
    frames.open([("x-user-id", "evil"), ("x_user_id", "evil"), ("x-sum", "1")], stream=stream)
    assert frames.answer(stream).status == 200
    assert upstream.last().body == b"body" and upstream.last().trailers == b""
    stream = frames.open(frames.fields("POST", token=good), end=False)
    frames.open([(":path", "/evil"), ("x-sum", "1")], stream=stream)
    assert frames.reset(stream) == PROTOCOL_ERROR
    assert not any(seen.complete for seen in upstream.requests[1:])


def test_a_stream_below_the_last_is_not_served(frames, upstream):
    """RFC 9113 5.1.1; nghttp2 passes over it, since it may be a late frame of a stream that has ended."""
    frames.send(raw(HEADERS, END_HEADERS | END_STREAM, 5, GET) + raw(HEADERS, END_HEADERS | END_STREAM, 3, GET))
    assert frames.answer(5).status == 200 and frames.alive()
    assert 3 not in frames.answers and len(upstream.requests) == 1


def test_unknown_frames_and_settings_are_passed_over(frames, upstream, good):
    """RFC 9113 4.1, 6.5.2"""
    frames.send(raw(0xEE, 0xFF, 0, b"what"), raw(SETTINGS, 0, 0, struct.pack(">HL", 0xEEEE, 1)))
    assert frames.answer(frames.request(token=good)).status == 200


def test_blocks_may_be_cut(frames, upstream, good):
    block = frames.encoder.encode(frames.fields("GET", "/api/x", ("x-a", "b" * 3000), token=good))
    frames.send(*continued(1, block))
    assert frames.answer(1).status == 200


# Floods

FLOODS = [
    ("rapid reset, CVE-2023-44487", lambda n: raw(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, GET) + RstStreamFrame(2 * n + 1, error_code=CANCEL).serialize(), 400),
    ("made-you-reset by windows, CVE-2025-8671", lambda n: raw(HEADERS, END_HEADERS, 2 * n + 1, GET) + raw(WINDOW, 0, 2 * n + 1, b"\0\0\0\0"), 400),
    ("made-you-reset by malformed requests", lambda n: raw(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, b"\x82\x87"), 400),
    ("pings, CVE-2019-9512", lambda n: PingFrame(0, b"12345678").serialize(), 5000),
    ("settings, CVE-2019-9515", lambda n: SettingsFrame(0, settings={4: 65535}).serialize(), 5000),
    ("priorities, CVE-2019-9513", lambda n: PriorityFrame(1, depends_on=0, stream_weight=n % 256).serialize(), 5000),
    ("window updates", lambda n: WindowUpdateFrame(0, window_increment=1).serialize(), 5000),
    ("unknown frames", lambda n: raw(0xEE, 0, 0, b""), 5000),
]  # fmt: skip


def everybody_else_is_served(gateway):
    with Frames(gateway) as other:
        assert other.answer(other.request("GET", "/healthz")).status == 200


def flood(frames, make, count, pause=0.0):
    """Sends until the gateway has had enough; the code of its GOAWAY. Who never pauses may send so much that it is reset before
    it reads that."""
    try:
        for start in range(0, count, 50):
            if start and select.select([frames.wire.socket], [], [], pause)[0] and frames.goaway(pause + 0.05) is not None:
                return frames.received[-1].error_code
            frames.send(b"".join(make(n) for n in range(start, start + 50)))
    except (ConnectionError, OSError):
        pass
    return frames.goaway(5)


@pytest.mark.parametrize("why, make, count", FLOODS, ids=[row[0] for row in FLOODS])
def test_floods_end_the_connection(gateway, frames, upstream, why, make, count):
    before = gateway.metric("gatehouse_abusive_connections_total")
    code = flood(frames, make, count)
    assert frames.wire.ended(3)
    if "made-you-reset" in why and code == PROTOCOL_ERROR:
        return  # the first of them, or as many streams at once, has ended the connection
    assert code == ENHANCE_YOUR_CALM
    everybody_else_is_served(gateway)
    eventually(lambda: gateway.metric("gatehouse_abusive_connections_total") > before)


def test_a_flood_of_empty_data(gateway, frames, upstream, good):
    """CVE-2019-9518"""
    stream = frames.open(frames.fields("POST", token=good), end=False)
    assert flood(frames, lambda _: DataFrame(stream, b"").serialize(), 5000) == ENHANCE_YOUR_CALM
    everybody_else_is_served(gateway)


def test_a_flood_of_continuations(gateway, frames):
    """CVE-2024-27316: a block that never ends."""
    frames.send(raw(HEADERS, END_STREAM, 1, GET))
    resident = gateway.resident()
    assert flood(frames, lambda _: raw(CONTINUATION, 0, 1, b"\x00\x01a\x0a0123456789" * 20), 20_000, 0.2) == ENHANCE_YOUR_CALM
    assert frames.wire.ended(3) and gateway.resident() - resident < 20_000
    everybody_else_is_served(gateway)


def test_an_hpack_bomb(gateway, frames):
    """A large entry of the table, named again and again: kilobytes on the wire, megabytes in the list."""
    bomb = b"\x40\x01a\x7f\xa1\x1e" + b"b" * 4000
    resident = gateway.resident()
    frames.send(raw(HEADERS, END_STREAM | END_HEADERS, 1, GET + bomb + b"\xbe" * 12_000))
    assert frames.goaway() == ENHANCE_YOUR_CALM
    assert gateway.resident() - resident < 20_000
    everybody_else_is_served(gateway)


def test_ordinary_use_is_no_flood(frames, upstream, good):
    for _ in range(60):
        stream = frames.request(token=good)
        frames.send(RstStreamFrame(stream, error_code=CANCEL))
    for _ in range(500):
        frames.send(PingFrame(0, b"12345678"))
    for _ in range(100):
        assert frames.answer(frames.request("GET", "/widget/")).status == 200


def test_windows_that_open_for_each_short_answer_are_no_flood(start, upstream, good):
    """What Python's h2 and gRPC libraries do: two WINDOW_UPDATEs for each piece of data, and a PING with some."""
    gateway = start(configuration(top="http2_control_frames 100;"))
    upstream.script = answer(b"hello")
    with Frames(gateway) as frames:
        for number in range(300):
            assert frames.answer(frames.request(token=good)).status == 200  # gives both windows back
            if number % 3 == 0:
                frames.send(PingFrame(0, opaque_data=b"measured"))
        assert frames.alive()


def test_a_window_that_never_opens(start, upstream, good):
    """A stream that is not read ends; the connection and what it holds do not stay for ever."""
    gateway = start(configuration(top="write_timeout 1s;"))
    upstream.script = answer(b"x" * 500_000)
    with Frames(gateway, settings={4: 0}) as frames:
        streams = [frames.request(token=good) for _ in range(20)]
        assert frames.reset(streams[0], 5) == CANCEL
        assert frames.alive()


def test_a_block_that_stalls(start):
    gateway = start(configuration(top="head_timeout 1s;"))
    with Frames(gateway) as frames:
        frames.send(raw(HEADERS, END_STREAM, 1, GET[:5]))
        frames.goaway(4)
        assert frames.wire.ended(3)


def test_a_block_that_stalls_on_a_connection_that_idles(start, good):
    """keepalive_timeout is for silence between requests, not for a head under way."""
    gateway = start(configuration(top="head_timeout 1s;"))
    with Frames(gateway) as frames:
        assert frames.answer(frames.request(token=good)).status == 200
        frames.send(raw(HEADERS, END_STREAM, 3, GET[:5]))
        frames.goaway(4)
        assert frames.wire.ended(3)


def test_a_malformed_request_leaves_the_others_alone(start, upstream, good):
    """The rest of the connection outlives head_timeout."""
    gateway = start(configuration(top="head_timeout 1s;"))
    go = threading.Event()
    upstream.script = lambda connection, _: go.wait(5) and connection.send(answer(b"late"))
    with Frames(gateway) as frames:
        stream = frames.request(token=good)
        assert frames.reset(frames.open(pseudo(("X-Up", "1")))) == PROTOCOL_ERROR
        time.sleep(1.5)
        assert frames.alive()
        go.set()
        assert frames.answer(stream).body == b"late"


def test_a_client_that_never_speaks(start):
    gateway = start(configuration(top="head_timeout 1s;"))
    with Frames(gateway, preface=False) as frames:
        frames.goaway(4 * PATIENCE)
        assert frames.wire.ended(3)


def test_an_upload_that_drips(start, upstream, good):
    gateway = start(configuration(top="body_min_rate 500 1s;"))
    with Frames(gateway) as frames:
        stream = frames.open(frames.fields("POST", token=good), end=False)
        frames.data(stream, b"x")
        got = frames.answer(stream)
        assert got.status == 408 and got.error == "request_timeout"
        assert HeadersFrame and not any(seen.complete for seen in upstream.requests)
