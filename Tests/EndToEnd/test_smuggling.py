"""Request smuggling: bytes of a client, and what comes of them at both ends."""

import pytest

from support.gateway import refusal
from support.wire import request

# Every row carries a good token (TOKEN), so that only the framing is at fault.
START = "POST /api/x HTTP/1.1\r\n"
HOST = "Host: localhost\r\nAuthorization: Bearer TOKEN\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
END = "\r\n"
BODY5 = "\r\nhello"
CHUNK5 = "\r\n5\r\nhello\r\n0\r\n\r\n"

HEADS = {
    # Content-Length and Transfer-Encoding, RFC 9112 §6
    "CL and TE": START + HOST + "Content-Length: 5\r\n" + CHUNKED + CHUNK5,
    "TE and CL": START + HOST + CHUNKED + "Content-Length: 5\r\n" + CHUNK5,
    "two CL that differ": START + HOST + "Content-Length: 5\r\nContent-Length: 6\r\n" + BODY5,
    "two CL that agree": START + HOST + "Content-Length: 5\r\nContent-Length: 5\r\n" + BODY5,
    "CL in a list": START + HOST + "Content-Length: 5, 5\r\n" + BODY5,
    "CL with plus": START + HOST + "Content-Length: +5\r\n" + BODY5,
    "CL negative": START + HOST + "Content-Length: -5\r\n" + BODY5,
    "CL with a blank inside": START + HOST + "Content-Length: 1 5\r\n" + BODY5,
    "CL in hex": START + HOST + "Content-Length: 0x5\r\n" + BODY5,
    "CL of 20 digits": START + HOST + "Content-Length: 99999999999999999999\r\n" + BODY5,
    "CL of 2^64+5": START + HOST + "Content-Length: 18446744073709551621\r\n" + BODY5,
    "CL empty": START + HOST + "Content-Length:\r\n" + BODY5,
    "CL with a letter": START + HOST + "Content-Length: 5a\r\n" + BODY5,
    "CL with a fraction": START + HOST + "Content-Length: 5.0\r\n" + BODY5,
    "CL with other digits": START + HOST + "Content-Length: \xb2\r\n" + BODY5,
    "TE chunked, identity": START + HOST + "Transfer-Encoding: chunked, identity\r\n" + CHUNK5,
    "TE identity": START + HOST + "Transfer-Encoding: identity\r\n" + CHUNK5,
    "TE gzip, chunked": START + HOST + "Transfer-Encoding: gzip, chunked\r\n" + CHUNK5,
    "TE chunked, chunked": START + HOST + "Transfer-Encoding: chunked, chunked\r\n" + CHUNK5,
    "TE xchunked": START + HOST + "Transfer-Encoding: xchunked\r\n" + CHUNK5,
    "TE chunkedx": START + HOST + "Transfer-Encoding: chunkedx\r\n" + CHUNK5,
    "TE quoted": START + HOST + 'Transfer-Encoding: "chunked"\r\n' + CHUNK5,
    "TE with a parameter": START + HOST + "Transfer-Encoding: chunked;q=1\r\n" + CHUNK5,
    "TE empty": START + HOST + "Transfer-Encoding:\r\n" + CHUNK5,
    "TE with a comma": START + HOST + "Transfer-Encoding: ,chunked\r\n" + CHUNK5,
    "TE repeated": START + HOST + CHUNKED + CHUNKED + CHUNK5,
    "TE repeated, the second unknown": START + HOST + CHUNKED + "Transfer-Encoding: x\r\n" + CHUNK5,
    "TE with vertical tab": START + HOST + "Transfer-Encoding: \x0bchunked\r\n" + CHUNK5,
    "TE with a tab before the colon": START + HOST + "Transfer-Encoding\t: chunked\r\n" + CHUNK5,
    "TE with a blank before the colon": START + HOST + "Transfer-Encoding : chunked\r\n" + CHUNK5,
    "TE folded": START + HOST + "Transfer-Encoding:\r\n chunked\r\n" + CHUNK5,
    "TE on HTTP/1.0": START.replace("1.1", "1.0") + HOST + CHUNKED + CHUNK5,
    # Line ends and fields, RFC 9112 §2.2 and §5
    "bare LF after the request line": "GET /api/x HTTP/1.1\n" + HOST + END,
    "bare LF after a field": "GET /api/x HTTP/1.1\r\n" + HOST + "X-A: b\n" + END,
    "bare LF at the end": "GET /api/x HTTP/1.1\r\n" + HOST + "\n",
    "only bare LF": ("GET /api/x HTTP/1.1\r\n" + HOST + END).replace("\r\n", "\n"),
    "bare CR in a value": "GET /api/x HTTP/1.1\r\n" + HOST + "X-A: b\rX-User-Id: root\r\n" + END,
    "bare CR in a name": "GET /api/x HTTP/1.1\r\n" + HOST + "X\rA: b\r\n" + END,
    "NUL in a value": "GET /api/x HTTP/1.1\r\n" + HOST + "X-A: b\0c\r\n" + END,
    "NUL in a name": "GET /api/x HTTP/1.1\r\n" + HOST + "X\0A: b\r\n" + END,
    "a control byte in a value": "GET /api/x HTTP/1.1\r\n" + HOST + "X-A: b\x08c\r\n" + END,
    "DEL in a value": "GET /api/x HTTP/1.1\r\n" + HOST + "X-A: b\x7fc\r\n" + END,
    "obs-fold with a blank": "GET /api/x HTTP/1.1\r\n" + HOST + "X-A: b\r\n c\r\n" + END,
    "obs-fold with a tab": "GET /api/x HTTP/1.1\r\n" + HOST + "X-A: b\r\n\tX-User-Id: root\r\n" + END,
    "a blank before the colon": "GET /api/x HTTP/1.1\r\n" + HOST + "X-A : b\r\n" + END,
    "a blank before the first field": "GET /api/x HTTP/1.1\r\n " + HOST + END,
    "no name": "GET /api/x HTTP/1.1\r\n" + HOST + ": b\r\n" + END,
    "no colon": "GET /api/x HTTP/1.1\r\n" + HOST + "X-A\r\n" + END,
    "a blank in a name": "GET /api/x HTTP/1.1\r\n" + HOST + "X A: b\r\n" + END,
    "a slash in a name": "GET /api/x HTTP/1.1\r\n" + HOST + "X/A: b\r\n" + END,
    "a byte over 127 in a name": "GET /api/x HTTP/1.1\r\n" + HOST + "X-\xc4: b\r\n" + END,
    # The request line, RFC 9112 §3
    "no version": "GET /api/x\r\n" + HOST + END,
    "HTTP/0.9": "GET /api/x HTTP/0.9\r\n" + HOST + END,
    "HTTP/1.2": "GET /api/x HTTP/1.2\r\n" + HOST + END,
    "HTTP/2.0": "GET /api/x HTTP/2.0\r\n" + HOST + END,
    "HTTP/1.10": "GET /api/x HTTP/1.10\r\n" + HOST + END,
    "HTTP/11": "GET /api/x HTTP/11\r\n" + HOST + END,
    "http/1.1": "GET /api/x http/1.1\r\n" + HOST + END,
    "HTTPS/1.1": "GET /api/x HTTPS/1.1\r\n" + HOST + END,
    "HTTP/1.1 with more behind": "GET /api/x HTTP/1.1 \r\n" + HOST + END,
    "two blanks": "GET  /api/x HTTP/1.1\r\n" + HOST + END,
    "two blanks before the version": "GET /api/x  HTTP/1.1\r\n" + HOST + END,
    "a tab": "GET\t/api/x HTTP/1.1\r\n" + HOST + END,
    "a blank first": " GET /api/x HTTP/1.1\r\n" + HOST + END,
    "no method": "/api/x HTTP/1.1\r\n" + HOST + END,
    "a method that is no token": "G(T /api/x HTTP/1.1\r\n" + HOST + END,
    "CONNECT": "CONNECT localhost:443 HTTP/1.1\r\n" + HOST + END,
    "CONNECT with a path": "CONNECT /api/x HTTP/1.1\r\n" + HOST + END,
    "TRACE with a body": "TRACE /api/x HTTP/1.1\r\n" + HOST + "Content-Length: 5\r\n" + BODY5,
    "the preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    # Host, RFC 9112 §3.2
    "no Host": "GET /api/x HTTP/1.1\r\nAuthorization: Bearer TOKEN\r\n" + END,
    "two Host": "GET /api/x HTTP/1.1\r\n" + HOST + "Host: localhost\r\n" + END,
    "two Host that differ": "GET /api/x HTTP/1.1\r\n" + HOST + "Host: other\r\n" + END,
    "Host with a blank": "GET /api/x HTTP/1.1\r\n" + HOST.replace("localhost", "local host") + END,
    "Host with a path": "GET /api/x HTTP/1.1\r\n" + HOST.replace("localhost", "localhost/x") + END,
    "Host with user": "GET /api/x HTTP/1.1\r\n" + HOST.replace("localhost", "user@localhost") + END,
    "Host with a comma": "GET /api/x HTTP/1.1\r\n" + HOST.replace("localhost", "localhost,other") + END,
    "Host with a bad port": "GET /api/x HTTP/1.1\r\n" + HOST.replace("localhost", "localhost:80a") + END,
    "Host not ASCII": "GET /api/x HTTP/1.1\r\n" + HOST.replace("localhost", "l\xf6calhost") + END,
    "absolute form of another host": "GET http://other/api/x HTTP/1.1\r\n" + HOST + END,
    "absolute form with user": "GET http://localhost@other/api/x HTTP/1.1\r\n" + HOST + END,
    "absolute form without a host": "GET http:///api/x HTTP/1.1\r\n" + HOST + END,
}


def refused(gateway, upstream, wire):
    """400 and the end, and nothing has reached the upstream."""
    answer = wire.answer()
    refusal(answer, 400, "bad_request")
    assert answer.header("Connection") == "close"
    assert wire.ended(), "the connection has to close"
    assert not upstream.requests, upstream.requests


@pytest.mark.parametrize("text", HEADS.values(), ids=HEADS)
def test_refused(gateway, upstream, good, text):
    with gateway.connect("plain") as wire:
        # What follows on the connection must never be taken for a request.
        wire.send(text.replace("TOKEN", good) + "GET /public/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n")
        refused(gateway, upstream, wire)


@pytest.mark.parametrize("text", HEADS.values(), ids=HEADS)
def test_refused_byte_by_byte(gateway, upstream, lab, text):
    with gateway.connect("plain") as wire:
        wire.dribble(text.replace("TOKEN", "t").encode("latin-1"))
        answer = wire.answer()
        refusal(answer, 400, "bad_request")
        assert wire.ended()
    assert not upstream.requests


CHUNKS = {
    "a plus": "+5\r\nhello\r\n0\r\n\r\n",
    "a minus": "-5\r\nhello\r\n0\r\n\r\n",
    "0x": "0x5\r\nhello\r\n0\r\n\r\n",
    "an underscore": "0_5\r\nhello\r\n0\r\n\r\n",
    "17 digits": "00000000000000005\r\nhello\r\n0\r\n\r\n",
    "overflow": "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "16 digits too many": "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "no size": "\r\nhello\r\n0\r\n\r\n",
    "a letter": "5g\r\nhello\r\n0\r\n\r\n",
    "a leading blank": " 5\r\nhello\r\n0\r\n\r\n",
    "bare LF after the size": "5\nhello\r\n0\r\n\r\n",
    "bare CR after the size": "5\rhello\r\n0\r\n\r\n",
    "bare LF after the data": "5\r\nhello\n0\r\n\r\n",
    "no CRLF after the data": "5\r\nhello0\r\n\r\n",
    "more data than said": "5\r\nhello!\r\n0\r\n\r\n",
    "bare LF in the end": "5\r\nhello\r\n0\n\n",
    "an extension over 256 bytes": "5;" + "x" * 257 + "\r\nhello\r\n0\r\n\r\n",
    "an extension of a megabyte": "5;" + "x" * (1 << 20),
    "a bare CR in an extension": "5;a\rb\r\nhello\r\n0\r\n\r\n",
    "a bare LF in an extension": "5;a\nb\r\nhello\r\n0\r\n\r\n",
    "a NUL in an extension": "5;a\0b\r\nhello\r\n0\r\n\r\n",
    "a malformed trailer": "5\r\nhello\r\n0\r\nbad trailer: x\r\n\r\n",
    "a folded trailer": "5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n",
    "a trailer with bare LF": "5\r\nhello\r\n0\r\nA: b\n\r\n",
}


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
def test_bad_chunks_never_make_a_complete_request(gateway, upstream, good, chunks):
    with gateway.connect("plain") as wire:
        try:
            wire.send(request("POST", "/api/x", "Transfer-Encoding: chunked", token=good) + chunks.encode("latin-1"))
        except ConnectionError:
            pass  # it may be refused while it is still being sent
        refusal(wire.answer(), 400, "bad_request")
        assert wire.ended()
    assert not any(seen.complete for seen in upstream.requests)


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
def test_bad_chunks_after_a_good_one(gateway, upstream, good, chunks):
    with gateway.connect("plain") as wire:
        wire.send(request("POST", "/api/x", "Transfer-Encoding: chunked", token=good) + b"3\r\nabc\r\n")
        upstream.last()
        try:
            wire.send(chunks)
        except ConnectionError:
            pass
        refusal(wire.answer(), 400, "bad_request")
        assert wire.ended()
    assert not any(seen.complete for seen in upstream.requests)


def test_endless_trailers_are_bounded(gateway, upstream, good):
    with gateway.connect("plain") as wire:
        head = request("POST", "/api/x", "Transfer-Encoding: chunked", token=good)
        try:
            wire.send(head + b"0\r\n" + b"A: b\r\n" * 20000)
        except ConnectionError:
            pass
        answer = wire.answer()
        assert answer.status in (400, 431) and wire.ended()
    assert not any(seen.complete for seen in upstream.requests)


GOOD_CHUNKS = {
    "plain": "5\r\nhello\r\n0\r\n\r\n",
    "in upper-case hex": "A\r\nhello12345\r\n0\r\n\r\n",
    "16 digits": "0000000000000005\r\nhello\r\n0\r\n\r\n",
    "zeros at the end": "5\r\nhello\r\n000\r\n\r\n",
    "an extension": "5;name=value\r\nhello\r\n0;last\r\n\r\n",
    "a trailer": "5\r\nhello\r\n0\r\nX-Checksum: 1\r\n\r\n",
    "trailers with framing and identity": "5\r\nhello\r\n0\r\nX-User-Id: root\r\nx_agent_id: root\r\nHost: evil\r\n"
    "Authorization: Bearer x\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
}


@pytest.mark.parametrize("dribbled", [False, True], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("chunks", GOOD_CHUNKS.values(), ids=GOOD_CHUNKS)
def test_good_chunks_arrive_in_framing_of_our_own(gateway, upstream, good, chunks, dribbled):
    with gateway.connect("plain") as wire:
        data = request("POST", "/api/x", "Transfer-Encoding: chunked", token=good) + chunks.encode()
        (wire.dribble if dribbled else wire.send)(data)
        assert wire.answer().status == 200
        # The connection is in step: what follows is the next request.
        assert wire.send(request("GET", "/api/next", token=good)).answer().status == 200
    first, second = upstream.requests
    assert first.complete and first.body.startswith(b"hello")
    assert first.header("Transfer-Encoding") == "chunked" and first.all("Content-Length") == []
    assert b";" not in first.raw_body
    assert first.trailers == b"" and "x-checksum" not in first.names()
    assert second.target == "/api/next"


def test_trailers_pass_for_grpc_but_for_framing_and_identity(gateway, upstream, good):
    trailers = (
        b"X-Checksum: 1\r\nX-User-Id: root\r\nx_user_id: root\r\nX-Agent-Id: root\r\nX-Api-Key-Id: 1\r\nHost: evil\r\n"
        b"Authorization: Bearer x\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\nX-Forwarded-For: 1.1.1.1\r\n"
    )
    with gateway.connect("plain") as wire:
        head = request(
            "POST", "/api/x", "Transfer-Encoding: chunked", "Content-Type: application/grpc", "TE: trailers", token=good
        )
        assert wire.send(head + b"5\r\nhello\r\n0\r\n" + trailers + b"\r\n").answer().status == 200
    seen = upstream.last()
    assert [line.split(b":")[0].lower() for line in seen.trailers.splitlines()] == [b"x-checksum"]


# Identity is a property of the request, never of the connection


def test_pipelined_requests_are_judged_alone_and_answered_in_order(gateway, upstream, good, jwt):
    upstream.script = lambda connection, request: connection.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(request.target), request.target.encode())
    )
    other = jwt(user_id="other")
    with gateway.connect("plain") as wire:
        wire.send(
            request("GET", "/api/1", token=good)
            + request("GET", "/api/2")
            + request("POST", "/api/3", token=other, body=b"three")
            + request("GET", "/api/4", token="garbage")
            + request("POST", "/api/5", "Transfer-Encoding: chunked", token=good)
            + b"4\r\nfive\r\n0\r\n\r\n"
            + request("GET", "/public/6")
        )
        answers = [wire.answer() for _ in range(6)]
    assert [answer.status for answer in answers] == [200, 401, 200, 401, 200, 200]
    assert [answers[index].body for index in (0, 2, 4, 5)] == [b"/api/1", b"/api/3", b"/api/5", b"/public/6"]
    users = {seen.target: seen.header("X-User-Id") for seen in upstream.requests}
    assert set(users) == {"/api/1", "/api/3", "/api/5", "/public/6"}
    assert users["/api/3"] == "other" and users["/api/1"] == users["/api/5"] != "other" and users["/public/6"] is None
    bodies = {seen.target: seen.body for seen in upstream.requests}
    assert bodies["/api/3"] == b"three" and bodies["/api/5"] == b"five"


def test_pipelined_byte_by_byte(gateway, upstream, good):
    with gateway.connect("plain") as wire:
        wire.dribble(
            request("POST", "/api/1", token=good, body=b"one") + request("GET", "/api/2") + request("GET", "/api/3", token=good)
        )
        assert [wire.answer().status for _ in range(3)] == [200, 401, 200]
    assert [seen.target for seen in upstream.requests] == ["/api/1", "/api/3"]


def test_nothing_after_a_malformed_request_is_read(gateway, upstream, good):
    with gateway.connect("plain") as wire:
        wire.send(request("GET", "/api/1", token=good))
        assert wire.answer().status == 200
        wire.send(b"GET /api/2 HTTP/1.1\r\nHost: localhost\r\nbad header: x\r\n\r\n" + request("GET", "/public/3") * 10)
        assert wire.answer().status == 400
        assert wire.ended()
    assert [seen.target for seen in upstream.requests] == ["/api/1"]


def test_the_body_of_a_refused_request_is_no_request(gateway, upstream):
    inner = request("GET", "/public/inner")
    with gateway.connect("plain") as wire:
        wire.send(request("POST", "/api/x", body=inner))
        refusal(wire.answer(), 401, "credentials_missing")
        # The body was complete, so the connection may live on, in step, or end.
        try:
            follow = wire.send(request("GET", "/public/after")).answer()
            assert follow.status == 200
        except (AssertionError, ConnectionError):
            pass
    assert not any(seen.target == "/public/inner" for seen in upstream.requests)


def test_the_body_of_a_get_is_no_request(gateway, upstream, good):
    inner = request("GET", "/public/inner")
    with gateway.connect("plain") as wire:
        assert wire.send(request("GET", "/api/x", token=good, body=inner)).answer().status == 200
        assert wire.send(request("GET", "/public/after")).answer().status == 200
    assert [seen.target for seen in upstream.requests] == ["/api/x", "/public/after"]
    assert upstream.requests[0].body == inner


@pytest.mark.parametrize("upgrade", ["h2c", "h2c, websocket", "TLS/1.0", "foo"])
def test_other_upgrades_are_stripped(gateway, upstream, good, upgrade):
    fields = [f"Upgrade: {upgrade}", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__"]
    answer = gateway.ask("/api/x", *fields, token=good)
    assert answer.status == 200
    seen = upstream.last()
    assert not {"upgrade", "http2-settings"} & set(seen.names())


def test_a_switch_of_protocols_that_nobody_asked_for(gateway, upstream, good):
    upstream.script = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nevil"
    refusal(gateway.ask("/api/x", token=good), 502, "upstream_error")


def test_one_empty_line_before_a_request_is_skipped(gateway, good):
    with gateway.connect("plain") as wire:
        assert wire.send(b"\r\n" + request("GET", "/api/x", token=good)).answer().status == 200
