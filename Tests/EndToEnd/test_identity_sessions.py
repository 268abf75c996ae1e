"""Sessions: tokens that renew none, races, and ends that reach every worker, node and restart (contract.md, threats.md)."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import eventually
from support.accounts import (
    API_KEYS,
    LAG,
    LOGOUT,
    Crowd,
    Session,
    add_user,
    create_key,
    dies,
    identity,
    login,
    logout,
    post,
    refresh,
)
from support.gateway import configuration, refusal, wait_until
from support.tokens import claims, decode, encode, hs, resigned
from support.wire import request

ADA = "ada@example.com"


@pytest.fixture(scope="module")
def gateway(start):
    """Rotation off, as by default."""
    gateway = start(jwt="", identity=identity(), api_keys=API_KEYS)
    add_user(gateway, ADA)
    return gateway


@pytest.fixture(scope="module")
def rotating(start):
    """Rotation on, with the overlap as by default: 10 s."""
    gateway = start(jwt="", identity=identity("rotate_refresh on;"))
    add_user(gateway, ADA)
    return gateway


@pytest.fixture(scope="module")
def strict(start):
    """Rotation on, with an overlap that a test can wait for."""
    gateway = start(jwt="", identity=identity("rotate_refresh on;", "refresh_overlap 1s;"))
    add_user(gateway, ADA)
    return gateway


@pytest.fixture(scope="module")
def session(gateway):
    """For tests that leave it alive."""
    return Session(gateway, ADA)


# Refresh tokens that are none


def test_an_expired_access_token_along_with_it_is_not_looked_at(gateway, session, lab):
    expired = resigned(session.access, hs(lab.secret), exp=int(time.time()) - 5)
    assert refresh(gateway, session.refresh, f"Authorization: Bearer {expired}").status == 200


# What a client sends instead of a living refresh token, made of a session; the code, and what else is in the details.
PAST = 1_700_000_000
REFUSED = {
    "expired": (
        lambda session, lab: resigned(session.refresh, hs(lab.secret), exp=PAST),
        "token_expired",
        {"expired_at": "2023-11-14T22:13:20Z"},
    ),
    "expires now: own tokens have no leeway": (
        lambda session, lab: resigned(session.refresh, hs(lab.secret), exp=int(time.time())),
        "token_expired",
        None,
    ),
    "no exp": (lambda session, lab: resigned(session.refresh, hs(lab.secret), exp=None), "token_invalid", {}),
    "not yet valid": (
        lambda session, lab: resigned(session.refresh, hs(lab.secret), nbf=int(time.time()) + 900),
        "token_not_yet_valid",
        None,
    ),
    "alg none": (
        lambda session, lab: encode({"typ": "JWT", "alg": "none"}, decode(session.refresh)[1], lambda _: b""),
        "token_invalid",
        {},
    ),
    "padded: one spelling a token": (lambda session, lab: session.refresh + "=", "token_invalid", {}),
    "a blank before it": (lambda session, lab: " " + session.refresh, "token_invalid", {}),
    "a newline behind it": (lambda session, lab: session.refresh + "\n", "token_invalid", {}),
    "the scheme before it": (lambda session, lab: "Bearer " + session.refresh, "token_invalid", {}),
    "an API key": (lambda session, lab: "rk_" + "A" * 43, "token_invalid", {}),
    "umlauts": (lambda session, lab: "ä.ö.ü", "token_invalid", {}),
    "20 KiB": (lambda session, lab: "a" * 20_480, "token_invalid", {}),
    "a backend's own, that nobody was given here": (
        lambda session, lab: encode({"typ": "JWT", "alg": "HS256"}, claims(token_type="refresh"), hs(lab.secret)),
        "token_invalid",
        {},
    ),
    "no type": (lambda session, lab: resigned(session.refresh, hs(lab.secret), token_type=None), None, None),
    "of a session that was never here": (
        lambda session, lab: resigned(session.refresh, hs(lab.secret), sid="s" * 36, jti="j" * 36),
        "token_revoked",
        {},
    ),
}


@pytest.mark.parametrize("make, error, details", REFUSED.values(), ids=REFUSED)
def test_refused(gateway, session, lab, make, error, details):
    answer = refresh(gateway, make(session, lab))
    found = refusal(answer, 401, error or answer.error)
    assert details is None or found == details
    assert "access" not in answer.json
    assert session.is_alive(), "and nothing happened to the session"


# Rotation on


def test_the_overlap_outlives_a_kill(rotating):
    session = Session(rotating, ADA)
    first = refresh(rotating, session.refresh).json
    rotating.process.kill()
    rotating.process.wait()
    rotating.start()
    again = refresh(rotating, session.refresh)
    assert again.status == 200 and again.json["refresh"] == first["refresh"]


def test_a_chain_goes_on_for_longer_than_the_overlap(strict):
    session = Session(strict, ADA)
    for _ in range(3):
        session.renew()
        wait_until(time.time() + 0.6)
    assert session.is_alive()


def test_log_out_during_refreshes_wins(rotating):
    """Whatever a refresh that raced with the log-out was given is dead behind the 204."""
    for _ in range(3):
        session = Session(rotating, ADA)
        with ThreadPoolExecutor(9) as pool:
            racers = [pool.submit(refresh, rotating, session.refresh) for _ in range(4)]
            end = pool.submit(logout, rotating, session.access)
            racers += [pool.submit(refresh, rotating, session.refresh) for _ in range(4)]
            assert end.result().status == 204
            answers = [racer.result() for racer in racers]
        assert {answer.status for answer in answers} <= {200, 401}
        for answer in answers:
            if answer.status == 200:
                refusal(session.use(answer.json["access"]), 401, "token_revoked")
                refusal(refresh(rotating, answer.json["refresh"]), 401, "token_revoked")
        session.assert_dead()


# Log-out

# How a client may send it: everything that axios, fetch and SimpleJWT's clients send along.
REQUESTS = {
    "an empty body": (LOGOUT, b"", None),
    "a refresh token in the body": (LOGOUT, b'{"refresh": "x"}', "application/json; charset=utf-8"),
}


@pytest.mark.parametrize("target, body, kind", REQUESTS.values(), ids=REQUESTS)
def test_the_answer_is_204(gateway, target, body, kind):
    session = Session(gateway, ADA)
    answer = post(gateway, target, body, token=session.access, kind=kind)
    assert answer.status == 204 and answer.body == b"", answer
    assert not answer.all("Content-Length") and not answer.all("Content-Type"), "RFC 9110 §8.6"
    session.assert_dead()


def test_the_connection_stays_in_step(gateway):
    session, other = Session(gateway, ADA), Session(gateway, ADA)
    key = create_key(gateway, session.access)["key"]
    with Crowd(gateway, 1) as crowd:
        (answer,) = crowd.send(request("POST", LOGOUT, token=session.access), "POST")
        assert answer.status == 204
        assert crowd.outcomes("/api/x", other.access) == {200}
    assert gateway.ask("/api/agents/bot-1/", token=key).status == 200, "API keys live on"


# Who may not log out, and that the session lives on

NO_LOG_OUT = {
    "forged": (lambda session, lab: resigned(session.access, hs(lab.other_secret)), 401, "token_invalid", {}),
    "expired": (
        lambda session, lab: resigned(session.access, hs(lab.secret), exp=1_700_000_000),
        401,
        "token_expired",
        {"expired_at": "2023-11-14T22:13:20Z"},
    ),
    "an unknown API key": (lambda session, lab: "rk_" + "A" * 43, 401, "api_key_invalid", {}),
}


@pytest.mark.parametrize("make, status, error, details", NO_LOG_OUT.values(), ids=NO_LOG_OUT)
def test_no_log_out(gateway, session, lab, make, status, error, details):
    answer = post(gateway, LOGOUT, {"refresh": session.refresh}, token=make(session, lab))
    assert refusal(answer, status, error) == details
    assert session.is_alive()


def test_an_api_key_cannot_log_out(gateway, session):
    key = create_key(gateway, session.access)["key"]
    assert refusal(logout(gateway, key), 403, "credential_not_accepted") == {"accepted": ["jwt"]}
    assert gateway.ask("/api/agents/bot-1/", token=key).status == 200 and session.is_alive()


# Durable, and known to others


def test_it_outlives_a_reload(gateway):
    session, living = Session(gateway, ADA), Session(gateway, ADA)
    session.end()
    before = gateway.metric("gatehouse_config_reloads_total")
    gateway.reload()
    eventually(lambda: gateway.metric("gatehouse_config_reloads_total") > before)
    session.assert_dead()
    assert living.is_alive()


@pytest.fixture(scope="module")
def node(start, gateway):
    """Another gateway on the same store."""
    text = configuration(jwt="", identity=identity(), api_keys=API_KEYS)
    return start(text.replace("sqlite:gatehouse.db", f"sqlite:{gateway.folder}/gatehouse.db"))


def test_another_node_hears_of_it_within_the_lag(gateway, node):
    session = Session(gateway, ADA)
    there = lambda: node.ask("/api/x", token=session.access, listener="tls")
    assert there().status == 200 and refresh(node, session.refresh).status == 200
    with Crowd(node) as crowd:
        assert crowd.outcomes("/api/x", session.access) == {200}
        session.end()
        refusal(refresh(node, session.refresh), 401, "token_revoked")  # the store knows, and it is asked
        eventually(lambda: there().status == 401, within=LAG + 1)
        eventually(lambda: crowd.outcomes("/api/x", session.access) == {(401, "token_revoked")}, within=1)


def test_a_session_of_another_node_is_ended_here(gateway, node):
    session = Session(node, ADA)
    assert logout(gateway, session.access).status == 204
    refusal(gateway.ask("/api/x", token=session.access), 401, "token_revoked")
    dies(session)


@pytest.mark.parametrize("command", ["disable", "set-password"])
def test_the_command_line_acts_within_the_lag_on_kept_connections(gateway, command):
    session = Session(gateway, add_user(gateway))
    with Crowd(gateway) as crowd:
        assert crowd.outcomes("/api/x", session.access) == {200}
        gateway.run("users", command, session.email, input="another one\n")
        eventually(lambda: crowd.outcomes("/api/x", session.access) == {(401, "token_revoked")}, within=LAG + 1)
    session.assert_dead()


def test_another_password_ends_what_was_issued_before(gateway):
    """Reports 26; all within the second that the tokens were issued in."""
    email = add_user(gateway)
    session = Session(gateway, email)
    gateway.run("users", "set-password", email, input="another one\n")
    fresh = Session(gateway, email, "another one")
    refusal(login(gateway, email), 401, "login_failed")
    dies(session)
    assert fresh.is_alive(), "a new login works, at once and from then on"
