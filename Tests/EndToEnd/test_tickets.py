"""One-time tickets: for a WebSocket or an EventSource, which cannot set headers."""

import concurrent.futures
import re

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from support.chat import Echo, chat
from support.gateway import ROUTES, about_the_file, refusal
from support.identity import PASSWORD, Door, identity_configuration
from support.wire import request

OPEN = """
route /api/open/ { accept jwt; accept_query token; upstream agents; }
route /api/open/scoped/ { accept jwt; require scope admin; accept_query token; upstream agents; }
"""


@pytest.fixture(scope="module")
def gateway(start):
    return start(identity_configuration(routes=ROUTES + OPEN))


@pytest.fixture(scope="module")
def door(gateway):
    door = Door(gateway)
    door.add("t@example.com")
    return door


@pytest.fixture(scope="module")
def access(door):
    return door.login("t@example.com", PASSWORD)["access"]


def ticket_of(door, access):
    answer = door.post("/api/auth/ticket/", token=access)
    assert answer.status == 200 and answer.header("Cache-Control") == "no-store", answer
    assert list(answer.json) == ["ticket", "expiresIn"] and answer.json["expiresIn"] == 30
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", answer.json["ticket"])
    return answer.json["ticket"]


def test_a_ticket_opens_once(gateway, door, upstream, access):
    ticket = ticket_of(door, access)
    assert gateway.ask(f"/api/open/x?token={ticket}").status == 200
    seen = upstream.requests[-1]
    assert seen.target == "/api/open/x" and seen.header("Authorization") == f"Bearer {access}"
    assert seen.header("X-User-Id")
    refusal(gateway.ask(f"/api/open/x?token={ticket}"), 401, "token_invalid")


@pytest.mark.parametrize(
    "query, left",
    [
        ("token=T", ""),
        ("a=1&token=T", "?a=1"),
        ("token=T&b=%20x", "?b=%20x"),
        ("a=1&token=T&b=2", "?a=1&b=2"),
        ("tokens=1&token=T&xtoken=2", "?tokens=1&xtoken=2"),
        ("a&&token=T&", "?a&&"),
    ],
)
def test_it_is_taken_out_of_the_query(gateway, door, upstream, access, query, left):
    target = "/api/open/x?" + query.replace("token=T", "token=" + ticket_of(door, access))
    assert gateway.ask(target).status == 200
    assert upstream.requests[-1].target == "/api/open/x" + left


@pytest.mark.parametrize(
    "why, query", [("unknown", "token=" + "a" * 43), ("empty", "token="), ("no value", "token"), ("short", "token=abc")]
)
def test_what_is_no_ticket(gateway, upstream, why, query):
    refusal(gateway.ask(f"/api/open/x?{query}"), 401, "token_invalid")
    assert not upstream.requests, why


def test_tokens_and_keys_in_a_query_are_never_accepted(gateway, door, upstream, access):
    for credential in (access, gateway.key()):
        upstream.reset_script()
        refusal(gateway.ask(f"/api/open/x?token={credential}"), 401, "token_invalid")
        refusal(gateway.ask(f"/api/x?token={credential}"), 401, "credentials_missing")
        assert not upstream.requests


def test_other_routes_do_not_look_at_it(gateway, door, upstream, access):
    ticket = ticket_of(door, access)
    refusal(gateway.ask(f"/api/x?token={ticket}"), 401, "credentials_missing")
    assert gateway.ask(f"/api/x?token={ticket}", token=access).status == 200
    assert upstream.requests[-1].target == f"/api/x?token={ticket}"


def test_two_are_refused(gateway, door, access):
    ticket = ticket_of(door, access)
    refusal(gateway.ask(f"/api/open/x?token={ticket}&token={ticket}"), 400, "bad_request")


def test_a_header_wins_and_the_ticket_stays_unspent(gateway, door, upstream, access):
    ticket = ticket_of(door, access)
    assert gateway.ask(f"/api/open/x?token={ticket}", token=access).status == 200
    assert upstream.requests[-1].target == "/api/open/x"
    refusal(gateway.ask(f"/api/open/x?token={ticket}", token="x.y.z"), 401, "token_invalid")
    assert gateway.ask(f"/api/open/x?token={ticket}").status == 200


def test_the_routes_demands_count(gateway, door, access):
    refusal(gateway.ask(f"/api/open/scoped/x?token={ticket_of(door, access)}"), 403, "permission_denied")


def test_an_exposed_ticket_is_refused_and_spent(gateway, door, access):
    ticket = ticket_of(door, access)
    refusal(gateway.ask(f"/api/open/x?token={ticket}", listener="redirect"), 403, "https_required")
    refusal(gateway.ask(f"/api/open/x?token={ticket}"), 401, "token_invalid")
    assert gateway.ask("/api/open/x?token=other", listener="redirect").status == 308


def test_an_escaped_name_is_the_same_name(gateway, door, access):
    ticket = ticket_of(door, access)
    refusal(gateway.ask(f"/api/open/x?token={ticket}&%74oken=x"), 400, "bad_request")
    refusal(gateway.ask(f"/api/open/x?tOKEN={ticket}"), 401, "credentials_missing")


def test_many_spend_it_at_once(gateway, door, access):
    ticket = ticket_of(door, access)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: gateway.ask(f"/api/open/x?token={ticket}").status, range(16)))
    assert sorted(answers) == [200] + [401] * 15


def test_a_body_waits_for_the_ticket(gateway, door, upstream, access):
    body = b"x" * 200_000
    data = request("POST", f"/api/open/x?token={ticket_of(door, access)}", body=body)
    assert gateway.send(data, method="POST").status == 200
    assert upstream.requests[-1].body == body


def test_a_logout_kills_it(gateway, door):
    access = door.login("t@example.com")["access"]
    ticket = ticket_of(door, access)
    assert door.logout(access).status == 204
    refusal(gateway.ask(f"/api/open/x?token={ticket}"), 401, "token_revoked")


def test_who_gets_none(gateway, door, access):
    refusal(door.post("/api/auth/ticket/"), 401, "credentials_missing")
    refusal(door.post("/api/auth/ticket/", token=gateway.key()), 403, "credential_not_accepted")
    answer = door.send("GET", "/api/auth/ticket/", token=access)
    assert answer.header("Allow") == "POST" and refusal(answer, 405, "method_not_allowed") == {"allowed": ["POST"]}


def test_it_is_not_logged(gateway, door, access):
    ticket = ticket_of(door, access)
    answer = gateway.ask(f"/api/open/x?a=1&token={ticket}")
    line = gateway.logged(request_id=answer.header("X-Request-Id"))
    assert line["path"].startswith("/api/open/x?a=1&token=") and ticket not in line["path"]
    assert line["user_id"]


def test_a_websocket_opens_by_ticket(start):
    echo = Echo()
    gateway = start(identity_configuration(routes=ROUTES + OPEN), upstream=echo.port)
    door = Door(gateway)
    door.add("w@example.com")
    access = door.login("w@example.com")["access"]
    ticket = ticket_of(door, access)
    with chat(gateway, f"/api/open/chat?token={ticket}&room=1") as socket:
        socket.send("x")
        assert socket.recv(5) == "x"
    assert echo.handshakes[-1].path == "/api/open/chat?room=1"
    with pytest.raises(InvalidStatus) as refused:
        chat(gateway, f"/api/open/chat?token={ticket}")
    assert refused.value.response.status_code == 401
    echo.close()


def test_a_ticket_is_good_in_the_next_process_and_then_spent(start, upstream):
    """It is in the store: a new binary that takes over, or another gateway, knows it as well."""
    gateway = start(identity_configuration(routes=ROUTES + OPEN))
    door = Door(gateway)
    door.add("n@example.com")
    access = door.login("n@example.com")["access"]
    tickets = [ticket_of(door, access) for _ in range(2)]
    gateway.stop()
    gateway.start()
    assert gateway.ask(f"/api/open/x?token={tickets[0]}").status == 200
    gateway.stop()
    gateway.start()
    refusal(gateway.ask(f"/api/open/x?token={tickets[0]}"), 401, "token_invalid")
    assert gateway.ask(f"/api/open/x?token={tickets[1]}").status == 200


@about_the_file
def test_without_the_store_a_ticket_is_no_yes_and_a_guess_is_no_question(start, upstream, tmp_path):
    """threats.md, 'Faults': what cannot be decided is a 503. Who guesses does not reach the store."""
    gateway = start(identity_configuration(routes=ROUTES + OPEN))
    door = Door(gateway)
    door.add("s@example.com")
    access = door.login("s@example.com")["access"]
    ticket = ticket_of(door, access)
    store = gateway.folder / "gatehouse.db"
    store.rename(tmp_path / "gatehouse.db")
    refusal(gateway.ask(f"/api/open/x?token={ticket}"), 503, "store_unavailable")
    refusal(door.post("/api/auth/ticket/", token=access), 503, "store_unavailable")
    refusal(gateway.ask(f"/api/open/x?token={'A' * 43}"), 401, "token_invalid")
    (tmp_path / "gatehouse.db").rename(store)
    assert gateway.ask(f"/api/open/x?token={ticket}").status == 200


def test_one_user_has_so_many_and_no_more(start, upstream):
    gateway = start(identity_configuration(routes=ROUTES + OPEN))
    door = Door(gateway)
    for name in ("many", "other"):
        door.add(f"{name}@example.com")
    access = door.login("many@example.com")["access"]
    tickets = [ticket_of(door, access) for _ in range(64)]
    answer = door.post("/api/auth/ticket/", token=access)
    refusal(answer, 429, "rate_limited")
    assert 1 <= int(answer.header("Retry-After")) <= 30
    ticket_of(door, door.login("other@example.com")["access"])
    assert gateway.ask(f"/api/open/x?token={tickets[3]}").status == 200
    ticket_of(door, access)


def test_log_in_and_open_over_http_2(gateway, door, lab, upstream):
    """The gateway's own endpoints take their bodies from streams as well, and a body waits for its ticket."""
    base = f"https://localhost:{gateway.ports.tls}"
    with httpx.Client(http2=True, verify=lab.client_context(), base_url=base) as client:
        answer = client.post("/api/auth/login/", json={"email": "t@example.com", "password": PASSWORD})
        assert (answer.http_version, answer.status_code) == ("HTTP/2", 200)
        bearer = {"Authorization": "Bearer " + answer.json()["access"]}
        ticket = client.post("/api/auth/ticket/", headers=bearer).json()["ticket"]
        body = b"x" * 200_000
        assert client.post(f"/api/open/x?token={ticket}", content=body).status_code == 200
        assert upstream.requests[-1].body == body and upstream.requests[-1].target == "/api/open/x"
        large = client.post("/api/auth/login/", json={"email": "x" * 100_000, "password": "y"})
        assert large.status_code == 413 and client.post("/api/auth/logout/", headers=bearer).status_code == 204
        assert client.get("/api/x", headers=bearer).json()["error"] == "token_revoked"


def test_operators_see_it(gateway):
    assert "/api/auth/ticket/" in gateway.run("routes").stdout
