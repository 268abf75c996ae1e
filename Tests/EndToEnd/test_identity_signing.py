"""What tokens are signed with: asymmetric keys and their key set, and keys that are rotated out."""

import base64
import hashlib
import json

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from support import eventually
from support.accounts import Session, add_user, identity, login, refresh
from support.gateway import configuration, refusal
from support.lab import private_pem, write_private
from support.tokens import base64url, claims, decode, encode, es, hs, resigned, rs

KEY_SET = "/.well-known/jwks.json"


@pytest.fixture(scope="module")
def keys(lab):
    """The lab's private keys as files: rs256.pem, es256.pem, eddsa.pem."""
    for name, key in {"rs256": lab.rsa[0], "es256": lab.ec, "eddsa": lab.ed}.items():
        write_private(lab.path(f"{name}.pem"), private_pem(key))
    return {"RS256": lab.rsa[0], "ES256": lab.ec, "EdDSA": lab.ed}


@pytest.fixture(scope="module", params=["RS256", "ES256", "EdDSA"])
def asymmetric(request, start, keys):
    """An algorithm and a gateway that signs with it."""
    gateway = start(jwt="", identity=identity(sign=f"{request.param} file:LAB/{request.param.lower()}.pem"))
    add_user(gateway, "ada@example.com")
    return request.param, gateway


def key_set(gateway):
    answer = gateway.ask(KEY_SET, listener="tls")
    assert answer.status == 200 and answer.header("Content-Type").startswith("application/"), answer
    assert list(answer.json) == ["keys"]
    return answer.json["keys"]


def from_base64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def public_key(jwk):
    """RFC 7517 §4, RFC 7518 §6 and RFC 8037 §2, read by somebody else's eyes."""
    number = lambda name: int.from_bytes(from_base64url(jwk[name]), "big")
    if jwk["kty"] == "RSA":
        return rsa.RSAPublicNumbers(number("e"), number("n")).public_key()
    if jwk["kty"] == "EC":
        assert jwk["crv"] == "P-256" and len(jwk["x"]) == len(jwk["y"]) == 43, "RFC 7518 §6.2.1.2: 32 bytes each"
        return ec.EllipticCurvePublicNumbers(number("x"), number("y"), ec.SECP256R1()).public_key()
    assert (jwk["kty"], jwk["crv"]) == ("OKP", "Ed25519")
    return ed25519.Ed25519PublicKey.from_public_bytes(from_base64url(jwk["x"]))


def verify(token, jwk):
    text, _, signature = token.rpartition(".")
    text, signature, key = text.encode(), from_base64url(signature), public_key(jwk)
    if jwk["kty"] == "RSA":
        key.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
    elif jwk["kty"] == "EC":
        assert len(signature) == 64, "RFC 7518 §3.4: r and s, not DER"
        half = lambda part: int.from_bytes(part, "big")
        der = encode_dss_signature(half(signature[:32]), half(signature[32:]))
        key.verify(der, text, ec.ECDSA(hashes.SHA256()))
    else:
        key.verify(signature, text)


def thumbprint(jwk):
    """RFC 7638 §3: the required members in order of their names, without blanks."""
    names = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}[jwk["kty"]]
    text = json.dumps({name: jwk[name] for name in names}, separators=(",", ":"))
    return base64url(hashlib.sha256(text.encode()).digest())


def test_tokens_verify_by_the_published_key(asymmetric, upstream):
    algorithm, gateway = asymmetric
    (jwk,) = key_set(gateway)
    session = Session(gateway, "ada@example.com")
    for token in (session.access, session.refresh):
        assert decode(token)[0] == {"typ": "JWT", "alg": algorithm, "kid": jwk["kid"]}
        verify(token, jwk)
    with pytest.raises(InvalidSignature):
        verify(resigned(session.access, lambda _: from_base64url(session.access.rpartition(".")[2]), sub="other"), jwk)
    assert session.use().status == 200 and upstream.last().header("X-User-Id") == session.user["id"]
    verify(session.renew()["access"], jwk)
    session.end()
    session.assert_dead()


def test_the_published_key(asymmetric, keys):
    algorithm, gateway = asymmetric
    (jwk,) = key_set(gateway)
    assert (jwk["alg"], jwk["use"], jwk["kid"]) == (algorithm, "sig", thumbprint(jwk))
    raw = lambda key: key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert raw(public_key(jwk)) == raw(keys[algorithm].public_key())
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(jwk), "RFC 7518 §6: what is private"


def test_the_key_set_is_for_everybody(asymmetric):
    _, gateway = asymmetric
    assert gateway.ask(KEY_SET, listener="tls", token="whatever").status == 200
    head = gateway.ask(KEY_SET, method="HEAD", listener="tls")
    assert head.status == 200 and head.body == b""
    answer = gateway.ask(KEY_SET, method="POST", listener="tls")
    assert refusal(answer, 405, "method_not_allowed")["allowed"] == answer.header("Allow").replace(" ", "").split(",")


def test_a_stranger_cannot_use_the_name_of_the_key(asymmetric, lab):
    algorithm, gateway = asymmetric
    session = Session(gateway, "ada@example.com")
    header, body = decode(session.access)
    sign = {"RS256": rs(lab.strangers_rsa), "ES256": es(lab.stranger_ec)}.get(algorithm)
    public = keys_as_secrets(key_set(gateway)[0])
    forged = [encode(header, body, sign)] if sign else []
    forged += [encode({**header, "alg": "HS256"}, body, hs(secret)) for secret in public]
    forged.append(encode({**header, "alg": "none"}, body, lambda _: b""))
    for token in forged:
        refusal(session.use(token), 401, "token_invalid")
        refusal(refresh(gateway, token), 401, "token_invalid")
    # The gateway's own tokens are named, so a token has to name its key (RFC 7515 §4.1.4)
    refusal(session.use(encode({**header, "kid": "other"}, body, lambda _: b"x" * 64)), 401, "token_invalid")


def keys_as_secrets(jwk):
    """What an attacker takes for the secret of HS256 (RFC 8725 §2.1): everything that is public."""
    key = public_key(jwk)
    formats = serialization.PublicFormat.SubjectPublicKeyInfo
    encodings = (serialization.Encoding.PEM, serialization.Encoding.DER)
    return [key.public_bytes(encoding, formats) for encoding in encodings] + [json.dumps(jwk).encode(), jwk["kid"].encode()]


def test_a_secret_is_never_published(start, keys, lab):
    gateway = start(jwt="", identity=identity())
    refusal(gateway.ask(KEY_SET, listener="tls"), 404, "not_found")
    both = start(jwt="", identity=identity(sign=["HS256 file:LAB/hs256.key", "ES256 file:LAB/es256.pem"]))
    assert [jwk["kty"] for jwk in key_set(both)] == ["EC"]
    text = both.ask(KEY_SET, listener="tls").body
    assert lab.secret not in text and base64url(lab.secret).encode() not in text


# Rotation: the first line signs, all verify


def reload(gateway, **parts):
    before = gateway.metric("gatehouse_config_reloads_total")
    gateway.write(configuration(jwt="", **parts))
    gateway.reload()
    eventually(lambda: gateway.metric("gatehouse_config_reloads_total") > before)


OLD, NEW = "HS256 file:LAB/stranger.key", "HS256 file:LAB/hs256.key"
ROTATIONS = {
    "a secret by a secret": (OLD, NEW),
    "a secret by a key pair": (OLD, "ES256 file:LAB/es256.pem"),
    "a key pair by another": ("RS256 file:LAB/rs256.pem", "EdDSA file:LAB/eddsa.pem"),
}


@pytest.mark.parametrize("old, new", ROTATIONS.values(), ids=ROTATIONS)
def test_a_key_is_rotated_out(start, keys, upstream, old, new):
    gateway = start(jwt="", identity=identity(sign=old))
    session = Session(gateway, add_user(gateway))
    reload(gateway, identity=identity(sign=[new, old]))
    assert session.use().status == 200
    renewed = session.renew()["access"]
    assert decode(renewed)[0]["alg"] == new.split()[0] and session.use(renewed).status == 200
    fresh = Session(gateway, session.email)
    reload(gateway, identity=identity(sign=new))
    refusal(refresh(gateway, session.refresh), 401, "token_invalid")
    for token, status in ((renewed, 200), (fresh.access, 200)):
        assert fresh.use(token).status == status
    assert fresh.is_alive()


def test_what_the_old_key_signed_is_invalid_once_it_is_gone(start, lab):
    gateway = start(jwt="", identity=identity(sign=OLD))
    session = Session(gateway, add_user(gateway))
    reload(gateway, identity=identity(sign=NEW))
    refusal(session.use(), 401, "token_invalid")
    refusal(refresh(gateway, session.refresh), 401, "token_invalid")
    refusal(session.use(encode({"alg": "HS256"}, claims(), hs(lab.other_secret))), 401, "token_invalid")
    assert login(gateway, session.email).status == 200
