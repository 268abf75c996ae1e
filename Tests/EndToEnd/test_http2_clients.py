"""HTTP/2 clients that others wrote."""

import json
import re
import subprocess

import httpx

from support import eventually


def test_curl(gateway, lab, good, tmp_path):
    url = f"https://localhost:{gateway.ports.tls}/api/x"
    command = ["curl", "-sS", "--http2", "--cacert", str(lab.path("ca.pem")), "-H", f"Authorization: Bearer {good}"]
    result = subprocess.run(
        [*command, "-w", "\n%{http_version} %{http_code}", url, url], capture_output=True, text=True, timeout=20
    )
    assert result.stdout == '{"ok":true}\n2 200{"ok":true}\n2 200', result.stderr


def test_httpx(gateway, lab, good):
    with httpx.Client(http2=True, verify=lab.client_context()) as client:
        for _ in range(3):
            got = client.post(
                f"https://localhost:{gateway.ports.tls}/api/x",
                headers={"Authorization": f"Bearer {good}"},
                content=b"x" * 100_000,
            )
            assert got.http_version == "HTTP/2" and got.json() == {"ok": True}


NODE = """
const http2 = require("node:http2"), fs = require("node:fs");
const [port, ca, token] = process.argv.slice(2);
const session = http2.connect(`https://localhost:${port}`, {ca: fs.readFileSync(ca)});
const ask = (headers, body) => new Promise((resolve, reject) => {
  const stream = session.request(headers);
  let status, text = "";
  stream.on("response", (got) => { status = got[":status"]; });
  stream.on("data", (data) => { text += data; });
  stream.on("end", () => resolve([status, text]));
  stream.on("error", reject);
  stream.end(body);
});
const headers = {":path": "/api/x", ":method": "POST", authorization: `Bearer ${token}`};
Promise.all([ask(headers, "x".repeat(300000)), ask(headers, "y"), ask({":path": "/api/x"})])
  .then((answers) => { console.log(JSON.stringify(answers)); session.close(); });
"""


def test_node(gateway, lab, good):
    command = ["node", "-", str(gateway.ports.tls), str(lab.path("ca.pem")), good]
    result = subprocess.run(command, input=NODE, capture_output=True, text=True, timeout=20)
    answers = json.loads(result.stdout)
    assert [status for status, _ in answers] == [200, 200, 401], result.stderr


def test_h2load(gateway, good):
    command = ["h2load", "-n2000", "-c4", "-m32", "-H", f"Authorization: Bearer {good}"]
    result = subprocess.run(
        [*command, f"https://localhost:{gateway.ports.tls}/api/x"], capture_output=True, text=True, timeout=60
    )
    assert re.search(r"2000 succeeded, 0 failed, 0 errored", result.stdout), result.stdout
    eventually(lambda: gateway.metric("gatehouse_streams") == 0)


def test_nghttp(gateway, good):
    url = f"https://localhost:{gateway.ports.tls}/api/x"
    result = subprocess.run(
        ["nghttp", "-v", "-H", f"Authorization: Bearer {good}", url], capture_output=True, text=True, timeout=20
    )
    assert '{"ok":true}' in result.stdout and ":status: 200" in result.stdout
