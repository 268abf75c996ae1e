"""An OpenID provider in a process of its own (provider_app.py): what it issues, its keys, and what it is asked."""

import hashlib
import secrets
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, quote_plus, urlsplit

import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from . import PATIENCE, eventually, free_port
from .lab import private_pem, write_private
from .tokens import base64url

USER, PASSWORD = "dora", "provider password"
CALLBACK = "https://app.example/callback"
# A token with this scope lives 3 seconds.
SHORT = "short"


class Client(NamedTuple):
    name: str
    secret: str


WEB = Client("dashboard", "secret of the dashboard")
OTHER_WEB = Client("wiki", "secret of the wiki")
MACHINE = Client("nightly-job", "secret of the nightly job")
# RFC 6749 §2.3.1: name and secret are form-encoded before they go into Basic, and this provider decodes them.
INSPECTOR = Client("gatehouse", "intro+spect%20:secret")


class Provider:
    """Starts on `start()`, each time on the same port, keys and database, and is stopped by its pid."""

    def __init__(self, lab, folder):
        self.lab, self.folder, self.port, self.process, self.keys = lab, folder, free_port(), None, []
        self.issuer = f"https://localhost:{self.port}/o"
        self.rotate()

    # Process

    def start(self):
        paths = [self.folder, self.lab.path("localhost.pem"), self.lab.path("localhost.key")]
        with open(self.folder / "log", "ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "support.provider_app", str(self.port), *paths],
                cwd=Path(__file__).parents[1],
                stdout=out,
                stderr=out,
            )
        eventually(self.serves, within=45)
        return self

    def serves(self):
        assert self.alive, (self.folder / "log").read_text()
        try:
            return self.browser().get(f"https://localhost:{self.port}/").status_code == 404
        except requests.ConnectionError:
            return False

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()

    # What it issues

    def browser(self):
        """A client with cookies of its own that trusts the lab's authority, whatever the environment says."""
        session = requests.Session()
        session.trust_env, session.verify = False, str(self.lab.path("ca.pem"))
        return session

    def post(self, path, client, **form):
        """The answer of an endpoint to a client that names itself with Basic."""
        auth = tuple(quote_plus(text) for text in client)
        answer = self.browser().post(self.issuer + path, data=form, auth=auth, timeout=10 * PATIENCE)
        assert answer.status_code == 200, answer.text
        return answer

    def login(self, client=WEB, scope="openid query"):
        """`id_token` and `access_token` of USER, by the authorization code grant with PKCE (RFC 7636)."""
        browser = self.browser()
        answer = browser.post(f"https://localhost:{self.port}/login/", data={"username": USER, "password": PASSWORD})
        assert answer.status_code == 204, answer.text
        verifier = secrets.token_urlsafe(48)
        query = {
            "response_type": "code",
            "client_id": client.name,
            "redirect_uri": CALLBACK,
            "scope": scope,
            "code_challenge": base64url(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        answer = browser.get(f"{self.issuer}/authorize/", params=query, allow_redirects=False)
        assert answer.headers["Location"].startswith(CALLBACK), answer.headers
        form = {
            "grant_type": "authorization_code",
            "code": parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0],
            "redirect_uri": CALLBACK,
            "code_verifier": verifier,
        }
        return self.post("/token/", client, **form).json()

    def id_token(self, client=WEB):
        """A JWT for `client`: RS256, `aud` is the client's name."""
        return self.login(client)["id_token"]

    def opaque(self, scope="query"):
        """An access token of MACHINE, by the client credentials grant."""
        return self.post("/token/", MACHINE, grant_type="client_credentials", scope=scope).json()["access_token"]

    def revoke(self, token, client=MACHINE):
        """RFC 7009, by the client that the token was issued to."""
        self.post("/revoke_token/", client, token=token)

    def introspect(self, token):
        """RFC 7662, as the gateway asks."""
        return self.post("/introspect/", INSPECTOR, token=token).json()

    # Its keys

    def rotate(self, keep=True):
        """A new key signs from now on; the former one stays in the key set or leaves it."""
        self.keys = [rsa.generate_private_key(65537, 2048), *self.keys[: 1 if keep else 0]]
        new = write_private(self.folder / "signing.new", b"\n".join(map(private_pem, self.keys)))
        new.replace(self.folder / "signing.pem")

    def key_set(self):
        answer = self.browser().get(f"{self.issuer}/.well-known/jwks.json")
        assert answer.status_code == 200, answer.text
        return answer.json()["keys"]

    # What it was asked

    def count(self, path):
        """Requests so far to this path below the issuer, of any method."""
        asked = (self.folder / "requests.log").read_text().splitlines()
        return sum(line.split(" ", 1)[1] == f"/o{path}" for line in asked)
