"""What runs long in Chromium: EventSource and WebSocket by ticket, fetch that reads as it comes; and how they end."""

import json
import threading
import time

import pytest

from support.browser import Browser
from support.chat import Echo
from support.gateway import ROUTES
from support.identity import Door, identity_configuration
from support.upstream import STREAM_HEAD, answer, chunk

STREAMS = """
upstream chat { server 127.0.0.1:CHAT; }
route /api/events/ { accept jwt; accept_query token; stream_keepalive 1s; upstream agents; }
route /api/room/ { accept jwt; accept_query token; upstream chat; }
"""


@pytest.fixture(scope="module")
def echo():
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture(scope="module")
def door(start, echo):
    door = Door(start(identity_configuration(routes=ROUTES + STREAMS.replace("CHAT", str(echo.port)))), "tls")
    door.add("browser@example.com")
    return door


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.quit()


@pytest.fixture
def more():
    """When the upstream may send its second event."""
    return threading.Event()


def serve(more, connection, request):
    if not request.target.startswith("/api/events/"):
        return connection.send(answer(b"<!doctype html><title>streams</title>", "200 OK", "Content-Type: text/html"))
    connection.send(STREAM_HEAD + chunk(b"data: first\n\n"))
    more.wait(20)
    connection.send(chunk(b"data: second\n\n"))
    connection.wait_ended(10)
    return False


@pytest.fixture
def page(browser, door, upstream, more):
    upstream.script = lambda connection, request: serve(more, connection, request)
    browser.open(f"https://localhost:{door.gateway.ports.tls}/public/page")
    browser.run("window.seen = []; window.note = (text) => seen.push(text);")
    yield browser
    browser.run("window.stream && window.stream.close()")


def credentials(door):
    access = door.login("browser@example.com")["access"]
    return access, door.post("/api/auth/ticket/", token=access).json["ticket"]


def seen(page, text):
    page.until(lambda: any(line.startswith(text) for line in page.run("return seen")))
    return next(line for line in page.run("return seen") if line.startswith(text))


def test_event_source(page, door, upstream, more):
    access, ticket = credentials(door)
    page.run(
        """
        stream = new EventSource("/api/events/?token=" + arguments[0] + "&n=1");
        stream.onmessage = (event) => note("message " + event.data);
        stream.addEventListener("error", (event) => { if (event.data) { note("error " + event.data); stream.close(); } });
        """,
        ticket,
    )
    seen(page, "message first")
    time.sleep(1.5)  # for a comment that keeps the connection alive
    more.set()
    seen(page, "message second")
    assert door.logout(access).status == 204
    envelope = json.loads(seen(page, "error ").removeprefix("error "))
    assert envelope["error"] == "token_revoked"
    assert [line for line in page.run("return seen") if line.startswith("message")] == ["message first", "message second"]
    asked = next(one for one in upstream.requests if one.target.startswith("/api/events/"))
    assert asked.target == "/api/events/?n=1" and asked.header("Authorization") == f"Bearer {access}"


def pieces(page):
    """What fetch has read, however it was cut."""
    return "".join(line.removeprefix("piece ") for line in page.run("return seen") if line.startswith("piece "))


def test_fetch_reads_as_it_comes(page, door, upstream, more):
    access, _ = credentials(door)
    page.run(
        """
        const token = arguments[0];
        (async () => {
            const answer = await fetch("/api/events/", {headers: {Authorization: "Bearer " + token}});
            note("status " + answer.status);
            const reader = answer.body.getReader(), decoder = new TextDecoder();
            for (;;) {
                const {done, value} = await reader.read();
                if (done) return note("done");
                note("piece " + decoder.decode(value));
            }
        })().catch((error) => note("failed " + error));
        """,
        access,
    )
    seen(page, "status 200")
    page.until(lambda: "data: first" in pieces(page))
    page.until(lambda: "\n:" in pieces(page))
    assert "second" not in pieces(page)
    more.set()
    page.until(lambda: "data: second" in pieces(page))
    assert door.logout(access).status == 204
    seen(page, "done")
    assert '"token_revoked"' in pieces(page).partition("event: error")[2]


def test_websocket(page, door, echo):
    access, ticket = credentials(door)
    page.run(
        """
        stream = new WebSocket(`wss://${location.host}/api/room/?token=${arguments[0]}`);
        stream.onopen = () => stream.send("hello");
        stream.onmessage = (event) => note("message " + event.data);
        stream.onclose = (event) => note(`close ${event.code} ${event.reason}`);
        """,
        ticket,
    )
    seen(page, "message hello")
    assert echo.handshakes[-1].path == "/api/room/" and echo.handshakes[-1].headers["X-User-Id"]
    assert door.logout(access).status == 204
    assert seen(page, "close") == "close 4401 token_revoked"
    spent = page.run("return seen.length")
    page.run(
        "new WebSocket(`wss://${location.host}/api/room/?token=${arguments[0]}`).onclose = (e) => note('end ' + e.code)", ticket
    )
    assert seen(page, "end") == "end 1006" and spent
