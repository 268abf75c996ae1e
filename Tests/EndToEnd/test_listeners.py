"""The kinds of listener: redirect, plain, unix, IPv6, and those behind a load balancer."""

import contextlib
import json
import re
import selectors
import socket
import struct
import threading
import time

import pytest

from support import PATIENCE, eventually
from support.accounts import API_KEYS, LOGIN, LOGOUT, PASSWORD, REFRESH, add_user, identity, keys_path, login
from support.gateway import configuration, refusal
from support.upstream import OK
from support.wire import Wire, request

ROUTE = "route /api/ { accept jwt; upstream agents; } route /widget/ { accept none; upstream agents; }"

# Redirect


REDIRECTED = {
    "a path": ("/api/x", "/api/x"),
    "a query": ("/api/x?a=b%2F&c", "/api/x?a=b%2F&c"),
    "the root": ("/", "/"),
    "an open route": ("/widget/", "/widget/"),
    "nothing there": ("/nothing", "/nothing"),
}


@pytest.mark.parametrize("target, expected", REDIRECTED.values(), ids=REDIRECTED)
def test_redirect(gateway, upstream, target, expected):
    answer = gateway.ask(target, listener="redirect")
    assert answer.status == 308
    location = answer.header("Location")
    assert location.startswith(("https://localhost/", f"https://localhost:{gateway.ports.tls}/")) and location.endswith(expected)
    assert not upstream.requests


def test_redirect_of_a_host_with_a_port(gateway):
    location = gateway.ask("/api/x", listener="redirect", host=f"localhost:{gateway.ports.redirect}").header("Location")
    assert location.startswith("https://localhost") and f":{gateway.ports.redirect}" not in location


def test_redirect_keeps_method_and_step(gateway):
    with gateway.connect("redirect") as wire:
        for method in ("POST", "HEAD", "DELETE"):
            assert wire.send(request(method, "/api/x")).answer(method).status == 308


@pytest.mark.parametrize("field", ["Authorization: Bearer {token}", "authorization: bearer rk_" + "A" * 43, "Authorization: Basic eDp5",
                                   "Authorization: Bearer garbage"])  # fmt: skip
def test_a_credential_over_plain_http_is_refused_not_redirected(gateway, upstream, good, field):
    answer = gateway.ask("/api/x", field.replace("{token}", good), listener="redirect")
    refusal(answer, 403, "https_required")
    assert answer.all("Location") == []
    assert not upstream.requests


def test_redirect_does_not_split_the_answer(gateway):
    for target in ("/api/%0d%0aSet-Cookie:%20x=1", "/api/x%0d%0a%0d%0a<script>"):
        answer = gateway.ask(target, listener="redirect")
        assert answer.status in (308, 400) and answer.all("Set-Cookie") == []


def test_redirect_of_a_malformed_host(gateway):
    for host in ("evil.example/x", "a b", "x@evil.example"):
        assert gateway.ask("/api/x", listener="redirect", host=host).status == 400


def test_healthz_on_the_redirect_listener(gateway, good):
    assert gateway.ask("/healthz", listener="redirect").status == 200
    assert gateway.ask("/healthz", listener="redirect", token=good).status == 200


# Addresses


@pytest.fixture(scope="module")
def several(start, tmp_path_factory):
    path = tmp_path_factory.mktemp("socket") / "gateway.sock"
    listeners = (
        "listen 127.0.0.1:{tls} tls; listen 127.0.0.1:{plain} plain; listen [::1]:{extra} plain; "
        f"listen unix:{path} plain; listen 127.0.0.1:{{proxy}} plain proxy_protocol;"
    )
    gateway = start(listeners=listeners, top="trusted_proxies 127.0.0.1;", routes=ROUTE)
    gateway.unix = str(path)
    return gateway


def test_ipv6(several, upstream, good):
    with Wire(("::1", several.ports.extra)) as wire:
        assert wire.send(request("GET", "/api/x", token=good, host=f"[::1]:{several.ports.extra}")).answer().status == 200
    seen = upstream.last()
    assert seen.header("X-Forwarded-For") == "::1"
    assert seen.header("Host") == f"[::1]:{several.ports.extra}"


def test_ipv4_over_an_ipv6_socket_is_written_as_ipv4(start, upstream, good):
    gateway = start(listeners="listen [::]:{extra} plain; listen 127.0.0.1:{tls} tls;", top="allow_insecure on;", routes=ROUTE)
    try:
        wire = Wire(("127.0.0.1", gateway.ports.extra))
    except ConnectionRefusedError:
        return  # an IPv6-only socket, which is as good
    with wire:
        assert wire.send(request("GET", "/api/x", token=good)).answer().status == 200
    assert upstream.last().header("X-Forwarded-For") == "127.0.0.1"


def test_a_unix_socket(several, upstream, good):
    with Wire(several.unix) as wire:
        assert wire.send(request("GET", "/api/x", token=good)).answer().status == 200
        assert wire.send(request("GET", "/api/x")).answer().status == 401
        assert wire.send(request("GET", "/healthz")).answer().status == 200


def test_healthz_is_on_every_listener(several):
    for wire in (Wire(several.unix), Wire(("::1", several.ports.extra)), several.connect("plain"), several.connect("tls")):
        with wire:
            answer = wire.send(request("GET", "/healthz")).answer()
            assert answer.status == 200 and answer.json == {"status": "ok"}


# PROXY protocol


SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def version_2(command, family, addresses):
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack("!H", len(addresses)) + addresses


V4 = socket.inet_aton("203.0.113.7") + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 5000, 443)
V6 = (
    socket.inet_pton(socket.AF_INET6, "2001:db8::7")
    + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    + struct.pack("!HH", 5000, 443)
)

HEADERS = {
    "v1 TCP4": (b"PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\r\n", "203.0.113.7"),
    "v1 TCP6": (b"PROXY TCP6 2001:db8::7 2001:db8::1 5000 443\r\n", "2001:db8::7"),
    "v1 UNKNOWN": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    "v1 UNKNOWN with addresses": (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "127.0.0.1"),
    "v2 TCP4": (version_2(1, 0x11, V4), "203.0.113.7"),
    "v2 TCP6": (version_2(1, 0x21, V6), "2001:db8::7"),
    "v2 with a TLV": (version_2(1, 0x11, V4 + b"\x04\x00\x02ab"), "203.0.113.7"),
    "v2 LOCAL": (version_2(0, 0x00, b""), "127.0.0.1"),
    "v2 LOCAL with an address": (version_2(0, 0x11, V4), "127.0.0.1"),
    "v2 unspecified family": (version_2(1, 0x00, b""), "127.0.0.1"),
}


@pytest.mark.parametrize("dribbled", [False, True], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("header, address", HEADERS.values(), ids=HEADERS)
def test_the_address_of_the_proxy_header(several, upstream, good, header, address, dribbled):
    with several.connect("proxy") as wire:
        (wire.dribble if dribbled else wire.send)(header + request("GET", "/api/x", token=good))
        assert wire.answer().status == 200
        assert wire.send(request("GET", "/api/y", token=good)).answer().status == 200
    # The trusted peer may be named behind the address that it told.
    for seen in upstream.requests:
        assert seen.header("X-Forwarded-For").split(", ")[0] == address


BAD_HEADERS = {
    "none": b"GET /widget/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "v1 too long": b"PROXY TCP4 " + b"1" * 200 + b"\r\n",
    "v1 bad address": b"PROXY TCP4 203.0.113.999 192.0.2.1 5000 443\r\n",
    "v1 bad port": b"PROXY TCP4 203.0.113.7 192.0.2.1 70000 443\r\n",
    "v1 bare LF": b"PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\n",
    "v1 other word": b"PROXY UDP4 203.0.113.7 192.0.2.1 5000 443\r\n",
    "v2 bad version": SIGNATURE + b"\x31\x11" + struct.pack("!H", 12) + V4,
    "v2 bad command": SIGNATURE + b"\x2f\x11" + struct.pack("!H", 12) + V4,
    "v2 too short": version_2(1, 0x11, V4[:8]),
}


@pytest.mark.parametrize("header", BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_a_connection_without_a_good_proxy_header_is_closed(several, upstream, header):
    with several.connect("proxy") as wire:
        wire.send(header + request("GET", "/widget/"))
        assert b" 200 " not in wire.rest()
    assert not upstream.requests


def test_an_untrusted_peer_has_no_proxy_header_to_send(start, upstream):
    gateway = start(
        listeners="listen 127.0.0.1:{proxy} plain proxy_protocol; listen 127.0.0.1:{tls} tls;",
        top="trusted_proxies 10.0.0.0/8;",
        routes=ROUTE,
    )
    with gateway.connect("proxy") as wire:
        try:
            wire.send(b"PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\r\n" + request("GET", "/widget/"))
        except ConnectionError:
            pass
        assert wire.rest() == b""
    assert not upstream.requests


HEADER = b"PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\r\n"


@pytest.fixture(scope="module")
def proxied(start, tmp_path_factory):
    path = tmp_path_factory.mktemp("proxied") / "gateway.sock"
    listeners = (
        f"listen 127.0.0.1:{{proxy}} plain proxy_protocol; listen unix:{path} plain proxy_protocol; listen 127.0.0.1:{{tls}} tls;"
    )
    gateway = start(listeners=listeners, top="trusted_proxies 127.0.0.1;", routes=ROUTE)
    gateway.peers = {"tcp": ("127.0.0.1", gateway.ports.proxy), "unix": str(path)}
    return gateway


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_half_a_proxy_header_is_waited_for_and_costs_nothing(proxied, upstream, good, kind):
    """Who may connect to a Unix socket is for its file to say: no address of `trusted_proxies` is needed."""
    with Wire(proxied.peers[kind]) as wire:
        wire.send(HEADER[:20])
        time.sleep(0.1)
        before = proxied.cpu_seconds()
        time.sleep(1)
        assert proxied.cpu_seconds() - before < 0.3
        wire.send(HEADER[20:] + request("GET", "/api/x", token=good))
        assert wire.answer().status == 200
    assert upstream.last().header("X-Forwarded-For") == "203.0.113.7"


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_connection_without_the_whole_proxy_header_ends(proxied, kind):
    with Wire(proxied.peers[kind]) as wire:
        wire.send(HEADER[:20])
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.ended(within=2)
    with Wire(proxied.peers[kind]) as wire:
        try:
            wire.send(request("GET", "/healthz"))
        except ConnectionError:
            pass
        assert wire.rest() == b""


def test_tls_behind_the_proxy_header(start, upstream, lab, good):
    gateway = start(
        listeners="listen 127.0.0.1:{proxy} tls proxy_protocol; listen 127.0.0.1:{tls} tls;",
        top="trusted_proxies 127.0.0.1;",
        routes=ROUTE,
    )
    raw = socket.create_connection(("127.0.0.1", gateway.ports.proxy), timeout=10 * PATIENCE)
    # Corked, the header leaves with the client's hello.
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    raw.sendall(HEADER)
    with lab.client_context().wrap_socket(raw, server_hostname="localhost", do_handshake_on_connect=False) as tls:
        tls.do_handshake()
        tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        tls.sendall(request("GET", "/api/x", "Connection: close", token=good))
        assert tls.recv(65536).startswith(b"HTTP/1.1 200")
    seen = upstream.last()
    assert seen.header("X-Forwarded-For").split(", ")[0] == "203.0.113.7" and seen.header("X-Forwarded-Proto") == "https"


# Bounds on connections


def test_idle_connections_end(start, upstream, good):
    gateway = start(configuration(top="keepalive_timeout 1s;", routes=ROUTE))
    with gateway.connect("plain") as wire:
        assert wire.send(request("GET", "/api/x", token=good)).answer().status == 200
        assert wire.ended(within=4)


def test_a_reader_that_stalls_for_ever_is_cut(start, upstream, good):
    gateway = start(configuration(top="write_timeout 1s;", routes=ROUTE))
    ended = []

    def script(connection, _):
        connection.socket.settimeout(10 * PATIENCE)
        try:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (200 << 20))
            for _ in range(200):
                connection.send(b"x" * (1 << 20))
        except TimeoutError:
            return False
        except OSError:
            ended.append(True)
        return False

    upstream.script = script
    with gateway.connect("plain", receive_buffer=65_536) as wire:
        wire.send(request("GET", "/api/x", token=good)).final_head()
        eventually(lambda: ended, within=6)


def test_max_connections(start, upstream, good):
    gateway = start(configuration(top="max_connections 8;", routes=ROUTE))
    held = [gateway.connect("plain") for _ in range(8)]
    for wire in held:
        assert wire.send(request("GET", "/widget/")).answer().status == 200
    late = gateway.connect("plain")
    late.send(request("GET", "/widget/"))
    assert late.silent(0.5), "it waits until another ends"
    for wire in held:
        wire.close()
    assert late.answer().status == 200
    late.close()


def sent_json(wire, target, body, token=None):
    data = json.dumps(body).encode()
    return wire.send(request("POST", target, "Content-Type: application/json", token=token, body=data)).answer()


def readable(wires, within):
    """Those of the connections on which something has come."""
    with selectors.DefaultSelector() as selector:
        for wire in wires:
            selector.register(wire.socket, selectors.EVENT_READ, wire)
        return [key.data for key, _ in selector.select(within * PATIENCE)]


def test_running_out_of_descriptors(start, upstream):
    """Clients beyond the limit wait; those served, their upstreams and the store never do."""
    gateway = start(jwt="", identity=identity("rotate_refresh on;"), api_keys=API_KEYS, run=False)
    email = add_user(gateway)
    gateway.start(descriptors=300)
    limit = int(eventually(lambda: re.search(r"max_connections=(\d+)", gateway.said()))[1])
    token = login(gateway, email).json["access"]
    go, waiting = threading.Event(), []

    def script(connection, seen):
        if seen.target == "/api/held":
            waiting.append(seen)
            go.wait(30 * PATIENCE)
        connection.send(OK)

    upstream.script = script
    with contextlib.ExitStack() as stack:
        stack.callback(go.set)
        own = stack.enter_context(gateway.connect("plain"))
        assert own.send(request("GET", "/healthz")).answer().status == 200
        crowd = [stack.enter_context(gateway.connect("plain")) for _ in range(250)]
        for wire in crowd:
            wire.send(request("GET", "/api/held", token=token))
        eventually(lambda: len(waiting) == limit - 1, within=10)

        # Every client that there is room for, and its upstream: what is left is the reserve.
        for _ in range(3):
            made = sent_json(own, LOGIN, {"email": email, "password": PASSWORD})
            assert made.status == 200, made
            assert sent_json(own, REFRESH, {"refresh": made.json["refresh"]}).status == 200
            key = sent_json(own, keys_path(), {"name": "at the limit"}, made.json["access"])
            assert key.status == 201, key
            assert own.send(request("GET", "/api/agents/bot-1/", token=key.json["key"])).answer().status == 200
            assert own.send(request("POST", LOGOUT, token=made.json["access"])).answer().status == 204
        assert gateway.admin("/healthz")[0] == gateway.admin("/readyz")[0] == gateway.admin("/metrics")[0] == 200
        assert len(waiting) == limit - 1 and not readable(crowd, 0), "the others wait, and are not refused"

        go.set()
        left = set(crowd)
        while left:
            answered = readable(left, 10)
            assert answered, f"{len(left)} were not answered: {gateway.said()}"
            for wire in answered:
                assert wire.answer().status == 200, gateway.said()
                wire.close()
            left -= set(answered)
    assert len(waiting) == len(crowd)
    assert gateway.ask("/api/x", token=token).status == 200
