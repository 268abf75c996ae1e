"""Attempts to log in: who succeeds, that nothing else can be told apart, and how many there may be (contract.md, threats.md)."""

import hmac
import http.client
import json
import statistics
import unicodedata
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import PATIENCE
from support.accounts import (
    LOGIN,
    PASSWORD,
    REFRESH,
    Crowd,
    Session,
    add_cheap_users,
    add_user,
    identity,
    import_users,
    login,
    pbkdf2,
    post,
)
from support.gateway import refusal
from support.tokens import base64url, decode, encode, hs
from support.wire import TIMEOUT, elapsed, request

ADA = "ada@example.com"
ZOE, ZOES_PASSWORD = "zoë@exämple.com", "pässwörd ½"


@pytest.fixture(scope="module")
def gateway(start):
    gateway = start(jwt="", identity=identity())
    add_user(gateway, "Ada@Example.COM", first="Ada", last='Lovelace, "Countess"')
    add_user(gateway, ZOE, ZOES_PASSWORD, first="Zoë", last="Ünal")
    return gateway


# Success


def test_the_answer_to_the_byte(gateway, lab):
    answer = login(gateway, ADA)
    assert answer.status == 200, answer
    assert answer.header("Content-Type") == "application/json"
    assert answer.header("Cache-Control") == "no-store", "RFC 6749 §5.1"
    assert answer.header("X-Request-Id")
    assert not answer.all("Set-Cookie"), "cookie mode is off by default"
    body = answer.json
    user = {"id": body["user"]["id"], "email": ADA, "firstName": "Ada", "lastName": 'Lovelace, "Countess"'}
    expected = {"access": body["access"], "refresh": body["refresh"], "user": user}
    assert answer.body == json.dumps(expected, separators=(",", ":"), ensure_ascii=False).encode()
    assert str(uuid.UUID(user["id"])) == user["id"]
    for token in (body["access"], body["refresh"]):
        text, _, signature = token.rpartition(".")
        assert hmac.compare_digest(signature, base64url(hs(lab.secret)(text.encode())))


def test_lifetimes_issuer_and_audience_as_configured(start, lab, upstream):
    directives = ("issuer https://api.example.com;", "audience agents;", "access_ttl 5m;", "refresh_ttl 1d;")
    gateway = start(jwt="", identity=identity(*directives))
    session = Session(gateway, add_user(gateway))
    for token, life in ((session.access, 300), (session.refresh, 86_400)):
        claims = decode(token)[1]
        assert (claims["iss"], claims["aud"]) == ("https://api.example.com", "agents")
        assert claims["exp"] - claims["iat"] == life
    assert session.use().status == 200
    header, claims = decode(session.access)
    for change in ({"iss": None}, {"iss": "https://api.example.com/"}, {"aud": None}, {"aud": "agents2"}):
        spoiled = {name: value for name, value in {**claims, **change}.items() if value is not None}
        refusal(session.use(encode(header, spoiled, hs(lab.secret))), 401, "token_invalid")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_e_mail_and_password_in_any_normal_form(gateway, form):
    write = lambda text: unicodedata.normalize(form, text)
    answer = login(gateway, write(ZOE.upper()), write(ZOES_PASSWORD))
    assert answer.status == 200 and answer.json["user"]["email"] == ZOE


def test_a_stale_credential_along_with_it_is_not_looked_at(gateway):
    for token in ("broken", "rk_" + "A" * 43):
        assert login(gateway, ADA, PASSWORD, f"Authorization: Bearer {token}").status == 200


# Failure: one answer for every reason


def bare(answer):
    """An answer without what differs from one to the next."""
    fields = [(name, value) for name, value in answer.fields if name.lower() not in ("x-request-id", "date")]
    return answer.status, fields, answer.body.replace(answer.header("X-Request-Id").encode(), b"ID")


FAILURES = {
    "a wrong password": (ADA, "wrong"),
    "an unknown e-mail": ("nobody@example.com", PASSWORD),
    "a disabled user's right password": ("disabled@example.com", PASSWORD),
    "the password and a blank": (ADA, PASSWORD + " "),
    "a look-alike in Cyrillic": ("аda@example.com", PASSWORD),
    "a full-width look-alike: NFC is not NFKC": ("ａda@example.com", PASSWORD),
}


def test_every_failure_is_the_same_bytes(gateway):
    import_users(gateway, {"email": "disabled@example.com", "password": pbkdf2(), "disabled": True})
    answers = {name: login(gateway, *attempt) for name, attempt in FAILURES.items()}
    for name, answer in answers.items():
        assert refusal(answer, 401, "login_failed") == {}, name
        assert answer.header("WWW-Authenticate") is None
    assert len({str(bare(answer)) for answer in answers.values()}) == 1, answers


def test_an_unknown_e_mail_takes_as_long_as_a_wrong_password(gateway):
    """By the fastest of several, in turns: whatever else the machine does makes some of both slower."""
    addresses = (add_user(gateway), "no-such@example.com")
    times = [[elapsed(lambda: login(gateway, address, "wrong"))[0] for address in addresses] for _ in range(5)]
    known, unknown = (min(column) for column in zip(*times))
    assert 0.5 < unknown / known < 2, times


# Further bad bodies, and the field that is to blame

BAD = {
    "single quotes": (b"{'email': 'a@b.c', 'password': 'p'}", "body"),
    "a comma too many": (b'{"email": "a@b.c", "password": "p",}', "body"),
    "null": (b"null", "body"),
    "a form": (b"email=ada%40example.com&password=p", "body"),
    "no e-mail": (b'{"password": "p"}', "email"),
    "names in other case": (b'{"Email": "ada@example.com", "password": "p"}', "email"),
    "password a number": (b'{"email": "ada@example.com", "password": 1}', "password"),
    "password an object": (b'{"email": "ada@example.com", "password": {"$ne": ""}}', "password"),
    "e-mail empty": (b'{"email": "", "password": "p"}', "email"),
    "e-mail with two @": (b'{"email": "ada@b@example.com", "password": "p"}', "email"),
    "e-mail with a blank behind": (b'{"email": "ada@example.com ", "password": "p"}', "email"),
    "e-mail with CR LF": (b'{"email": "ada@example.com\\r\\nBcc: x", "password": "p"}', "email"),
    "e-mail of 60 KB": (b'{"email": "%s@example.com", "password": "p"}' % (b"a" * 60_000), "email"),
    "duplicates in other spelling": (b'{"email": "a@b.c", "password": "p", "\\u0065mail": "ada@example.com"}', "body"),
    "a raw NUL": (b'{"email": "a@b.c", "password": "a\x00b"}', "body"),
    "UTF-16": ('{"email": "a@b.c", "password": "p"}'.encode("utf-16-le"), "body"),
    "NaN": (b'{"email": "a@b.c", "password": "p", "x": NaN}', "body"),
}


@pytest.mark.parametrize("body, field", BAD.values(), ids=BAD)
def test_bad_bodies_are_told_what_is_wrong(gateway, body, field):
    details = refusal(post(gateway, LOGIN, body), 400, "bad_request")
    assert details["reason"] and details.get("field") == field, details


def test_bad_bodies_are_no_failed_logins(gateway):
    (email,) = add_cheap_users(gateway)
    for _ in range(12):
        assert post(gateway, LOGIN, {"email": email}).status == 400
    assert login(gateway, email).status == 200


@pytest.mark.parametrize("target", [LOGIN, REFRESH])
@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", "json",
     "application/json-patch+json", "text/json"],
)  # fmt: skip
def test_another_content_type_is_not_supported(gateway, target, kind):
    body = {"email": ADA, "password": PASSWORD, "refresh": "x"}
    refusal(post(gateway, target, body, kind=kind), 415, "unsupported_media_type")


# Throttling


def throttled(answer):
    """Checks a 429, and gives the seconds it asks for."""
    details = refusal(answer, 429, "rate_limited")
    assert 1 <= details["retry_after"] <= 60 and answer.header("Retry-After") == str(details["retry_after"])
    return details["retry_after"]


def test_ten_failures_a_minute_then_429_before_anything_is_hashed(gateway):
    (email,) = add_cheap_users(gateway)
    for number in range(10):
        # Whoever is not trusted says in vain that he is somebody else
        answer = login(gateway, email if number % 2 else email.upper(), "wrong", f"X-Forwarded-For: 192.0.2.{number}")
        assert answer.status == 401, answer
    assert throttled(login(gateway, email, "wrong")) > 30
    throttled(login(gateway, email))  # the right password tells nothing either
    throttled(login(gateway, email.upper(), PASSWORD, "X-Forwarded-For: 192.0.2.99"))
    assert login(gateway, ADA).status == 200  # another account, the same address (reports 28)
    assert login_from("127.0.0.2", gateway, email) == 200  # the same account, another address: nobody is locked out


def login_from(address, gateway, email):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.ports.plain, timeout=TIMEOUT, source_address=(address, 0))
    try:
        body = json.dumps({"email": email, "password": PASSWORD})
        connection.request("POST", LOGIN, body, {"Content-Type": "application/json", "Host": "localhost"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_successes_never_count(gateway):
    (email,) = add_cheap_users(gateway)
    for attempt in ["wrong"] * 9 + [PASSWORD] * 3:
        assert login(gateway, email, attempt).status == (200 if attempt == PASSWORD else 401)
    assert login(gateway, email, "wrong").status == 401
    throttled(login(gateway, email, "wrong"))


def test_many_good_logins_at_once_are_no_guesses(gateway):
    """contract.md: a success is never counted, also not while it is under way."""
    (email,) = add_cheap_users(gateway)
    login(gateway, email)  # the cheap hash becomes one of ours
    with ThreadPoolExecutor(20) as pool:
        assert {answer.status for answer in pool.map(lambda _: login(gateway, email), range(20))} == {200}


@pytest.mark.parametrize("is_known", [True, False], ids=["a known e-mail", "an unknown e-mail"])
def test_parallel_guesses_do_not_slip_through(gateway, is_known):
    email = add_cheap_users(gateway)[0] if is_known else "nobody-2@example.com"
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda _: login(gateway, email, "wrong"), range(24)))
    assert sorted(answer.status for answer in answers) == [401] * 10 + [429] * 14
    for answer in answers:
        assert answer.status == 401 or throttled(answer)
    before = gateway.cpu_seconds()
    for _ in range(10):
        assert throttled(login(gateway, email, "wrong"))
    assert gateway.cpu_seconds() - before < 0.5 * PATIENCE, "nothing was hashed, which would take 0.2 s each time"


def test_a_flood_of_logins_gets_503_and_others_do_not_notice(start, upstream):
    """More wrong passwords at once than may wait, on enough accounts that none is throttled, each worth some 50 ms."""
    gateway = start(jwt="", identity=identity())
    session = Session(gateway, add_user(gateway))
    emails = add_cheap_users(gateway, count=10, iterations=50_000)
    ask = lambda wire: wire.send(request("GET", "/api/x", token=session.access)).answer()
    with ThreadPoolExecutor(1) as pool, Crowd(gateway, 100) as crowd, gateway.connect() as kept:
        bodies = [json.dumps({"email": emails[number % 10], "password": "wrong"}).encode() for number in range(100)]
        heads = [request("POST", LOGIN, "Content-Type: application/json", body=body) for body in bodies]
        flood = pool.submit(crowd.send, heads, "POST")
        times = []
        while not flood.done():
            seconds, answer = elapsed(lambda: ask(kept))
            assert answer.status == 200
            times.append(seconds)
        answers = flood.result()
    assert statistics.median(times) < 0.2 * PATIENCE, "who waits behind the flood waits for seconds"
    assert {answer.status for answer in answers} == {401, 503}
    for answer in answers:
        if answer.status == 503:
            refusal(answer, 503, answer.error)
            assert int(answer.header("Retry-After")) >= 1
    assert session.is_alive() and login(gateway, session.email).status == 200


# Secrets stay secret


def test_no_password_and_no_token_is_written_down(gateway):
    password = "a password that is found when it leaks"
    email = add_user(gateway, password=password)
    session = Session(gateway, email, password)
    session.renew()
    login(gateway, email, password + "!")
    post(gateway, LOGIN, b'{"email": "%s", "password": "%s"' % (email.encode(), password.encode()))
    gateway.logged(path=LOGIN, status=401)
    for path in gateway.folder.iterdir():
        content = path.read_bytes()
        for secret in (password, session.access, session.refresh, session.refresh.rpartition(".")[2]):
            assert secret.encode() not in content, path
