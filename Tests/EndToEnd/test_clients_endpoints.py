"""What a backend may ask about tokens, and end: introspection (RFC 7662) and revocation (RFC 7009) by the identity block's clients."""

import base64
import time
from urllib.parse import urlencode

import pytest

from support import eventually
from support.accounts import LAG, Crowd, Session, add_user, identity
from support.gateway import configuration, refusal
from support.lab import write_private
from support.tokens import claims, encode, hs, resigned, rs

INTROSPECT, REVOKE = "/api/auth/introspect/", "/api/auth/revoke/"
FORM = "application/x-www-form-urlencoded"
SECRETS = {"backend": "b5e1d7ac90" * 4, "reports": "0f3c9a77e2" * 4}


@pytest.fixture(scope="module", autouse=True)
def secret_files(lab):
    for name, secret in SECRETS.items():
        write_private(lab.path(f"{name}.secret"), secret.encode())


@pytest.fixture(scope="module")
def gateway(start):
    block = identity(*(f"client {name} file:LAB/{name}.secret;" for name in SECRETS))
    return start(identity=block)


@pytest.fixture(scope="module")
def email(gateway):
    return add_user(gateway)


@pytest.fixture
def session(gateway, email):
    return Session(gateway, email)


def basic(name="backend", secret=None, scheme="Basic"):
    pair = f"{name}:{SECRETS[name] if secret is None else secret}"
    return f"Authorization: {scheme} {base64.b64encode(pair.encode()).decode()}"


def send(gateway, target, body, *fields, kind=FORM, method="POST"):
    """One request over TLS, whose body is a form unless it is bytes already."""
    data = body if isinstance(body, bytes) else urlencode(body).encode()
    return gateway.ask(target, f"Content-Type: {kind}", *fields, method=method, body=data, listener="tls")


def introspect(gateway, token, *fields, **more):
    """What the gateway says about a token to a client that may ask."""
    got = send(gateway, INTROSPECT, {"token": token, **more}, *(fields or [basic()]))
    assert got.status == 200, got
    assert got.header("Content-Type") == "application/json" and got.header("Cache-Control") == "no-store"
    return got.json


def revoke(gateway, token, **more):
    got = send(gateway, REVOKE, {"token": token, **more}, basic())
    assert got.status == 200, got
    return got


# Introspection


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_a_token_that_is_good(gateway, session, kind):
    """RFC 7662 2.2: active, and what the token says."""
    token = getattr(session, kind)
    said, own = introspect(gateway, token), session.claims
    assert said["active"] is True
    assert said["sub"] == session.user["id"] == own["sub"] and said["sid"] == own["sid"]
    assert type(said["exp"]) is int and type(said["iat"]) is int and said["exp"] > time.time()
    assert said["jti"] and isinstance(said["token_type"], str)
    if kind == "access":
        assert (said["exp"], said["iat"], said["jti"]) == (own["exp"], own["iat"], own["jti"])
    else:
        assert said["jti"] != own["jti"] and said["exp"] > own["exp"]


def test_the_two_kinds_can_be_told_apart(gateway, session):
    access, refresh_ = introspect(gateway, session.access), introspect(gateway, session.refresh)
    assert access["token_type"] != refresh_["token_type"]


def test_asking_changes_nothing(gateway, session):
    for _ in range(3):
        assert introspect(gateway, session.refresh)["active"] and introspect(gateway, session.access)["active"]
    assert session.is_alive()


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "something_else"])
def test_a_hint_is_only_a_hint(gateway, session, hint):
    """RFC 7662 2.1"""
    for token in (session.access, session.refresh):
        assert introspect(gateway, token, token_type_hint=hint)["active"] is True


INACTIVE = {
    "garbage": lambda session, lab: "garbage",
    "three parts of garbage": lambda session, lab: "x.y.z",
    "an expired token": lambda session, lab: resigned(session.access, hs(lab.secret), exp=int(time.time()) - 5),
    "one that is not valid yet": lambda session, lab: resigned(session.access, hs(lab.secret), nbf=int(time.time()) + 600),
    "a stranger's signature": lambda session, lab: resigned(session.access, hs(lab.other_secret)),
    "a changed signature": lambda session, lab: session.access[:-8] + "AAAAAAAA",
    "alg none": lambda session, lab: encode({"alg": "none"}, session.claims, lambda text: b""),
    "another issuer's": lambda session, lab: encode(
        {"alg": "RS256", "kid": "rsa-0"}, claims(iss="https://idp.example/", aud="agents"), rs(lab.rsa[0])
    ),
    "no expiry": lambda session, lab: resigned(session.access, hs(lab.secret), exp=None),
    "a key that nobody has": lambda session, lab: "rk_" + "x" * 43,
    "a blank before it": lambda session, lab: " " + session.access,
    "its first half": lambda session, lab: session.access[: len(session.access) // 2],
    "many parts": lambda session, lab: "a." * 500,
}


@pytest.mark.parametrize("make", INACTIVE.values(), ids=INACTIVE)
def test_anything_else_is_not_active_and_nothing_more(gateway, session, lab, make):
    """RFC 7662 2.2: no reason, no claim of a token that is not active."""
    assert introspect(gateway, make(session, lab)) == {"active": False}


def test_an_api_key_is_active_until_it_is_revoked(gateway):
    """It was issued here too."""
    key, made_up = gateway.key(agent="bot-9"), gateway.key().replace("rk_", "rk_x")
    said = introspect(gateway, key)
    assert said["active"] is True and said["token_type"] == "api_key" and said["agent_id"] == "bot-9"
    assert introspect(gateway, made_up) == {"active": False}
    assert send(gateway, REVOKE, {"token": key}, basic()).status == 200
    assert introspect(gateway, key) == {"active": False}


def test_a_session_that_ended_is_not_active(gateway, session):
    session.end()
    assert introspect(gateway, session.access) == introspect(gateway, session.refresh) == {"active": False}


def test_a_disabled_users_tokens_are_not_active(gateway):
    session = Session(gateway, add_user(gateway))
    gateway.run("users", "disable", session.email)
    eventually(lambda: introspect(gateway, session.access) == {"active": False}, within=LAG + 1)
    assert introspect(gateway, session.refresh) == {"active": False}


def test_an_expired_token_of_a_session_that_goes_on(gateway, session, lab):
    old = resigned(session.access, hs(lab.secret), exp=int(time.time()) + 2)
    assert introspect(gateway, old)["active"] is True
    eventually(lambda: introspect(gateway, old) == {"active": False}, within=4)
    assert introspect(gateway, session.access)["active"] is True


# Who may ask

STRANGERS = {
    "nobody": [],
    "a wrong secret": [basic(secret="wrong")],
    "an empty secret": [basic(secret="")],
    "the beginning of the secret": [basic(secret=SECRETS["backend"][:-1])],
    "more than the secret": [basic(secret=SECRETS["backend"] + "x")],
    "another client's secret": [basic(secret=SECRETS["reports"])],
    "an unknown client": [basic("nobody", SECRETS["backend"])],
    "an empty name": [basic("", SECRETS["backend"])],
    "another case": [basic("Backend", SECRETS["backend"])],
    "no colon": ["Authorization: Basic " + base64.b64encode(b"backend").decode()],
    "no base64": ["Authorization: Basic %%%"],
    "nothing after the scheme": ["Authorization: Basic"],
    "another scheme": [basic(scheme="Bearer")],
}


@pytest.mark.parametrize("fields", STRANGERS.values(), ids=STRANGERS)
@pytest.mark.parametrize("target", [INTROSPECT, REVOKE])
def test_a_stranger_is_told_nothing(gateway, session, target, fields):
    """RFC 7662 2.3, RFC 7009 2.1: 401, and the scheme that is asked for (RFC 7617)."""
    got = send(gateway, target, {"token": session.access}, *fields)
    assert got.status == 401 and got.header("WWW-Authenticate").startswith("Basic realm="), got
    assert list(got.json) == ["error", "message", "details"] and got.header("Cache-Control") == "no-store"
    assert session.use().status == 200, "nothing was revoked"


@pytest.mark.parametrize("target", [INTROSPECT, REVOKE])
def test_a_users_token_does_not_authenticate_a_client(gateway, session, target):
    got = send(gateway, target, {"token": session.access}, f"Authorization: Bearer {session.access}")
    assert got.status == 401 and got.header("WWW-Authenticate").startswith("Basic ")
    form = {"token": session.access, "client_id": "backend", "client_secret": SECRETS["backend"]}
    assert send(gateway, target, form).status == 401, "by Basic only"
    assert session.use().status == 200


def test_an_unknown_client_and_a_wrong_secret_look_alike(gateway, session):
    answers = [send(gateway, INTROSPECT, {"token": "x"}, basic(*pair)) for pair in (("backend", "wrong"), ("nobody", "wrong"))]
    assert answers[0].error == answers[1].error and answers[0].json["message"] == answers[1].json["message"]
    assert answers[0].header("WWW-Authenticate") == answers[1].header("WWW-Authenticate")


def test_every_client_may_and_the_scheme_is_in_any_case(gateway, session):
    for field in (basic("backend"), basic("reports"), basic(scheme="basic"), basic(scheme="BASIC ")):
        assert introspect(gateway, session.access, field)["active"] is True


@pytest.mark.parametrize("target", [INTROSPECT, REVOKE])
def test_without_clients_nobody_may(start, target):
    gateway = start(identity=identity())
    got = send(gateway, target, {"token": "x"}, basic())
    assert got.status in (401, 404)


# The request


@pytest.mark.parametrize("target", [INTROSPECT, REVOKE])
def test_a_form_and_nothing_else(gateway, session, target):
    got = send(gateway, target, b'{"token":"x"}', basic(), kind="application/json")
    assert (got.status, got.error) in ((415, "unsupported_media_type"), (400, "bad_request"))
    for body in (b"", b"other=x", b"token=", b"token", f"token={session.access}&token={session.access}".encode()):
        details = refusal(send(gateway, target, body, basic()), 400, "bad_request")
        assert details["field"] == "token" and details["reason"], body
    got = send(gateway, f"{target}?token={session.access}", b"", basic())
    refusal(got, 400, "bad_request")
    got = gateway.ask(target, basic(), method="GET", listener="tls")
    refusal(got, 405, "method_not_allowed")
    assert got.header("Allow") == "POST"
    assert session.use().status == 200


def test_how_a_form_may_be_written(gateway, session):
    """With or without the slash, with a charset, with fields that nobody knows, with every sign escaped (reports.md 29)."""
    escaped = "".join(f"%{byte:02x}" for byte in session.access.encode())
    for target, body, kind in (
        (INTROSPECT.rstrip("/"), f"token={session.access}", FORM),
        (INTROSPECT, f"token={session.access}", f"{FORM}; charset=UTF-8"),
        (INTROSPECT, f"token={session.access}", "Application/X-WWW-Form-Urlencoded"),
        (INTROSPECT, f"a=b&token={session.access}&c", FORM),
        (INTROSPECT, f"%74oken={escaped}", FORM),
    ):
        got = send(gateway, target, body.encode(), basic(), kind=kind)
        assert got.status == 200 and got.json["active"] is True, (target, body, kind, got)


# Revocation


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_a_revoked_token_ends_its_session(gateway, email, session, kind):
    """RFC 7009 2.1: the tokens of one grant go together, and at once."""
    other = Session(gateway, email)
    revoke(gateway, getattr(session, kind))
    session.assert_dead()
    assert introspect(gateway, session.access) == introspect(gateway, session.refresh) == {"active": False}
    assert other.is_alive(), "another session of the same user goes on"


def test_none_passes_from_the_answer_on(gateway, session):
    """reports.md 27: 32 connections over all workers, which have the token cached."""
    with Crowd(gateway) as crowd:
        assert crowd.outcomes("/api/x", session.access) == {200}
        revoke(gateway, session.access)
        assert crowd.outcomes("/api/x", session.access) == {(401, "token_revoked")}


def test_a_revocation_survives_a_restart(start):
    gateway = start(identity=identity("client backend file:LAB/backend.secret;"))
    session = Session(gateway, add_user(gateway))
    revoke(gateway, session.refresh)
    gateway.process.kill()
    gateway.process.wait()
    gateway.start()
    session.assert_dead()


def test_an_older_access_token_goes_with_its_session(gateway, session):
    old = session.access
    session.renew()
    revoke(gateway, session.access)
    refusal(session.use(old), 401, "token_revoked")
    session.assert_dead()


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "something_else"])
def test_a_wrong_hint_does_not_save_it(gateway, session, hint):
    revoke(gateway, session.access, token_type_hint=hint)
    session.assert_dead()


@pytest.mark.parametrize("make", INACTIVE.values(), ids=INACTIVE)
def test_revoking_what_is_not_known_is_200(gateway, session, lab, make):
    """RFC 7009 2.2: the client could do nothing about an error."""
    revoke(gateway, make(session, lab))


@pytest.mark.parametrize("name", ["a stranger's signature", "a changed signature", "alg none"])
def test_a_forged_token_revokes_nothing(gateway, session, lab, name):
    revoke(gateway, INACTIVE[name](session, lab))
    assert session.is_alive()


def test_twice_is_once(gateway, session):
    for _ in range(2):
        revoke(gateway, session.access)
        revoke(gateway, session.refresh)
    session.assert_dead()


def test_every_gateway_on_the_store_hears_of_it(gateway, start, session):
    text = configuration(identity=identity()).replace("sqlite:gatehouse.db", f"sqlite:{gateway.folder}/gatehouse.db")
    second = start(text)
    assert second.ask("/api/x", token=session.access).status == 200
    revoke(gateway, session.access)
    eventually(lambda: second.ask("/api/x", token=session.access).status == 401, within=LAG + 1)
    refusal(second.ask("/api/x", token=session.access), 401, "token_revoked")


# What stays here


def test_secrets_and_tokens_are_in_no_log(gateway, session):
    introspect(gateway, session.access)
    revoke(gateway, session.refresh)
    gateway.logged(path=REVOKE, status=200)
    written = (gateway.folder / "access.log").read_text() + gateway.said()
    assert basic().split()[-1] not in written and SECRETS["backend"] not in written
    assert session.access not in written and session.refresh not in written


def test_nothing_reaches_the_upstream(gateway, upstream, session):
    upstream.reset_script()
    introspect(gateway, session.access)
    revoke(gateway, session.access)
    assert upstream.requests == []


# What cannot be right

MISTAKES = {
    "no secret": ("client backend;", "client"),
    "a secret inline": ("client backend hunter2hunter2hunter2hunter2hunter2;", "hunter2"),
    "a secret that is missing": ("client backend file:missing.secret;", "file:missing.secret"),
    "a secret that others can read": ("client backend file:LAB/open.secret;", "file:LAB/open.secret"),
    "a secret of nothing": ("client backend file:LAB/empty.secret;", "file:LAB/empty.secret"),
    "two clients of one name": (
        "client a file:LAB/backend.secret; client a file:LAB/reports.secret;",
        "a file:LAB/reports.secret",
    ),
}


@pytest.mark.parametrize("directive, place", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_found_when_the_file_is_read(start, lab, directive, place):
    write_private(lab.path("open.secret"), b"o" * 64).chmod(0o644)
    write_private(lab.path("empty.secret"), b"")
    line, place = (text.replace("LAB", str(lab.folder)) for text in (identity(directive), place))
    output = start(configuration() + line + "\n", run=False).run("check", code=1).stderr
    at = f":{len(configuration().splitlines()) + 1}:{line.index(place) + 1}: error: "
    assert at in output, output
