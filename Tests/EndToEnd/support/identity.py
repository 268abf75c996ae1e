"""People who log in: the configuration that lets them, their users in the store, and the requests that they send."""

import base64
import json

from .gateway import configuration
from .wire import request

PASSWORD = "correct horse battery staple"
KEYS = "/api/agents/{agent}/api-keys/"


def identity_configuration(identity="", top="", keys=True, sign="sign HS256 file:LAB/hs256.key;", **parts):
    """A configuration with an identity block, whose further directives are `identity`, and key endpoints."""
    blocks = f"identity /api/auth/ {{ {sign} {identity} }}\n"
    if keys:
        blocks += (
            "api_keys /api/agents/{agent_id}/api-keys/ { owner_check agents GET /api/agents/{agent_id}/; }\n"
        )
    return configuration(top=top + "\n" + blocks, **parts)


def claims_of(token):
    """What a token says, unverified."""
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def header_of(token):
    head = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))


class Door:
    """The identity endpoints of a gateway."""

    def __init__(self, gateway, listener="plain"):
        self.gateway, self.listener = gateway, listener

    def add(self, email, password=PASSWORD, first="Ann", last="Lee"):
        arguments = ("--email", email, "--first-name", first, "--last-name", last, "--json")
        result = self.gateway.run("users", "add", *arguments, input=password + "\n")
        return json.loads(result.stdout)

    def send(self, method, path, body=None, *fields, token=None, kind="application/json"):
        """One answer; a body that is no bytes is sent as JSON."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None and kind is not None:
            fields = (f"Content-Type: {kind}", *fields)
        data = request(method, path, *fields, token=token, body=body)
        return self.gateway.send(data, self.listener, method)

    def post(self, path, body=None, *fields, **settings):
        return self.send("POST", path, body, *fields, **settings)

    def try_login(self, email, password=PASSWORD, *fields):
        return self.post("/api/auth/login/", {"email": email, "password": password}, *fields)

    def login(self, email, password=PASSWORD):
        answer = self.try_login(email, password)
        assert answer.status == 200, answer
        return answer.json

    def refresh(self, token):
        return self.post("/api/auth/token/refresh/", {"refresh": token})

    def logout(self, access):
        return self.post("/api/auth/logout/", token=access)

    def open(self, access, path="/api/thing"):
        """What a route that takes tokens says to this one."""
        return self.gateway.ask(path, token=access, listener=self.listener)

    def make_key(self, access, agent="a1", **body):
        answer = self.post(KEYS.format(agent=agent), {"name": "test", **body}, token=access)
        assert answer.status == 201, answer
        return answer.json
