"""Real clients through the gateway to a real backend: curl, requests, httpx, Node's https; FastAPI on uvicorn."""

import hashlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import requests

from support import PATIENCE, eventually, free_port
from support.tokens import USER

APPLICATION = Path(__file__).parent / "support" / "agent_app.py"


@pytest.fixture(scope="module")
def backend():
    port = free_port()
    process = subprocess.Popen([sys.executable, APPLICATION, str(port)], start_new_session=True)

    def up():
        assert process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        except OSError:
            return False

    eventually(up, within=20)
    yield port
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="module")
def gateway(start, backend):
    return start(upstream=backend)


@pytest.fixture(scope="module")
def url(gateway):
    return f"https://localhost:{gateway.ports.tls}"


@pytest.fixture(scope="module")
def session(lab):
    with requests.Session() as session:
        session.trust_env = False  # REQUESTS_CA_BUNDLE would win over verify
        session.verify = str(lab.path("ca.pem"))
        yield session


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


# requests


def test_requests(session, url, good):
    for _ in range(5):
        answer = session.get(f"{url}/api/whoami", headers=bearer(good), timeout=10)
        assert answer.status_code == 200 and answer.json()["user"] == USER
    answer = session.get(f"{url}/api/whoami", timeout=10)
    assert answer.status_code == 401 and answer.json()["error"] == "credentials_missing"
    assert answer.headers["X-Request-Id"] == answer.json()["details"]["request_id"]


def test_requests_uploads_by_length_and_in_chunks(session, url, good):
    body = os.urandom(3_000_000)
    expected = {"length": len(body), "sha256": hashlib.sha256(body).hexdigest(), "type": "application/octet-stream"}
    headers = {**bearer(good), "Content-Type": "application/octet-stream"}
    assert session.post(f"{url}/api/echo", data=body, headers=headers, timeout=20).json() == expected
    pieces = (body[index : index + 100_000] for index in range(0, len(body), 100_000))
    assert session.post(f"{url}/api/echo", data=pieces, headers=headers, timeout=20).json() == expected


def test_the_backend_makes_urls_of_https(session, url, good):
    made = session.get(f"{url}/api/redirect", headers=bearer(good), timeout=10).json()["url"]
    assert made == f"{url}/api/whoami"


def test_the_backend_sees_the_client_address(session, url, good):
    assert session.get(f"{url}/api/whoami", headers=bearer(good), timeout=10).json()["client"] == "127.0.0.1"


# httpx, streaming


def test_a_streamed_answer_comes_token_by_token(gateway, url, lab, good):
    """The backend sends a word when it was told that the one before it has arrived."""
    key = gateway.key()
    arrived = []
    context = lab.client_context()
    with httpx.Client(verify=context) as client, httpx.Client(verify=context) as other:
        with client.stream(
            "POST", f"{url}/api/agents/bot-1/query/", headers=bearer(key), json={"message": "step by step"}, timeout=9
        ) as answer:
            assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
            for line in answer.iter_lines():
                if line:
                    arrived.append(line)
                    assert other.post(f"{url}/api/arrived", headers=bearer(good), timeout=10).status_code == 200
    assert arrived == [f"data: {word}" for word in ("bot-1", "owner-1", "step", "by", "step")]


def test_a_reader_that_leaves_ends_the_generation(gateway, url, lab, good):
    key = gateway.key()
    with httpx.Client(verify=lab.client_context()) as client:
        with client.stream(
            "POST", f"{url}/api/agents/bot-1/query/", headers=bearer(key), json={"message": "for ever"}, timeout=10
        ) as answer:
            next(answer.iter_lines())
    ask = lambda: httpx.get(f"{url}/api/cancelled", headers=bearer(good), verify=lab.client_context(), timeout=10).json()
    eventually(lambda: "for ever" in ask(), every=0.1)


def test_many_clients_at_once(url, lab, good):
    import concurrent.futures

    context = lab.client_context()

    def one(number):
        with httpx.Client(verify=context) as client:
            return [client.get(f"{url}/api/whoami?{number}", headers=bearer(good), timeout=20).json()["user"] for _ in range(5)]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert list(pool.map(one, range(32))) == [[USER] * 5] * 32


# curl


def curl(lab, *arguments):
    command = ["curl", "--silent", "--show-error", "--max-time", "15", "--cacert", str(lab.path("ca.pem")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def test_curl(url, lab, good):
    result = curl(lab, "-H", f"Authorization: Bearer {good}", f"{url}/api/whoami")
    assert json.loads(result.stdout)["user"] == USER, result.stderr


def test_curl_sees_the_refusal(url, lab):
    result = curl(lab, "-i", f"{url}/api/whoami")
    assert "401" in result.stdout.splitlines()[0]
    assert "\nwww-authenticate: bearer realm=" in result.stdout.lower()
    assert '"error":"credentials_missing"' in result.stdout.replace(" ", "")


def test_curl_streams(gateway, url, lab):
    key = gateway.key()
    result = curl(
        lab, "-N", "-H", f"Authorization: Bearer {key}", "--json", '{"message": "hello"}', f"{url}/api/agents/bot-1/query/"
    )
    assert result.stdout == "data: bot-1\n\ndata: owner-1\n\ndata: hello\n\n", result.stderr


def test_curl_uploads_with_expect(url, lab, good, tmp_path):
    file = tmp_path / "upload"
    file.write_bytes(b"x" * 2_000_000)
    fields = ["-H", f"Authorization: Bearer {good}", "-H", "Expect: 100-continue", "-H", "Content-Type: a/b"]
    result = curl(lab, *fields, "--data-binary", f"@{file}", f"{url}/api/echo")
    assert json.loads(result.stdout)["length"] == 2_000_000, result.stderr
    refused = curl(
        lab,
        "-o",
        "/dev/null",
        "-w",
        "%{http_code} %{size_upload}",
        "-H",
        "Expect: 100-continue",
        "--data-binary",
        f"@{file}",
        f"{url}/api/echo",
    )
    assert refused.stdout.split()[0] == "401", refused.stderr


def test_curl_uploads_of_a_refused_body_get_their_answer(url, lab, tmp_path):
    file = tmp_path / "upload"
    file.write_bytes(b"x" * 150_000)
    result = curl(lab, "-w", "\n%{http_code}", "-H", "Expect:", "--data-binary", f"@{file}", f"{url}/api/echo")
    assert result.stdout.splitlines()[-1] == "401", result.stderr


def test_curl_follows_the_redirect_to_https(gateway, lab):
    result = curl(lab, "-i", f"http://localhost:{gateway.ports.redirect}/api/whoami")
    assert "308" in result.stdout.splitlines()[0] and "location: https://localhost" in result.stdout.lower()


def test_curl_http_1_0(url, lab, good):
    result = curl(lab, "--http1.0", "-H", f"Authorization: Bearer {good}", f"{url}/api/whoami")
    assert json.loads(result.stdout)["user"] == USER, result.stderr


# Node

NODE = """
const https = require('https'), fs = require('fs');
const [ca, port, token, key] = process.argv.slice(2);
const agent = new https.Agent({ca: fs.readFileSync(ca), keepAlive: true, maxSockets: 1});
function ask(method, path, bearer, body) {
  return new Promise((resolve, reject) => {
    const headers = {'Content-Type': 'application/json', ...(bearer ? {Authorization: 'Bearer ' + bearer} : {})};
    const request = https.request({host: 'localhost', port, method, path, headers, agent}, answer => {
      let text = '', pieces = 0;
      answer.on('data', data => { text += data; pieces++; });
      answer.on('end', () => resolve({status: answer.statusCode, text, pieces, id: answer.headers['x-request-id']}));
    });
    request.on('error', reject);
    request.end(body);
  });
}
(async () => {
  const results = [];
  results.push(await ask('GET', '/api/whoami', token));
  results.push(await ask('GET', '/api/whoami'));
  results.push(await ask('POST', '/api/agents/bot-1/query/', key, JSON.stringify({message: 'from node'})));
  results.push(await ask('HEAD', '/api/whoami'));
  results.push(await ask('GET', '/api/whoami', token));
  console.log(JSON.stringify(results));
  agent.destroy();
})().catch(problem => { console.error(problem); process.exit(1); });
"""


def test_node(gateway, lab, good, tmp_path):
    script = tmp_path / "client.js"
    script.write_text(NODE)
    command = ["node", str(script), str(lab.path("ca.pem")), str(gateway.ports.tls), good, gateway.key()]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30 * PATIENCE)
    assert result.returncode == 0, result.stderr
    jwt, missing, stream, head, again = json.loads(result.stdout)
    assert jwt["status"] == again["status"] == 200 and json.loads(jwt["text"])["user"] == USER
    assert missing["status"] == head["status"] == 401 and json.loads(missing["text"])["details"]["request_id"] == missing["id"]
    assert stream["text"] == "data: bot-1\n\ndata: owner-1\n\ndata: from\n\ndata: node\n\n" and stream["pieces"] >= 3
