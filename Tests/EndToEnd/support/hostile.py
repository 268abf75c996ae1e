"""A provider that misbehaves by a script: what it answers for each path, over TLS, and how many ask at once."""

import datetime
import json
import ssl
import time
from types import SimpleNamespace
from unittest import mock

from . import lab as labs
from .tokens import base64url
from .upstream import RecordingUpstream, answer

KEYS, ASK = "/keys", "/introspect"


class Hostile(RecordingUpstream):
    """`at` says what a path answers: bytes, or a callable of (connection, request). Everything else is 404.

    `certificate` names one of the lab's, and may be changed at any time: it counts for the next connection.
    """

    def __init__(self, lab):
        self.lab, self.at, self.under_way, self.most_at_once = lab, {}, 0, 0
        super().__init__()
        self.certificate = "localhost"
        self.issuer = f"https://localhost:{self.port}"
        self.script = self.dispatch

    @property
    def certificate(self):
        return self._certificate

    @certificate.setter
    def certificate(self, name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.lab.path(f"{name}.pem"), self.lab.path(f"{name}.key"))
        self._certificate, self.context = name, context

    def dispatch(self, connection, request):
        with self.lock:
            self.under_way += 1
            self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            script = self.at.get(request.target, NOT_FOUND)
            if callable(script):
                return script(connection, request)
            connection.send(script)
        finally:
            with self.lock:
                self.under_way -= 1

    def asked(self, path):
        """Requests so far to this path."""
        return sum(request.target == path for request in list(self.requests))


def json_answer(value, status="200 OK", *fields):
    return answer(json.dumps(value).encode(), status, "Content-Type: application/json", *fields)


NOT_FOUND = answer(b"no", "404 Not Found", "Content-Type: text/html")
ACTIVE = json_answer({"active": True, "sub": "somebody"})
INACTIVE = json_answer({"active": False})


def jwk(key, kid):
    """The public half of an RSA key of 2048 bits."""
    n = key.public_key().public_numbers().n
    return {"kty": "RSA", "kid": kid, "use": "sig", "n": base64url(n.to_bytes(256, "big")), "e": "AQAB"}


def key_set(*keys):
    return json_answer({"keys": list(keys)})


def slow(seconds, data):
    """The answer after a while."""

    def script(connection, _):
        time.sleep(seconds)
        connection.send(data)

    return script


def drip(data, every=0.1):
    """The answer byte by byte, until the gateway has enough of it."""

    def script(connection, _):
        for index in range(len(data)):
            connection.send(data[index : index + 1])
            time.sleep(every)

    return script


def reset(connection, _):
    """No answer at all."""
    connection.reset()
    return False


def issue_expired(lab):
    """`expired.pem` and `.key` of the lab: for localhost, until yesterday."""
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=31)
    clock = SimpleNamespace(**{**vars(datetime), "datetime": SimpleNamespace(now=lambda _: then)})
    with mock.patch.object(labs, "datetime", clock):
        lab.authority.issue(lab.folder, "expired", "localhost")
