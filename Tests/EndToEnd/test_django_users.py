"""A Django backend with SimpleJWT: our tokens pass there, its tokens pass here, its log-out acts here, its users move in."""

import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from support import eventually, free_port, postgres
from support.accounts import LAG, Crowd, Session, identity, import_users, login, post, refresh
from support.django_site import PEOPLE
from support.gateway import JWT, ROUTES, STORE, refusal
from support.tokens import decode, hs, resigned

APPLICATION = Path(__file__).parent / "support" / "django_site.py"
LEGACY_TOKEN, LEGACY_LOGOUT = "/legacy/token/", "/api/auth/legacy/logout/"
PASSWORDS = {email: password for email, password, *_ in PEOPLE}
PIA, SAM = PEOPLE[0][0], PEOPLE[1][0]
DJANGO = f"""
route POST {LEGACY_LOGOUT} {{ accept jwt; upstream agents; revokes session; }}
route POST {LEGACY_TOKEN} {{ accept none; upstream agents; }}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("django")


@pytest.fixture(scope="module")
def backend(lab, folder):
    port = free_port()
    command = [sys.executable, APPLICATION, str(port), folder, lab.path("hs256.key")]
    process = subprocess.Popen(command, start_new_session=True)

    def up():
        assert process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        except OSError:
            return False

    eventually(up, within=30)
    yield port
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="module")
def gateway(start, backend, folder):
    """In front of Django, with Django's users moved in."""
    gateway = start(upstream=backend, jwt=JWT, identity=identity(), routes=DJANGO + ROUTES)
    output = gateway.run("users", "import", str(folder / "users.jsonl")).stdout
    assert str(len(PEOPLE)) in output
    return gateway


def theirs(gateway, email=PIA):
    """A token pair that SimpleJWT has made, through the gateway."""
    answer = post(gateway, LEGACY_TOKEN, {"username": email, "password": PASSWORDS[email]})
    assert answer.status == 200, answer
    return answer.json


def me(gateway, token):
    return gateway.ask("/api/me/", token=token, listener="tls")


# Django's users, with the passwords that they have


def hashes(gateway):
    """The stored hashes by e-mail, read from the store behind the gateway's back."""
    if STORE == "postgres":
        rows = postgres.psql(gateway.store_url(), "SELECT email, password_hash FROM gatehouse.users")
        return dict(row.split("|", 1) for row in rows.splitlines())
    with sqlite3.connect(f"file:{gateway.folder}/gatehouse.db?mode=ro", uri=True) as store:
        return dict(store.execute("SELECT email, password_hash FROM users"))


@pytest.mark.parametrize("email, password, name, hasher", PEOPLE, ids=[row[3] for row in PEOPLE])
def test_an_imported_password_logs_in_and_becomes_a_current_hash(gateway, email, password, name, hasher):
    before = hashes(gateway)[email]
    assert before.startswith(f"{hasher}$")
    refusal(login(gateway, email, password + "!"), 401, "login_failed")
    assert hashes(gateway)[email] == before
    user = login(gateway, email, password).json["user"]
    assert (user["email"], user["firstName"], user["lastName"]) == (email, name, "Django") and user["id"].isdigit()
    upgraded = hashes(gateway)[email]
    assert upgraded.startswith("$scrypt$ln=15,r=8,p=3$")
    assert login(gateway, email, password).status == 200 and hashes(gateway)[email] == upgraded
    refusal(login(gateway, email, password + "!"), 401, "login_failed")


def test_an_imported_table_is_taken_whole_or_not_at_all(gateway):
    known = PIA.upper()
    good = {"email": "new@example.com", "password": hashes(gateway)[SAM]}
    result = import_users(gateway, good, {**good, "email": known}, code=1)
    assert ":2:" in result.stderr and "new@example.com" not in gateway.run("users", "list").stdout


# Tokens on both sides


def test_our_token_passes_there(gateway):
    session = Session(gateway, SAM, PASSWORDS[SAM])
    body = me(gateway, session.access).json
    assert (body["email"], str(body["id"])) == (SAM, session.user["id"])
    assert body["claims"] == decode(session.access)[1]


def test_our_refresh_token_does_not(gateway, backend):
    """Not here, and not when somebody asks Django itself."""
    session = Session(gateway, SAM, PASSWORDS[SAM])
    refusal(me(gateway, session.refresh), 401, "token_wrong_type")
    assert direct(backend, session.access).startswith(b"HTTP/1.1 200")
    assert direct(backend, session.refresh).startswith(b"HTTP/1.1 401")


def direct(port, token):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        head = f"GET /api/me/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        client.sendall(head.encode())
        return client.makefile("rb").read()


def test_their_token_passes_here(gateway):
    tokens = theirs(gateway)
    answer = me(gateway, tokens["access"])
    assert answer.status == 200 and answer.json["email"] == PIA
    gateway.logged(path="/api/me/", status=200, user_id=str(answer.json["id"]))
    assert refusal(me(gateway, tokens["refresh"]), 401, "token_wrong_type") == {"expected": "access"}


def test_their_token_is_judged_here(gateway, lab):
    access = theirs(gateway)["access"]
    refusal(me(gateway, resigned(access, hs(lab.secret), exp=1_700_000_000)), 401, "token_expired")
    refusal(me(gateway, resigned(access, hs(lab.other_secret))), 401, "token_invalid")
    refusal(refresh(gateway, theirs(gateway)["refresh"]), 401, "token_invalid")


# Its log-out


@pytest.mark.parametrize("status", [200, 204, 205])
def test_a_yes_of_the_backend_revokes_its_token_here(gateway, status):
    """SimpleJWT's tokens have a jti and no sid; Django itself goes on accepting them."""
    tokens, other = theirs(gateway), theirs(gateway)
    with Crowd(gateway, 16) as crowd:
        assert crowd.outcomes("/api/me/", tokens["access"]) == {200}
        answer = post(gateway, LEGACY_LOGOUT, {"refresh": tokens["refresh"], "status": status}, token=tokens["access"])
        assert answer.status == status
        assert crowd.outcomes("/api/me/", tokens["access"]) == {(401, "token_revoked")}
    assert me(gateway, other["access"]).status == 200, "it has another jti"


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 500, 503])
def test_anything_else_does_not(gateway, status):
    access = theirs(gateway)["access"]
    assert post(gateway, LEGACY_LOGOUT, {"status": status}, token=access).status == status
    assert me(gateway, access).status == 200


def test_it_ends_our_own_session_as_well(gateway):
    session, other = (Session(gateway, SAM, PASSWORDS[SAM]) for _ in range(2))
    young = session.renew()["access"]
    assert post(gateway, LEGACY_LOGOUT, {}, token=session.access).status == 205
    refusal(me(gateway, young), 401, "token_revoked")
    session.assert_dead()
    assert me(gateway, other.access).status == 200


def test_it_outlives_a_kill(gateway):
    access, living = theirs(gateway)["access"], theirs(gateway)["access"]
    assert post(gateway, LEGACY_LOGOUT, {}, token=access).status == 205
    gateway.process.kill()
    gateway.process.wait()
    gateway.start()
    refusal(me(gateway, access), 401, "token_revoked")
    assert me(gateway, living).status == 200


def test_a_disabled_user_s_tokens_are_dead_whoever_made_them(gateway):
    access = theirs(gateway)["access"]
    gateway.run("users", "disable", PIA)
    eventually(lambda: me(gateway, access).status == 401, within=LAG + 1)
    refusal(me(gateway, access), 401, "token_revoked")
    gateway.run("users", "enable", PIA)
    eventually(lambda: me(gateway, theirs(gateway)["access"]).status == 200, within=LAG + 1)


def test_nobody_reaches_it_without_a_token(gateway):
    refusal(post(gateway, LEGACY_LOGOUT, {}), 401, "credentials_missing")
    refusal(post(gateway, LEGACY_LOGOUT, {"status": 200}, token="garbage"), 401, "token_invalid")
