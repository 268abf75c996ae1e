"""A real Django with SimpleJWT behind the gateway: each accepts the other's tokens, its logout acts here, its users move in."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support import eventually, free_port
from support.gateway import refusal
from support.identity import Door, claims_of, identity_configuration

APP = Path(__file__).parent / "support" / "django_app.py"
ROUTES = """
route POST /api/token/ { accept none; upstream agents; }
route POST /api/auth/legacy/logout/ { accept jwt; upstream agents; revokes session; }
route /api/ { accept jwt; upstream agents; }
"""


@pytest.fixture(scope="module")
def backend(lab, tmp_path_factory):
    port = free_port()
    log = tmp_path_factory.mktemp("django")
    with open(log / "log", "wb") as out:
        process = subprocess.Popen(
            [sys.executable, APP, str(port), lab.path("hs256.key"), log / "db.sqlite3"], stdout=out, stderr=out
        )
    yield port
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def door(start, backend):
    door = Door(start(identity_configuration(routes=ROUTES), upstream=backend))
    door.ann = door.add("ann@example.com")
    eventually(lambda: door.post("/api/token/", b"{}").status == 400, within=20)
    return door


def test_our_tokens_pass_there(door):
    access = door.login("ann@example.com")["access"]
    answer = door.open(access, "/api/me/")
    assert answer.status == 200 and answer.json == {"token": door.ann["id"], "gateway": door.ann["id"]}


def backend_login(door):
    answer = door.post("/api/token/", {"username": "dora", "password": "backend password"})
    assert answer.status == 200, answer
    return answer.json


def test_its_tokens_pass_here(door):
    tokens = backend_login(door)
    answer = door.open(tokens["access"], "/api/me/")
    assert answer.status == 200 and answer.json == {"token": "1", "gateway": "1"}
    assert refusal(door.open(tokens["refresh"], "/api/me/"), 401, "token_wrong_type") == {"expected": "access"}


def test_its_logout_acts_here(door):
    tokens = backend_login(door)
    other = backend_login(door)
    refused = door.post("/api/auth/legacy/logout/", {"refresh": "nonsense"}, token=tokens["access"])
    assert refused.status == 401, "the backend's own refusal"
    assert door.open(tokens["access"], "/api/me/").status == 200
    answer = door.post("/api/auth/legacy/logout/", {"refresh": tokens["refresh"]}, token=tokens["access"])
    assert answer.status == 200
    refusal(door.open(tokens["access"], "/api/me/"), 401, "token_revoked")
    assert door.open(other["access"], "/api/me/").status == 200
    assert claims_of(tokens["access"])["jti"] != claims_of(other["access"])["jti"]


@pytest.fixture(scope="module")
def hashes(backend):
    """What Django's own hashers make of a password."""
    code = f"""
import sys; sys.argv = ['x', '0', {str(APP)!r}, ':memory:']
exec(open({str(APP)!r}).read().split('from django.contrib.auth.models')[0])
from django.contrib.auth.hashers import make_password
for name in ('pbkdf2_sha256', 'scrypt'): print(make_password('from django', hasher=name))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return result.stdout.split()


def stored_hash(door, email):
    import sqlite3

    with sqlite3.connect(door.gateway.folder / "gatehouse.db") as database:
        return database.execute("SELECT password_hash FROM users WHERE email = ?", [email]).fetchone()[0]


def test_its_users_move_in_and_get_stronger_hashes(door, hashes):
    rows = [
        {"id": 41, "email": "Old@Example.com", "password": hashes[0], "firstName": "Old", "lastName": "Timer"},
        {"email": "newer@example.com", "password": hashes[1]},
        {"email": "left@example.com", "password": hashes[0], "disabled": True},
    ]
    table = "\n".join(json.dumps(row) for row in rows) + "\n\n"
    assert "added 3 users" in door.gateway.run("users", "import", "-", input=table).stdout
    for email, user in (("old@example.com", "41"), ("newer@example.com", None)):
        assert stored_hash(door, email) in hashes
        refusal(door.try_login(email, "from Django"), 401, "login_failed")
        tokens = door.login(email, "from django")
        assert user is None or tokens["user"] == {"id": user, "email": email, "firstName": "Old", "lastName": "Timer"}
        assert stored_hash(door, email).startswith("$scrypt$ln=15,r=8,p=3$"), "upgraded at the first login"
        door.login(email, "from django")
        refusal(door.try_login(email, "from Django"), 401, "login_failed")
    refusal(door.try_login("left@example.com", "from django"), 401, "login_failed")


@pytest.mark.parametrize(
    "line, reason",
    [
        ("nonsense", "not a JSON object"),
        ('{"email":"a@b"}', "password"),
        ('{"email":"a@b","password":"plain text"}', "not a hash that can be read"),
        ('{"email":"nobody","password":"HASH"}', "email"),
        ('{"password":"HASH"}', "email is missing"),
        ('{"email":"a@b","password":"HASH","id":"a b"}', "id"),
        ('{"email":"a@b","password":"HASH","disabled":"no"}', "disabled"),
        ('{"email":"a@b","password":"HASH","admin":true}', "unknown member 'admin'"),
        ('{"email":"FINE@example.com","password":"HASH"}', "line 1 has the same"),
        ('{"email":"ann@example.com","password":"HASH"}', "another user has this email"),
    ],
)
def test_a_table_with_a_bad_line_adds_nobody(door, hashes, line, reason):
    fine = json.dumps({"email": "fine@example.com", "password": hashes[0]})
    result = door.gateway.run("users", "import", "-", input=f"{fine}\n{line.replace('HASH', hashes[1])}\n", code=1)
    assert "-:2: error: " in result.stderr and reason in result.stderr and "nobody was added" in result.stderr
    assert hashes[1] not in result.stderr and "fine@example.com" not in door.gateway.run("users", "list").stdout
