"""Login: what comes back, to the byte, and what bad input gets (contract.md, 'Endpoints', 'Errors'; threats.md)."""

import base64
import json
import time

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from support import PATIENCE, eventually
from support.gateway import about_the_file, refusal
from support.identity import PASSWORD, Door, claims_of, header_of, identity_configuration
from support.lab import private_pem, write_private
from support.tokens import base64url


@pytest.fixture(scope="module")
def gateway(start):
    return start(identity_configuration())


@pytest.fixture(scope="module")
def door(gateway):
    return Door(gateway)


@pytest.fixture(scope="module")
def ann(door):
    return door.add("Ann.Lee@Example.com")


def test_the_answer_is_the_documented_one(door, ann):
    answer = door.try_login("ann.lee@example.com")
    assert answer.status == 200 and answer.header("Content-Type") == "application/json"
    assert answer.header("Cache-Control") == "no-store" and answer.all("Set-Cookie") == []
    body = answer.json
    assert list(body) == ["access", "refresh", "user"]
    assert list(body["user"]) == ["id", "email", "firstName", "lastName"]
    assert body["user"] == {"id": ann["id"], "email": "ann.lee@example.com", "firstName": "Ann", "lastName": "Lee"}
    access, refresh = claims_of(body["access"]), claims_of(body["refresh"])
    for claims, kind, life in ((access, "access", 3600), (refresh, "refresh", 7 * 86400)):
        assert set(claims) == {"token_type", "exp", "iat", "jti", "sid", "sub", "user_id"}
        assert claims["token_type"] == kind and claims["sub"] == claims["user_id"] == ann["id"]
        assert claims["exp"] - claims["iat"] == life and abs(claims["iat"] - time.time()) < 5
    assert access["sid"] == refresh["sid"] and access["jti"] != refresh["jti"]
    assert header_of(body["access"]) == {"typ": "JWT", "alg": "HS256"}


def test_the_token_opens_routes_and_goes_on(door, ann, upstream):
    access = door.login("ann.lee@example.com")["access"]
    assert door.open(access).status == 200
    seen = upstream.requests[-1]
    assert seen.header("X-User-Id") == ann["id"] and seen.header("Authorization") == f"Bearer {access}"


GOOD = json.dumps({"email": "ann.lee@example.com", "password": PASSWORD}).encode()


@pytest.mark.parametrize(
    "path, kind, why",
    [
        ("/api/auth/login", "application/json", "the slash is optional: reports.md 29"),
        ("/api/auth/login/", "application/json; charset=utf-8", "charset upset others: reports.md 29"),
        ("/api/auth/login/", "Application/JSON", "media types are case-insensitive, RFC 9110 §8.3.1"),
        ("/api//auth/./login/", "application/json", "the path is normalised once"),
    ],
)
def test_spellings_of_a_good_login(door, ann, path, kind, why):
    assert door.post(path, GOOD, kind=kind).status == 200, why


def test_a_chunked_body_and_an_expectation(gateway, ann):
    with gateway.connect("plain") as wire:
        wire.send(
            b"POST /api/auth/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
        )
        assert wire.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        for piece in (GOOD[:10], GOOD[10:]):
            wire.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        assert wire.send(b"0\r\n\r\n").answer().status == 200
        assert wire.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").answer().status == 200, "in step"


def test_nobody_learns_who_has_an_account(door, ann):
    """threats.md: user enumeration; only the request id may differ."""
    door.add("gone@example.com")
    door.gateway.run("users", "disable", "gone@example.com")
    answers = [
        door.try_login("ann.lee@example.com", "wrong"),
        door.try_login("nobody@example.com", "wrong"),
        door.try_login("gone@example.com", PASSWORD),
    ]
    bodies = set()
    for answer in answers:
        assert refusal(answer, 401, "login_failed") == {}
        bodies.add(answer.body.replace(answer.header("X-Request-Id").encode(), b""))
        assert sorted(name for name, _ in answer.fields) == sorted(name for name, _ in answers[0].fields)
    assert len(bodies) == 1


BAD = [
    (b"", "body", "empty"),
    (b"{", "body", "cut off"),
    (b"[]", "body", "an array"),
    (b'"x"', "body", "a string"),
    (b'{"email":"a@b","email":"c@d","password":"x"}', "body", "duplicate members are refused"),
    (b'{"email":"a@b","password":"x"} x', "body", "something behind it"),
    (b'{"email":"a@b\xff","password":"x"}', "body", "invalid UTF-8"),
    (b'{"email":"\\ud800@b","password":"x"}', "body", "a lone surrogate"),
    (b'{"a":' * 40 + b"1" + b"}" * 40, "body", "too deep"),
    (b"{}", "email", "missing"),
    (b'{"email":"a@b"}', "password", "missing"),
    (b'{"email":null,"password":"x"}', "email", "null is no string"),
    (b'{"email":5,"password":"x"}', "email", "a number"),
    (b'{"email":["a@b"],"password":"x"}', "email", "an array"),
    (b'{"email":"a@b","password":true}', "password", "a boolean"),
    (b'{"email":"a@b","password":""}', "password", "empty"),
    (b'{"email":"a@b","password":"x\\u0000y"}', "body", "NUL"),
    (b'{"email":"a\\u0000@b","password":"x"}', "body", "NUL in the address"),
    (b'{"email":"nobody","password":"x"}', "email", "no address"),
    (b'{"email":"a@b\\n","password":"x"}', "email", "a line feed"),
    (b'{"email":"%s@b","password":"x"}' % (b"a" * 300), "email", "longer than an address may be"),
    (b'{"email":"a@b","password":"%s"}' % (b"a" * 2000), "password", "longer than a password may be"),
]


@pytest.mark.parametrize("body, field, why", BAD, ids=[row[2] + " " + row[1] for row in BAD])
def test_malformed_bodies(door, body, field, why):
    details = refusal(door.post("/api/auth/login/", body), 400, "bad_request")
    assert details.get("field", "") == field and details["reason"], why


def test_bodies_that_are_too_large(door, gateway):
    assert refusal(door.post("/api/auth/login/", b"x" * 65_537), 413, "body_too_large") == {"limit": 65_536}
    with gateway.connect("plain") as wire:
        wire.send(
            b"POST /api/auth/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" + (b"8000\r\n" + b"x" * 0x8000 + b"\r\n") * 3
        )
        refusal(wire.answer(), 413, "body_too_large")
    huge = b'{"email":"' + b"a" * (1 << 20) + b'@b","password":"x"}'
    refusal(door.post("/api/auth/login/", huge), 413, "body_too_large")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "multipart/form-data; boundary=x"]
)
def test_other_media_types(door, kind):
    refusal(door.post("/api/auth/login/", GOOD, kind=kind), 415, "unsupported_media_type")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/api/auth/login/", "/api/auth/token/refresh", "/api/auth/logout/"])
def test_other_methods(door, method, path):
    answer = door.send(method, path)
    details = refusal(answer, 405, "method_not_allowed", method)
    assert answer.header("Allow") == "POST" and (method == "HEAD" or details == {"allowed": ["POST"]})


def test_what_stands_beside_the_endpoints_belongs_to_the_routes(door, good):
    assert door.open(good, "/api/auth/login/more").status == 200
    assert door.open(good, "/api/auth/").status == 200
    assert door.open(good, "/api/auth/LOGIN/").status == 200


def test_guessing_is_throttled_without_locking_anybody_out(start):
    """contract.md: ten failures a minute for an account and address; reports.md 28."""
    door = Door(start(identity_configuration()))
    door.add("bob@example.com")
    door.add("eve@example.com")
    door.login("bob@example.com")  # successes do not count
    for _ in range(10):
        refusal(door.try_login("bob@example.com", "wrong"), 401, "login_failed")
    before = door.gateway.cpu_seconds()
    answer = [door.try_login("BOB@example.com", PASSWORD) for _ in range(10)][-1]
    assert door.gateway.cpu_seconds() - before < 0.5 * PATIENCE, "no password is hashed, which would take 0.2 s each time"
    details = refusal(answer, 429, "rate_limited")
    assert 1 <= details["retry_after"] <= 60 and answer.header("Retry-After") == str(details["retry_after"])
    door.login("eve@example.com")


def test_issuer_and_audience_are_written_and_checked(start, jwt):
    door = Door(start(identity_configuration("issuer https://me.example/; audience agents;", jwt="")))
    door.add("ann@example.com")
    tokens = door.login("ann@example.com")
    for token in (tokens["access"], tokens["refresh"]):
        assert claims_of(token)["iss"] == "https://me.example/" and claims_of(token)["aud"] == "agents"
    assert door.open(tokens["access"]).status == 200
    refusal(door.open(jwt(iss="https://me.example", aud="agents")), 401, "token_invalid")
    refusal(door.open(jwt(iss="https://me.example/")), 401, "token_invalid")
    assert door.open(jwt(iss="https://me.example/", aud=["x", "agents"])).status == 200


def number(text):
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


def verify(jwk, token):
    """Checks a token's signature with nothing but the published key."""
    signed, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    if jwk["kty"] == "RSA":
        key = rsa.RSAPublicNumbers(number(jwk["e"]), number(jwk["n"])).public_key()
        key.verify(raw, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    elif jwk["kty"] == "EC":
        key = ec.EllipticCurvePublicNumbers(number(jwk["x"]), number(jwk["y"]), ec.SECP256R1()).public_key()
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        key.verify(encode_dss_signature(r, s), signed.encode(), ec.ECDSA(hashes.SHA256()))
    else:
        key = ed25519.Ed25519PublicKey.from_public_bytes(number(jwk["x"]).to_bytes(32, "big"))
        key.verify(raw, signed.encode())


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_asymmetric_keys_are_published_and_rotated(start, lab, algorithm):
    """RFC 7517: what `/.well-known/jwks.json` shows verifies what was issued, under its `kid`."""
    make = {
        "RS256": lambda: rsa.generate_private_key(65537, 2048),
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }[algorithm]
    for name in ("old", "new"):
        write_private(lab.path(f"{name}-{algorithm}.pem"), private_pem(make()))
    line = f"sign {algorithm} file:LAB/{{}}-{algorithm}.pem;"
    text = identity_configuration(sign=line.format("old"), jwt="")
    gateway = start(text)
    door = Door(gateway)
    door.add("ann@example.com")
    old = door.login("ann@example.com")["access"]
    published = door.send("GET", "/.well-known/jwks.json")
    assert published.status == 200 and published.header("Content-Type") == "application/json"
    [key] = published.json["keys"]
    assert key["kid"] == header_of(old)["kid"] and key["alg"] == algorithm and key["use"] == "sig"
    assert not {"d", "p", "q", "k"} & set(key)
    verify(key, old)
    with pytest.raises(InvalidSignature):
        head, body, signature = old.split(".")
        verify(key, f"{head}.{base64url(b'{}')}.{signature}")
    # The new key signs, the old one still verifies.
    gateway.write(identity_configuration(sign=line.format("new") + line.format("old"), jwt=""))
    gateway.reload()
    keys = eventually(lambda: (found := door.send("GET", "/.well-known/jwks.json/").json["keys"])[1:] and found)
    new = door.login("ann@example.com")["access"]
    assert header_of(new)["kid"] == keys[0]["kid"] != key["kid"] and keys[1] == key
    assert door.open(new).status == door.open(old).status == 200


def test_a_shared_secret_is_not_published(door, good):
    refusal(door.send("GET", "/.well-known/jwks.json"), 404, "not_found")


@about_the_file
def test_a_store_that_is_gone_is_said_and_heals(start, tmp_path):
    """threats.md, 'Faults': nothing is guessed, and it heals by itself."""
    gateway = start(identity_configuration())
    door = Door(gateway)
    door.add("ann@example.com")
    tokens = door.login("ann@example.com")
    store = gateway.folder / "gatehouse.db"
    store.rename(tmp_path / "gatehouse.db")
    for answer in (door.try_login("ann@example.com"), door.refresh(tokens["refresh"]), door.logout(tokens["access"])):
        refusal(answer, 503, "store_unavailable")
    assert door.open(tokens["access"]).status == 200, "a verified token needs no store"
    (tmp_path / "gatehouse.db").rename(store)
    assert door.refresh(tokens["refresh"]).status == 200
    door.login("ann@example.com")
