"""JWTs made by hand, so that a test can spoil any part of them."""

import base64
import hashlib
import hmac
import json
import math
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from . import PATIENCE

USER = "123e4567-e89b-12d3-a456-426614174000"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def hs(secret, digest=hashlib.sha256):
    return lambda text: hmac.new(secret, text, digest).digest()


def rs(key, digest=hashes.SHA256()):
    return lambda text: key.sign(text, padding.PKCS1v15(), digest)


def ps(key):
    return lambda text: key.sign(text, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def es_der(key):
    return lambda text: key.sign(text, ec.ECDSA(hashes.SHA256()))


def es(key):
    def sign(text):
        r, s = decode_dss_signature(es_der(key)(text))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign


def ed(key):
    return key.sign


def claims(**changes):
    """The claims of a good access token; a change to None removes one."""
    now = int(time.time())
    values = {"token_type": "access", "exp": now + 3600, "iat": now - 10, "jti": "8f14e45f", "sub": USER, "user_id": USER}
    values.update(changes)
    return {name: value for name, value in values.items() if value is not None}


def soon(seconds=1.0):
    """An `exp` that is at least so far away, and at most one second more: `exp` counts whole ones, of which one may just end."""
    return math.ceil(time.time() + seconds * PATIENCE)


def part(value):
    """A segment: base64url of JSON, or of these bytes as they are."""
    return base64url(value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode())


def encode(header, body, sign):
    text = f"{part(header)}.{part(body)}"
    return f"{text}.{base64url(sign(text.encode()))}"


def decode(token):
    """The header and the claims of a token, unverified."""
    read = lambda text: json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    header, body, _ = token.split(".")
    return read(header), read(body)


def resigned(token, sign, **changes):
    """The same token with some claims changed, signed anew; a change to None removes one."""
    header, body = decode(token)
    body.update(changes)
    return encode(header, {name: value for name, value in body.items() if value is not None}, sign)
