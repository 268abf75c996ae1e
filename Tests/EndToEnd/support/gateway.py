"""A gateway process: the built binary on a configuration of its own."""

import http.client
import json
import os
import re
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

from . import PATIENCE, eventually, free_port, postgres
from .wire import Wire, request

REPOSITORY = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("GATEHOUSE_BINARY", ".build/debug/gatehouse"))
if not BINARY.is_absolute():
    BINARY = REPOSITORY / BINARY
# With `postgres` every store is a database of its own instead of a file.
STORE = os.environ.get("GATEHOUSE_TEST_STORE", "sqlite")
about_the_file = pytest.mark.skipif(STORE != "sqlite", reason="about the file that the store is otherwise")
# What a crash or a sanitizer leaves on stderr.
DISASTERS = ("Fatal error", "ThreadSanitizer", "AddressSanitizer", "*** Signal", "Program crashed")

JWT = """
jwt backend {
    algorithms HS256;
    keys secret file:LAB/hs256.key;
    user_id_claim user_id sub;
    require token_type access;
    leeway 0s;
}
jwt idp {
    issuer https://idp.example/;
    audience agents;
    algorithms RS256 PS256 ES256 EdDSA;
    keys jwks:LAB/jwks.json;
    user_id_claim user_id sub;
}
"""

ROUTES = """
route POST /api/agents/{agent_id}/query/ { accept api_key jwt; agent {agent_id}; upstream agents; }
route /api/agents/{agent_id}/ { accept jwt api_key; agent {agent_id}; upstream agents; }
route /api/ { accept jwt; upstream agents; }
route /api/keys-only/ { accept api_key; upstream agents; }
route /api/hidden/ { accept jwt; forward_credential off; upstream agents; }
route /api/scoped/ { accept jwt; require scope query; upstream agents; }
route /api/small/ { accept jwt; max_body 1k; upstream agents; }
route GET POST /limited/ { accept jwt; upstream agents; }
route GET /widget/ { accept none; upstream agents; }
route /public/ { accept none; upstream agents; }
route GET /exact { accept none; upstream agents; }
"""


class Ports:
    """Chosen on first use: `ports.tls`, `ports.plain`, any name."""

    def __getattr__(self, name):
        port = free_port()
        setattr(self, name, port)
        return port


def configuration(
    top="",
    listeners="listen 127.0.0.1:{tls} tls; listen 127.0.0.1:{plain} plain; listen 127.0.0.1:{redirect} redirect;",
    certificates="certificate LAB/localhost.pem file:LAB/localhost.key;",
    jwt=JWT,
    identity="",
    api_keys="",
    server="server 127.0.0.1:UPSTREAM;",
    directives="",
    routes=ROUTES,
):
    """The text of a gateway.conf; LAB, UPSTREAM and {port names} are filled in by `Gateway`."""
    return f"""# made for a test
workers 2;
drain_timeout 5s;
access_log access.log json;
{top}
{listeners}
admin 127.0.0.1:{{admin}};
tls {{ {certificates} }}
store sqlite:gatehouse.db;
revocation_lag 1s;
{jwt}
{identity}
{api_keys}
upstream agents {{
    {server}
    {directives}
}}
{routes}
"""


class Gateway:
    """Starts on `start()`, is stopped by its pid, and keeps what it said."""

    def __init__(self, lab, folder, text, upstream=None):
        self.lab, self.folder, self.ports, self.upstream = lab, folder, Ports(), upstream
        self.process, self.expect_failure, self.keys = None, False, {}
        folder.mkdir(parents=True, exist_ok=True)
        self.write(text)

    def write(self, text):
        """Writes gateway.conf with the placeholders filled in."""
        text = text.replace("LAB", str(self.lab.folder))
        if STORE == "postgres":
            text = re.sub(r"sqlite:(\S*)gatehouse\.db", r"postgres:file:\1store.url", text)
            if "postgres:file:store.url" in text and not (self.folder / "store.url").exists():
                postgres.store_file(self.folder)
        if self.upstream is not None:
            text = text.replace("UPSTREAM", str(self.upstream if isinstance(self.upstream, int) else self.upstream.port))
        for name in ("tls", "plain", "redirect", "admin", "extra", "proxy"):
            if f"{{{name}}}" in text:
                text = text.replace(f"{{{name}}}", str(getattr(self.ports, name)))
        self.text = text
        (self.folder / "gateway.conf").write_text(text)
        return self

    def store_url(self):
        """The connection string of a store that is PostgreSQL's."""
        return (self.folder / "store.url").read_text().strip()

    # Process

    def start(self, wait=True, descriptors=None):
        """Starts `run`, and waits until it answers; with at most so many descriptors, if told."""
        limit = descriptors and (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors)))
        self.stderr = open(self.folder / "stderr.log", "ab")
        self.process = subprocess.Popen(
            [BINARY, "run", "-c", "gateway.conf"],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=self.stderr,
            stderr=self.stderr,
            start_new_session=True,
            preexec_fn=limit,
        )
        if wait:
            eventually(self.ready, within=15)
        return self

    def ready(self):
        assert self.process.poll() is None, f"the gateway ended with {self.process.returncode}: {self.said()}"
        try:
            return self.admin("/healthz")[0] == 200
        except OSError:
            return False

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self):
        self.signal(signal.SIGHUP)

    def wait(self, within):
        try:
            return self.process.wait(within * PATIENCE)
        except subprocess.TimeoutExpired:
            return None

    def stop(self):
        """Ends the process and fails when it had crashed, hung, or a sanitizer has something to say."""
        if self.process is None:
            return
        if self.alive:
            self.signal(signal.SIGTERM)
            if self.wait(1) is None and self.alive:
                self.signal(signal.SIGTERM)
        code = self.wait(8)
        if code is None:
            self.process.kill()
            self.process.wait()
        self.stderr.close()
        said = self.said()
        assert code is not None, f"did not stop: {said}"
        for word in DISASTERS:
            start = said.find(word)
            assert start < 0, "\n".join(said[max(0, start - 200) :].splitlines()[:30])
        assert self.expect_failure or code == 0, f"exit {code}: {said[-3000:]}"

    def said(self):
        return (self.folder / "stderr.log").read_text(errors="replace")

    def resident(self):
        """Resident memory in KiB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")

    def cpu_seconds(self):
        """User and system time that the process has taken."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # Command line

    def run(self, *arguments, input="", code=0, timeout=20):
        """A command on this gateway's configuration; fails unless it exits with `code`."""
        name, *rest = arguments
        if name in ("keys", "store", "token", "users"):
            name, rest = [name, rest[0]], rest[1:]
        else:
            name = [name]
        result = subprocess.run(
            [BINARY, *name, "-c", "gateway.conf", *rest],
            cwd=self.folder,
            input=input,
            text=True,
            capture_output=True,
            timeout=timeout * PATIENCE,
        )
        assert code is None or result.returncode == code, f"exit {result.returncode}: {result.stdout}{result.stderr}"
        return result

    def create_key(self, agent="bot-1", owner="owner-1", *more):
        """A new key, once it acts."""
        made = json.loads(
            self.run("keys", "create", "--agent", agent, "--owner", owner, "--name", "test", "--json", *more).stdout
        )
        if self.alive:
            eventually(lambda: self.ask(f"/api/agents/{agent}/", token=made["key"]).status != 401, within=3)
        return made

    def key(self, agent="bot-1"):
        """The one key of an agent that the tests of a module share."""
        if agent not in self.keys:
            self.keys[agent] = self.create_key(agent)
        return self.keys[agent]["key"]

    # Traffic

    def connect(self, listener="tls", **settings):
        if listener == "tls":
            settings.setdefault("context", self.lab.client_context())
        return Wire(("127.0.0.1", getattr(self.ports, listener)), **settings)

    def send(self, data, listener="plain", method="GET"):
        """One answer to these bytes, on a connection of its own."""
        with self.connect(listener) as wire:
            return wire.send(data).answer(method)

    def ask(self, target, *fields, method="GET", listener="plain", **settings):
        return self.send(request(method, target, *fields, **settings), listener, method)

    def admin(self, path, within=5):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports.admin, timeout=within * PATIENCE)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def metric(self, name, **labels):
        """The sum of the samples of this name that carry these labels."""
        return sum(value for found, their, value in self.samples() if found == name and labels.items() <= their.items())

    def samples(self):
        """Every sample of /metrics: its name, labels and value."""
        status, text = self.admin("/metrics")
        assert status == 200, text
        for line in text.splitlines():
            if line and not line.startswith("#"):
                series, _, value = line.rpartition(" ")
                yield series.partition("{")[0], dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', series)), float(value)

    def log(self):
        path = self.folder / "access.log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def logged(self, within=3.0, **fields):
        """The newest line of the access log with these fields, once it is there."""
        found = lambda: [line for line in self.log() if fields.items() <= line.items()]
        return eventually(found, within)[-1]


def refusal(answer, status, error, method="GET"):
    """Checks an answer against the envelope of the contract and gives its details."""
    assert answer.status == status, answer
    assert answer.header("Content-Type") == "application/json", answer
    assert answer.header("Cache-Control") == "no-store", answer
    assert answer.header("X-Request-Id"), answer
    assert answer.header("Date"), answer
    challenge = answer.header("WWW-Authenticate")
    if status == 401 and error != "login_failed":
        assert challenge and challenge.startswith('Bearer realm="'), answer
        expected = None if error == "credentials_missing" else 'error="invalid_token"'
        assert "error=" not in challenge if expected is None else expected in challenge, answer
    elif error in ("permission_denied", "agent_mismatch", "credential_not_accepted"):
        assert challenge and 'error="insufficient_scope"' in challenge, answer
    if method == "HEAD":
        return None
    body = answer.json
    assert list(body) == ["error", "message", "details"], body
    assert body["error"] == error, body
    assert isinstance(body["message"], str) and body["message"]
    assert body["details"]["request_id"] == answer.header("X-Request-Id")
    return {name: value for name, value in body["details"].items() if name != "request_id"}


def assert_mistake_found(start, directive, place, accept="jwt"):
    """Checks that `gatehouse check` refuses a route with `directive`, and says so at the column of `place`."""
    line = f"route /x/ {{ accept {accept}; upstream agents; {directive} }}"
    text = configuration() + line + "\n"
    output = start(text, run=False).run("check", code=1).stderr
    at = f":{len(configuration().splitlines()) + 1}:{line.index(place) + 1}: error: "
    assert at in output, output
    assert "unknown directive" not in output, output


def wait_until(moment):
    time.sleep(max(0.0, moment - time.time()))
