"""How the CPU time of a request grows with what surrounds it: connections, routes, API keys, tokens, workers, limits.

    scaling.py BINARY [SECONDS] [PART…]        parts: connections routes keys tokens limits workers

One gateway on the first core, the generator (wrk) and the upstream (nginx) on the second; user and system time of the gateway's process,
divided by the requests that it answered. Everything listens on the loopback address and is stopped by its pid.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

BINARY = Path(sys.argv[1]).resolve()
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 4
SECRET = b"a-secret-for-measurements-that-is-long-enough-0123456789"
ROUTES = (
    "route /api/agents/{agent_id}/ { accept api_key; agent {agent_id}; upstream up; }\nroute /api/ { accept jwt; upstream up; }\n"
)
USER = "123e4567-e89b-12d3-a456-426614174000"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(number=0):
    claims = {"sub": USER, "exp": int(time.time()) + 86400, "jti": f"{number:032x}"}
    text = base64url(b'{"typ":"JWT","alg":"HS256"}') + "." + base64url(json.dumps(claims).encode())
    return f"{text}.{base64url(hmac.new(SECRET, text.encode(), hashlib.sha256).digest())}"


class Lab:
    def __init__(self):
        self.folder, self.processes = Path(tempfile.mkdtemp(prefix="scaling-")), []
        self.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
                 "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem")  # fmt: skip
        (self.folder / "hs256.key").write_bytes(SECRET)
        for name in ("key.pem", "hs256.key"):
            (self.folder / name).chmod(0o600)
        self.port, self.up, self.admin = 18443, 18080, 18901
        (self.folder / "nginx.conf").write_text(
            f"daemon off; worker_processes 1; pid {self.folder}/pid; error_log {self.folder}/errors; events {{ worker_connections 15000; }}\n"
            f"http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {self.folder}/b;\n"
            f"server {{ listen 127.0.0.1:{self.up} backlog=4096; location / {{ return 200 '{'x' * 200}'; }} }} }}\n"
        )
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        self.start("1", nginx, "-e", f"{self.folder}/errors", "-c", f"{self.folder}/nginx.conf")

    def run(self, *command):
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout

    def start(self, cores, *command, **settings):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        process = subprocess.Popen(
            ["taskset", "-c", cores, *map(str, command)],
            cwd=self.folder,
            stderr=subprocess.DEVNULL,
            preexec_fn=limit,
            text=True,
            **settings,
        )
        self.processes.append(process)
        return process

    def stop(self, process):
        process.terminate()
        process.wait()
        self.processes.remove(process)

    def gateway(self, routes=ROUTES, workers=1, cores="0"):
        (self.folder / "gateway.conf").write_text(
            f"workers {workers};\naccess_log off;\nmax_connections 20000;\nkeepalive_timeout 300s;\nlisten 127.0.0.1:{self.port} tls;\n"
            f"admin 127.0.0.1:{self.admin};\ntls {{ certificate cert.pem file:key.pem; }}\nstore sqlite:gatehouse.db;\n"
            "jwt measured { algorithms HS256; keys secret file:hs256.key; user_id_claim sub; }\n"
            f"upstream up {{ server 127.0.0.1:{self.up}; keepalive 128; connect_timeout 20s; }}\n{routes}"
        )
        process = self.start(cores, BINARY, "run", "-c", "gateway.conf")
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/healthz", timeout=1)
                return process
            except OSError:
                time.sleep(0.1)
        raise SystemExit("the gateway does not start")

    def figure(self, name):
        """The sum of a metric's samples."""
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=20).read().decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name + "{"))

    def load(self, process, bearer=None, path="/api/x", connections=64, script=None):
        """CPU microseconds of a request, and requests a second, once all connections are there."""
        head = ["-s", script] if script else ["-H", f"Authorization: Bearer {bearer}"]
        url = f"https://127.0.0.1:{self.port}{path}"
        windows, opening = 2, 3 + connections / 400
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{int(opening + windows * SECONDS) + 2}s",
            "--timeout",
            "30s",
            *map(str, head),
            url,
        ]
        shaken = self.figure("gatehouse_tls_handshakes_total")
        wrk = self.start("1", *command, stdout=subprocess.PIPE)
        time.sleep(1)
        while self.figure("gatehouse_tls_handshakes_total") < shaken + connections and wrk.poll() is None:
            time.sleep(0.2)
        time.sleep(0.5)
        found = []
        for _ in range(windows):
            before, count, start = cpu(process.pid), self.figure("gatehouse_requests_total"), time.monotonic()
            time.sleep(SECONDS)
            done = self.figure("gatehouse_requests_total") - count
            found.append(((cpu(process.pid) - before) / done * 1e6, done / (time.monotonic() - start)))
        out = wrk.communicate()[0]
        self.processes.remove(wrk)
        assert "Non-2xx" not in out, f"{path}: {out}"
        return min(found)


def cpu(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def show(name, value, base):
    print(f"{name:34} {value:8.2f} µs   {value / base:5.2f}", flush=True)


def compare(lab, rounds, measure):
    """The best of several rounds of each case, taken in turn: the speed of a machine changes within minutes."""
    found = {}
    for _ in range(rounds):
        for name, case in measure.items():
            found.setdefault(name, []).append(case()[0])
    base = min(next(iter(found.values())))
    for name, values in found.items():
        show(name, min(values), base)


def connections(lab):
    process = lab.gateway()
    # wrk needs a descriptor for each, and so does the gateway.
    room = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 600
    counts = (64, 1_000, min(10_000, room))
    compare(
        lab, 2, {f"{count} connections": lambda count=count: lab.load(process, token(), connections=count) for count in counts}
    )
    lab.stop(process)


def routes(lab):
    base = None
    for count in (5, 10_000):
        more = "".join(f"route /api/service-{n}/{{id}}/ {{ accept jwt; upstream up; }}\n" for n in range(count - 2))
        process = lab.gateway(ROUTES + more)
        value, _ = lab.load(process, token())
        base = base or value
        show(f"{count} routes", value, base)
        lab.stop(process)


def keys(lab):
    process = lab.gateway()
    made = json.loads(
        lab.run(BINARY, "keys", "create", "-c", "gateway.conf", "--agent", "bot", "--owner", "u", "--name", "n", "--json")
    )
    time.sleep(2)
    base, _ = lab.load(process, made["key"], "/api/agents/bot/x")
    show("1 API key", base, base)
    lab.stop(process)
    with sqlite3.connect(lab.folder / "gatehouse.db") as database:
        rows = (
            (str(uuid.uuid4()), f"agent-{n}", f"owner-{n}", "n", "rk_aaaaa", hashlib.sha256(b"rk_%d" % n).digest(), 1_700_000_000)
            for n in range(1_000_000)
        )
        sql = "INSERT INTO api_keys (id, agent_id, owner_id, name, prefix, digest, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
        database.executemany(sql, rows)
    process = lab.gateway()
    value, _ = lab.load(process, made["key"], "/api/agents/bot/x")
    show("1,000,001 API keys", value, base)
    lab.stop(process)


def tokens(lab):
    process = lab.gateway()
    base, _ = lab.load(process, token())
    show("one token", base, base)
    for count in (4_096, 100_000):
        script = lab.folder / f"tokens-{count}.lua"
        lines = ",\n".join(f'"{token(n + 1)}"' for n in range(count))
        script.write_text(
            f"local t = {{{lines}}}\nlocal n = 0\nrequest = function() n = n % #t + 1; "
            'return wrk.format("GET", nil, {["Authorization"] = "Bearer " .. t[n], ["Host"] = "localhost"}) end\n'
        )
        value, _ = lab.load(process, script=script)
        show(f"{count} tokens in turn", value, base)
    lab.stop(process)


def limits(lab):
    more = (
        "route /api/rate/ { accept jwt; upstream up; rate_limit 1000000/s; }\n"
        "route /api/quota/ { accept jwt; upstream up; quota 1000000000/d; }\n"
        "route /api/both/ { accept jwt; upstream up; rate_limit 1000000/s; quota 1000000000/d; }\n"
    )
    process = lab.gateway(ROUTES + more)
    names = {"no limits": "x", "with a rate": "rate/", "with a quota": "quota/", "with both": "both/"}
    compare(lab, 2, {name: lambda path=path: lab.load(process, token(), f"/api/{path}") for name, path in names.items()})
    lab.stop(process)


def workers(lab):
    base = None
    for count in (1, 2):
        process = lab.gateway(workers=count, cores="0" if count == 1 else "0,1")
        value, rate = lab.load(process, token(), connections=64)
        base = base or value
        show(f"{count} worker{'s' * (count > 1)} ({rate:.0f} requests/s)", value, base)
        lab.stop(process)


def main():
    lab = Lab()
    time.sleep(0.5)
    print(f"{'':34} {'CPU a request':>11} {'ratio':>7}")
    try:
        for part in (routes, keys, tokens, limits, workers, connections):
            if not sys.argv[3:] or part.__name__ in sys.argv[3:]:
                part(lab)
    finally:
        for process in list(lab.processes):
            lab.stop(process)
        shutil.rmtree(lab.folder, ignore_errors=True)


main()
