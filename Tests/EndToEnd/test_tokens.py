"""The Tokens table of the threats, against the running binary: nothing refused reaches the upstream."""

import hashlib
import json
import time

import pytest
from cryptography.hazmat.primitives import hashes, serialization

from support.gateway import JWT, ROUTES, refusal, wait_until
from support.lab import public_pem, write_private
from support.tokens import USER, base64url, claims, ed, encode, es, es_der, hs, part, ps, rs
from support.wire import request

IDP = {"iss": "https://idp.example/", "aud": "agents"}


@pytest.fixture(scope="module")
def gateway(lab, start):
    pem = """
jwt pem { issuer pem.example; algorithms RS256; keys pem:LAB/rsa.pub; user_id_claim sub; }
jwt partner { issuer partner.example; algorithms HS512; keys secret file:LAB/partner.key; user_id_claim sub; require tier gold silver; }
"""
    write_private(lab.path("partner.key"), b"p" * 64)
    return start(jwt=JWT + pem, routes=ROUTES)


def der(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def idp(lab, header, changes=(), sign=None):
    return encode(header, claims(**{**IDP, **dict(changes)}), sign or rs(lab.rsa[0]))


# Every signature algorithm that is configured, and who its user is

ACCEPTED = {
    "HS256": lambda lab: encode({"alg": "HS256"}, claims(), hs(lab.secret)),
    "HS256 with a kid, which a secret does not have": lambda lab: encode(
        {"alg": "HS256", "kid": "any"}, claims(), hs(lab.secret)
    ),
    "RS256 by kid": lambda lab: idp(lab, {"alg": "RS256", "kid": "rsa-0"}),
    "RS256 without kid, by the first key": lambda lab: idp(lab, {"alg": "RS256"}),
    "RS256 without kid, by the second key": lambda lab: idp(lab, {"alg": "RS256"}, sign=rs(lab.rsa[1])),
    "PS256": lambda lab: idp(lab, {"alg": "PS256", "kid": "rsa-1"}, sign=ps(lab.rsa[1])),
    "ES256": lambda lab: idp(lab, {"alg": "ES256", "kid": "ec"}, sign=es(lab.ec)),
    "EdDSA": lambda lab: idp(lab, {"alg": "EdDSA", "kid": "ed"}, sign=ed(lab.ed)),
    "a PEM key, whatever the kid": lambda lab: encode({"alg": "RS256", "kid": "x"}, claims(iss="pem.example"), rs(lab.rsa[0])),
    "HS512 of another issuer": lambda lab: encode(
        {"alg": "HS512"}, claims(iss="partner.example", tier="silver"), hs(b"p" * 64, hashlib.sha512)
    ),
    "aud as an array": lambda lab: idp(lab, {"alg": "RS256"}, {"aud": ["x", "agents"]}),
    "exp with a fraction": lambda lab: encode({"alg": "HS256"}, claims(exp=time.time() + 100.5), hs(lab.secret)),
    "iat in the future is not looked at": lambda lab: encode(
        {"alg": "HS256"}, claims(iat=int(time.time()) + 100), hs(lab.secret)
    ),
    "nbf within the leeway": lambda lab: idp(lab, {"alg": "RS256"}, {"nbf": int(time.time()) + 15}),
    "exp within the leeway": lambda lab: idp(lab, {"alg": "RS256"}, {"exp": int(time.time()) - 10}),
    "jku, x5u, jwk and x5c are ignored": lambda lab: idp(
        lab,
        {
            "alg": "RS256",
            "jku": "https://evil.example",
            "x5u": "https://evil.example",
            "jwk": {"kty": "oct", "k": "AAAA"},
            "x5c": ["AAAA"],
        },
    ),
    "typ in any spelling": lambda lab: encode({"typ": "at+jwt", "alg": "HS256"}, claims(), hs(lab.secret)),
    "12 KiB": lambda lab: encode({"alg": "HS256"}, claims(groups=["g" * 90] * 90), hs(lab.secret)),
    "unknown claims of any shape": lambda lab: encode({"alg": "HS256"}, claims(a={"b": [1, None, True, "ü"]}), hs(lab.secret)),
}


@pytest.mark.parametrize("make", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(gateway, upstream, lab, make):
    token = make(lab)
    answer = gateway.ask("/api/x", token=token)
    assert answer.status == 200, answer
    assert upstream.last().header("X-User-Id") == USER
    assert upstream.last().header("Authorization") == f"Bearer {token}"


# Refused as token_invalid


def raw(header, body, signature=b""):
    return f"{part(header)}.{part(body)}.{base64url(signature)}"


def hs_raw(lab, header, body):
    """Signed by the right secret over these exact bytes."""
    return encode(
        header.encode() if isinstance(header, str) else header, body.encode() if isinstance(body, str) else body, hs(lab.secret)
    )


def with_text(lab, **raw_members):
    """Good claims in which members are replaced by JSON text."""
    text = json.dumps(claims(**{name: None for name in raw_members}))[:-1]
    for name, value in raw_members.items():
        text += f', "{name}": {value}'
    return hs_raw(lab, {"alg": "HS256"}, text + "}")


def respell(token, index, change):
    parts = token.split(".")
    parts[index] = change(parts[index])
    return ".".join(parts)


def good(lab):
    return encode({"alg": "HS256"}, claims(), hs(lab.secret))


def trailing_bits(lab):
    """The same signature with other bits in the last character, which a lenient decoder throws away."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return respell(good(lab), 2, lambda text: text[:-1] + alphabet[alphabet.index(text[-1]) + 1])


def es_token(lab, signature):
    return idp(lab, {"alg": "ES256", "kid": "ec"}, sign=lambda text: signature(es(lab.ec)(text)))


N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

INVALID = {
    **{f"alg {alg!r}": lambda lab, alg=alg: raw({"alg": alg}, claims()) for alg in ("none", "None", "NONE", "nOnE", "")},
    "alg none with a signature": lambda lab: encode({"alg": "none"}, claims(), hs(lab.secret)),
    "alg none without the last dot": lambda lab: raw({"alg": "none"}, claims()).rstrip("."),
    "alg absent": lambda lab: encode({"typ": "JWT"}, claims(), hs(lab.secret)),
    "alg not a string": lambda lab: encode({"alg": 256}, claims(), hs(lab.secret)),
    "alg in lower case": lambda lab: encode({"alg": "hs256"}, claims(), hs(lab.secret)),
    "alg not listed": lambda lab: encode({"alg": "HS384"}, claims(), hs(lab.secret, hashlib.sha384)),
    "alg listed by another issuer only": lambda lab: encode({"alg": "HS512"}, claims(), hs(lab.secret, hashlib.sha512)),
    "HS256 by the RSA public key's PEM": lambda lab: encode({"alg": "HS256"}, claims(**IDP), hs(public_pem(lab.rsa[0]))),
    "HS256 by the RSA public key's DER": lambda lab: encode({"alg": "HS256"}, claims(**IDP), hs(der(lab.rsa[0]))),
    "HS256 that names an EC key": lambda lab: encode({"alg": "HS256", "kid": "ec"}, claims(**IDP), hs(public_pem(lab.ec))),
    "HS256 by the PEM file of a pem issuer": lambda lab: encode(
        {"alg": "HS256"}, claims(iss="pem.example"), hs(public_pem(lab.rsa[0]))
    ),
    "kid unknown": lambda lab: idp(lab, {"alg": "RS256", "kid": "other"}),
    "kid of the other key": lambda lab: idp(lab, {"alg": "RS256", "kid": "rsa-1"}),
    "kid of another kind of key": lambda lab: idp(lab, {"alg": "RS256", "kid": "ec"}),
    "kid an array": lambda lab: idp(lab, {"alg": "RS256", "kid": ["rsa-0"]}),
    "kid a path": lambda lab: idp(lab, {"alg": "RS256", "kid": "../../../../dev/null"}),
    "kid SQL": lambda lab: idp(lab, {"alg": "RS256", "kid": "' OR 1=1 --"}),
    "kid of 8 KiB": lambda lab: idp(lab, {"alg": "RS256", "kid": "k" * 8192}),
    "kid with other case": lambda lab: idp(lab, {"alg": "RS256", "kid": "RSA-0"}),
    "a key of the token's own (jwk)": lambda lab: idp(lab, {"alg": "ES256", "jwk": lab.jwks()[2]}, sign=es(lab.stranger_ec)),
    "a stranger's RSA key": lambda lab: idp(lab, {"alg": "RS256", "kid": "rsa-0"}, sign=rs(lab.strangers_rsa)),
    "a stranger's secret": lambda lab: encode({"alg": "HS256"}, claims(), hs(lab.other_secret)),
    "an empty secret": lambda lab: encode({"alg": "HS256"}, claims(), hs(b"")),
    "crit": lambda lab: encode({"alg": "HS256", "crit": ["exp"]}, claims(), hs(lab.secret)),
    "crit empty": lambda lab: encode({"alg": "HS256", "crit": []}, claims(), hs(lab.secret)),
    "b64 false": lambda lab: encode({"alg": "HS256", "b64": False, "crit": ["b64"]}, claims(), hs(lab.secret)),
    "b64 false without crit": lambda lab: encode({"alg": "HS256", "b64": False}, claims(), hs(lab.secret)),
    "alg twice": lambda lab: hs_raw(lab, '{"alg":"HS256","alg":"HS256"}', json.dumps(claims())),
    "a claim twice": lambda lab: with_text(lab, user_id='"a", "user_id": "b"'),
    "a claim twice, once escaped": lambda lab: with_text(lab, user_id='"a", "user\\u005fid": "b"'),
    "a member twice deep inside": lambda lab: with_text(lab, deep='{"a": 1, "a": 2}'),
    "invalid UTF-8": lambda lab: hs_raw(lab, {"alg": "HS256"}, json.dumps(claims(note="@")).encode().replace(b"@", b"\xff\xfe")),
    "overlong UTF-8": lambda lab: hs_raw(lab, {"alg": "HS256"}, json.dumps(claims(note="@")).encode().replace(b"@", b"\xc0\xaf")),
    "a lone surrogate": lambda lab: with_text(lab, note='"\\ud800"'),
    "NUL in a claim": lambda lab: with_text(lab, note='"a\\u0000b"'),
    "depth over 16": lambda lab: with_text(lab, deep="[" * 17 + "]" * 17),
    "number overflow": lambda lab: with_text(lab, size="1e400"),
    "not JSON": lambda lab: hs_raw(lab, {"alg": "HS256"}, "{'user_id': 'a'}"),
    "claims not an object": lambda lab: hs_raw(lab, {"alg": "HS256"}, "[1]"),
    "bytes behind the claims": lambda lab: hs_raw(lab, {"alg": "HS256"}, json.dumps(claims()) + "x"),
    "header not an object": lambda lab: hs_raw(lab, '["HS256"]', json.dumps(claims())),
    "padding": lambda lab: good(lab) + "=",
    "the standard alphabet": lambda lab: respell(idp_with_dash(lab), 2, lambda text: text.replace("-", "+").replace("_", "/")),
    "non-zero trailing bits": trailing_bits,
    "a stray byte in the signature": lambda lab: respell(good(lab), 2, lambda text: text[:10] + "!" + text[11:]),
    "the signature cut": lambda lab: good(lab)[:-2],
    "the signature empty": lambda lab: respell(good(lab), 2, lambda text: ""),
    "bytes appended to the signature": lambda lab: good(lab) + "AAAA",
    "the signature of other claims": lambda lab: respell(good(lab), 1, lambda text: part(claims(user_id="root"))),
    "ES256 in DER": lambda lab: idp(lab, {"alg": "ES256", "kid": "ec"}, sign=es_der(lab.ec)),
    "ES256 r and s zero": lambda lab: es_token(lab, lambda _: bytes(64)),
    "ES256 r zero": lambda lab: es_token(lab, lambda text: bytes(32) + text[32:]),
    "ES256 s zero": lambda lab: es_token(lab, lambda text: text[:32] + bytes(32)),
    "ES256 r and s at n": lambda lab: es_token(lab, lambda _: N.to_bytes(32, "big") * 2),
    "ES256 all ones": lambda lab: es_token(lab, lambda _: b"\xff" * 64),
    "ES256 63 bytes": lambda lab: es_token(lab, lambda text: text[:-1]),
    "ES256 65 bytes": lambda lab: es_token(lab, lambda text: text + b"\0"),
    "ES256 empty": lambda lab: es_token(lab, lambda _: b""),
    "RSA with a leading zero": lambda lab: idp(lab, {"alg": "RS256"}, sign=lambda text: b"\0" + rs(lab.rsa[0])(text)),
    "RSA cut": lambda lab: idp(lab, {"alg": "RS256"}, sign=lambda text: rs(lab.rsa[0])(text)[:-1]),
    "RSA of zeros": lambda lab: idp(lab, {"alg": "RS256"}, sign=lambda _: bytes(256)),
    "RS512 said to be RS256": lambda lab: idp(lab, {"alg": "RS256"}, sign=rs(lab.rsa[0], hashes.SHA512())),
    "PS256 said to be RS256": lambda lab: idp(lab, {"alg": "RS256"}, sign=ps(lab.rsa[0])),
    "exp missing": lambda lab: encode({"alg": "HS256"}, claims(exp=None), hs(lab.secret)),
    "exp a string": lambda lab: encode({"alg": "HS256"}, claims(exp=str(int(time.time()) + 99)), hs(lab.secret)),
    "exp null": lambda lab: with_text(lab, exp="null"),
    "exp 10^40": lambda lab: with_text(lab, exp="1" + "0" * 40),
    "exp negative": lambda lab: encode({"alg": "HS256"}, claims(exp=-1), hs(lab.secret)),
    "exp 1e40": lambda lab: with_text(lab, exp="1e40"),
    "nbf a string": lambda lab: encode({"alg": "HS256"}, claims(nbf="1"), hs(lab.secret)),
    "iss absent": lambda lab: idp(lab, {"alg": "RS256"}, {"iss": None}),
    "iss without its slash": lambda lab: idp(lab, {"alg": "RS256"}, {"iss": "https://idp.example"}),
    "iss with more behind": lambda lab: idp(lab, {"alg": "RS256"}, {"iss": "https://idp.example/x"}),
    "iss in an array": lambda lab: idp(lab, {"alg": "RS256"}, {"iss": ["https://idp.example/"]}),
    "aud absent": lambda lab: idp(lab, {"alg": "RS256"}, {"aud": None}),
    "aud empty": lambda lab: idp(lab, {"alg": "RS256"}, {"aud": []}),
    "aud an object": lambda lab: idp(lab, {"alg": "RS256"}, {"aud": {"agents": True}}),
    "aud another": lambda lab: idp(lab, {"alg": "RS256"}, {"aud": "agent"}),
    "aud in other case": lambda lab: idp(lab, {"alg": "RS256"}, {"aud": "Agents"}),
    "aud of which one is a number": lambda lab: idp(lab, {"alg": "RS256"}, {"aud": [1, 2]}),
    "one issuer's claims by the other's key": lambda lab: encode(
        {"alg": "HS512"}, claims(**IDP, tier="gold"), hs(b"p" * 64, hashlib.sha512)
    ),
    "five parts (JWE)": lambda lab: ".".join([part({"alg": "RSA-OAEP", "enc": "A256GCM"}), "AAAA", "AAAA", "AAAA", "AAAA"]),
    "a JWT within a JWT": lambda lab: hs_raw(lab, {"alg": "HS256", "cty": "JWT"}, good(lab)),
    "two parts": lambda lab: good(lab).rsplit(".", 1)[0],
    "four parts": lambda lab: good(lab) + ".AAAA",
    "a thousand dots": lambda lab: "." * 1000,
    "an empty header": lambda lab: "." + good(lab).split(".", 1)[1],
    "20 KiB": lambda lab: encode({"alg": "HS256"}, claims(groups=["g" * 90] * 160), hs(lab.secret)),
    "user id with CR LF": lambda lab: encode({"alg": "HS256"}, claims(user_id="a\r\nX-Admin: 1"), hs(lab.secret)),
    "user id with NUL": lambda lab: encode({"alg": "HS256"}, claims(user_id="a\0b"), hs(lab.secret)),
    "user id with a blank": lambda lab: encode({"alg": "HS256"}, claims(user_id="a b"), hs(lab.secret)),
    "user id not ASCII": lambda lab: encode({"alg": "HS256"}, claims(user_id="ä"), hs(lab.secret)),
    "user id of 10 KiB": lambda lab: encode({"alg": "HS256"}, claims(user_id="u" * 10240), hs(lab.secret)),
    "user id of 257": lambda lab: encode({"alg": "HS256"}, claims(user_id="u" * 257), hs(lab.secret)),
    "user id empty": lambda lab: encode({"alg": "HS256"}, claims(user_id=""), hs(lab.secret)),
    "user id an object": lambda lab: encode({"alg": "HS256"}, claims(user_id={"id": 1}), hs(lab.secret)),
    "user id an array": lambda lab: encode({"alg": "HS256"}, claims(user_id=["a"]), hs(lab.secret)),
    "user id true": lambda lab: encode({"alg": "HS256"}, claims(user_id=True), hs(lab.secret)),
    "user id 1.0": lambda lab: with_text(lab, user_id="1.0"),
    "user id 1e3": lambda lab: with_text(lab, user_id="1e3"),
    "user id negative": lambda lab: with_text(lab, user_id="-1"),
    "user id 2^63": lambda lab: with_text(lab, user_id=str(2**63)),
    "no user id at all": lambda lab: encode({"alg": "HS256"}, claims(user_id=None, sub=None), hs(lab.secret)),
    "bytes that are not ASCII": lambda lab: "\xe9\xe8.\xe7.\xe0",
}


def idp_with_dash(lab):
    """A token whose signature has a character that the two base64 alphabets spell differently."""
    for number in range(100):
        token = encode({"alg": "HS256"}, claims(jti=str(number)), hs(lab.secret))
        if set("-_") & set(token.split(".")[2]):
            return token
    raise AssertionError("none in a hundred")


@pytest.mark.parametrize("make", INVALID.values(), ids=INVALID)
def test_token_invalid(gateway, upstream, lab, make):
    assert refusal(gateway.ask("/api/x", token=make(lab)), 401, "token_invalid") == {}
    assert not upstream.requests


def test_megabytes_of_token_are_refused_at_the_head(gateway, upstream):
    refusal(gateway.ask("/api/x", token="a" * (1 << 20)), 431, "headers_too_large")
    assert not upstream.requests


def test_white_space_within_a_token(gateway, upstream, lab):
    token = good(lab)
    for spoiled in (token[:20] + " " + token[20:], token[:20] + "\t" + token[20:]):
        refusal(gateway.ask("/api/x", token=spoiled), 401, "token_invalid")
    assert not upstream.requests


def test_a_claim_required_by_the_issuer(gateway, upstream):
    token = encode({"alg": "HS512"}, claims(iss="partner.example", tier="tin"), hs(b"p" * 64, hashlib.sha512))
    answer = gateway.ask("/api/x", token=token)
    assert answer.status in (401, 403) and answer.error in ("token_invalid", "permission_denied"), answer
    assert not upstream.requests


USER_IDS = {
    "text": ('"alice@example.com"', "alice@example.com"),
    "256 bytes": (json.dumps("u" * 256), "u" * 256),
    "all visible ASCII": (json.dumps('!~"\\,;'), '!~"\\,;'),
    "an integer": ("42", "42"),
    "zero": ("0", "0"),
    "beyond a double": ("9007199254740993", "9007199254740993"),
    "2^63-1": (str(2**63 - 1), str(2**63 - 1)),
}


@pytest.mark.parametrize("text, expected", USER_IDS.values(), ids=USER_IDS)
def test_user_ids_arrive_exactly(gateway, upstream, lab, text, expected):
    assert gateway.ask("/api/x", token=with_text(lab, user_id=text)).status == 200
    assert upstream.last().header("X-User-Id") == expected


def test_the_first_claim_present_is_the_user(gateway, upstream, jwt):
    assert gateway.ask("/api/x", token=jwt(user_id=None, sub="by-sub")).status == 200
    assert upstream.last().header("X-User-Id") == "by-sub"


def test_a_token_ends_at_its_exp_although_it_was_verified_before(gateway, upstream, jwt):
    moment = int(time.time()) + 2
    token = jwt(exp=moment)
    with gateway.connect() as wire:
        for _ in range(3):
            assert wire.send(request("GET", "/api/x", token=token)).answer().status == 200
        wait_until(moment + 0.1)
        refusal(wire.send(request("GET", "/api/x", token=token)).answer(), 401, "token_expired")


def test_a_verified_token_vouches_for_no_other_spelling(gateway, upstream, lab):
    token = good(lab)
    assert gateway.ask("/api/x", token=token).status == 200
    for index in (5, len(token) // 2, len(token) - 20, len(token) - 2):
        spoiled = token[:index] + ("A" if token[index] != "A" else "B") + token[index + 1 :]
        refusal(gateway.ask("/api/x", token=spoiled), 401, "token_invalid")
    refusal(gateway.ask("/api/x", token=token + "A"), 401, "token_invalid")
    assert gateway.ask("/api/x", token=token).status == 200


def test_a_refused_token_stays_refused(gateway, jwt):
    token = jwt(exp=1)
    for _ in range(3):
        refusal(gateway.ask("/api/x", token=token), 401, "token_expired")


def test_the_scheme_in_any_case(gateway, good_token):
    for scheme in ("bearer", "BEARER", "bEaReR", "Bearer ", "Bearer   "):
        assert gateway.ask("/api/x", f"Authorization: {scheme} {good_token}").status == 200


@pytest.fixture
def good_token(lab):
    return good(lab)


def test_on_an_open_route_no_credential_is_looked_at(gateway, upstream):
    assert gateway.ask("/widget/", token="garbage").status == 200
    assert upstream.last().all("X-User-Id") == []
