"""A WebSocket that is opened by the session's cookie: only from the gateway's own pages."""

import pytest
from websockets.exceptions import InvalidStatus

from support.chat import Echo, chat
from support.identity import PASSWORD, Door, identity_configuration


@pytest.fixture(scope="module")
def echo():
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture(scope="module")
def door(start, echo):
    door = Door(start(identity_configuration("cookies on;"), upstream=echo.port), "tls")
    door.add("c@example.com")
    return door


@pytest.fixture(scope="module")
def cookie(door):
    answer = door.try_login("c@example.com", PASSWORD, "Sec-Fetch-Site: same-origin")
    return next(line.partition(";")[0] for line in answer.all("Set-Cookie") if line.startswith("__Host-access="))


def test_the_own_page_opens_one(door, echo, cookie):
    origin = f"https://localhost:{door.gateway.ports.tls}"
    with chat(door.gateway, fields=[("Cookie", f"a=1; {cookie}"), ("Origin", origin)]) as socket:
        socket.send("x")
        assert socket.recv(5) == "x"
    headers = echo.handshakes[-1].headers
    assert headers["Cookie"] == "a=1" and headers["X-User-Id"], "the session's cookie stays here"
    assert headers["Authorization"] == "Bearer " + cookie.partition("=")[2]


@pytest.mark.parametrize("fields", [[("Origin", "https://evil.example")], [("Sec-Fetch-Site", "cross-site")], []])
def test_other_pages_do_not(door, echo, cookie, fields):
    """Cross-site WebSocket hijacking: a browser sends cookies along, and no preflight asks first."""
    known = len(echo.handshakes)
    with pytest.raises(InvalidStatus) as refused:
        chat(door.gateway, fields=[("Cookie", cookie), *fields])
    assert refused.value.response.status_code == 403 and b"csrf_failed" in refused.value.response.body
    assert len(echo.handshakes) == known
