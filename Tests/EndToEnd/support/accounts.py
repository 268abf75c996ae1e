"""People of a gateway's store and what their clients send: login, refresh, logout, the management of API keys."""

import base64
import contextlib
import hashlib
import itertools
import json

from . import eventually
from .gateway import refusal
from .tokens import decode
from .wire import request

PASSWORD = "correct horse battery staple"
LAG = 1.0  # revocation_lag of the configuration
LOGIN, REFRESH, LOGOUT = "/api/auth/login/", "/api/auth/token/refresh/", "/api/auth/logout/"
API_KEYS = "api_keys /api/agents/{agent_id}/api-keys/ { owner_check agents GET /api/agents/{agent_id}/; }"
numbers = itertools.count(1)


def identity(*directives, sign="HS256 file:LAB/hs256.key"):
    """An `identity` block; `sign` is a line of it, or several."""
    signs = [sign] if isinstance(sign, str) else sign
    return "identity /api/auth/ { " + " ".join([*(f"sign {line};" for line in signs), *directives]) + " }"


def post(gateway, target, body=None, *fields, token=None, method="POST", kind="application/json", **settings):
    """One request over TLS; a body that is not bytes is sent as JSON, None as nothing at all."""
    if body is not None:
        fields = (*fields, f"Content-Type: {kind}") if kind else fields
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
    settings.setdefault("listener", "tls")
    return gateway.ask(target, *fields, method=method, token=token, body=body, **settings)


# Users


def add_user(gateway, email=None, password=PASSWORD, first="Ada", last="Lovelace"):
    """A new user by the command line; gives the e-mail."""
    email = email or f"user-{next(numbers)}@example.com"
    gateway.run("users", "add", "--email", email, "--first-name", first, "--last-name", last, input=password + "\n")
    return email


def pbkdf2(password=PASSWORD, iterations=1_000):
    """A hash as Django writes it. With few iterations a wrong guess costs next to nothing; a right one makes it a current one."""
    salt = f"salt{next(numbers)}"
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), iterations)
    return f"pbkdf2_sha256${iterations}${salt}${base64.b64encode(digest).decode()}"


def import_users(gateway, *users, **settings):
    """`users import` of these objects; what the command said."""
    return gateway.run("users", "import", "-", input="".join(json.dumps(user) + "\n" for user in users), **settings)


def add_cheap_users(gateway, count=1, iterations=1_000, **fields):
    """New users whose failed logins cost little time; gives the e-mails."""
    emails = [f"user-{next(numbers)}@example.com" for _ in range(count)]
    secret = pbkdf2(iterations=iterations)
    import_users(gateway, *({"email": email, "password": secret, **fields} for email in emails))
    return emails


def login(gateway, email, password=PASSWORD, *fields, **settings):
    """The answer to a login."""
    return post(gateway, LOGIN, {"email": email, "password": password}, *fields, **settings)


def refresh(gateway, token, *fields, **settings):
    """The answer to a refresh."""
    return post(gateway, REFRESH, {"refresh": token}, *fields, **settings)


def logout(gateway, token, **settings):
    """The answer to a logout."""
    return post(gateway, LOGOUT, token=token, **settings)


class Session:
    """Somebody who has logged in, and the tokens that he holds."""

    def __init__(self, gateway, email, password=PASSWORD):
        answer = login(gateway, email, password)
        assert answer.status == 200, answer
        self.gateway, self.email = gateway, email
        self.access, self.refresh, self.user = answer.json["access"], answer.json["refresh"], answer.json["user"]

    @property
    def claims(self):
        return decode(self.access)[1]

    def use(self, access=None):
        """The answer of a route that takes an access token."""
        return self.gateway.ask("/api/x", token=access or self.access, listener="tls")

    def renew(self):
        """Refreshes, and takes what comes of it."""
        answer = refresh(self.gateway, self.refresh)
        assert answer.status == 200, answer
        self.access, self.refresh = answer.json["access"], answer.json.get("refresh", self.refresh)
        return answer.json

    def end(self):
        """Logs out."""
        answer = logout(self.gateway, self.access)
        assert answer.status == 204, answer

    def is_alive(self):
        """Whether both tokens are good; with rotation this spends the refresh token."""
        good = self.use().status == 200
        if good:
            self.renew()
        return good

    def assert_dead(self):
        """Both tokens were revoked."""
        refusal(self.use(), 401, "token_revoked")
        refusal(refresh(self.gateway, self.refresh), 401, "token_revoked")


def dies(session, within=LAG + 1):
    """Waits until what another process did to a session acts here; then both tokens are dead."""
    eventually(lambda: session.use().status == 401, within=within)
    session.assert_dead()


class Crowd:
    """Kept connections that the workers share, so that each of them sees every request."""

    def __init__(self, gateway, count=32):
        self.gateway, self.count, self.stack = gateway, count, contextlib.ExitStack()

    def __enter__(self):
        self.wires = [self.stack.enter_context(self.gateway.connect()) for _ in range(self.count)]
        return self

    def __exit__(self, *_):
        self.stack.close()

    def send(self, data, method="GET"):
        """The answers to the same bytes, or a list of one for each, sent on all before the first answer is read."""
        for wire, each in zip(self.wires, data if isinstance(data, list) else itertools.repeat(data)):
            wire.send(each)
        answers = [wire.answer(method) for wire in self.wires]
        for place, answer in enumerate(answers):
            # What was under way when a credential died is answered and closed (contract.md).
            if answer.header("Connection") == "close":
                self.wires[place] = self.stack.enter_context(self.gateway.connect())
        return answers

    def ask(self, target, token):
        return self.send(request("GET", target, token=token))

    def outcomes(self, target, token):
        """What the answers were: statuses, and codes of refusals."""
        return {answer.status if answer.status < 400 else (answer.status, answer.error) for answer in self.ask(target, token)}


# API keys


def keys_path(agent="bot-1", *rest):
    """The path of an agent's keys, or of one of them."""
    return "/".join([f"/api/agents/{agent}/api-keys", *rest, ""])


def create_key(gateway, token, agent="bot-1", **fields):
    """A new key, made over HTTP."""
    answer = post(gateway, keys_path(agent), {"name": "test", **fields}, token=token)
    assert answer.status == 201, answer
    return answer.json


def list_keys(gateway, token, agent="bot-1"):
    answer = gateway.ask(keys_path(agent), token=token, listener="tls")
    assert answer.status == 200, answer
    return answer.json["keys"]


def revoke_key(gateway, token, key_id, agent="bot-1"):
    return gateway.ask(keys_path(agent, key_id), method="DELETE", token=token, listener="tls")


def rotate_key(gateway, token, key_id, body, agent="bot-1"):
    return post(gateway, keys_path(agent, key_id, "rotate"), body, token=token)
