"""The access log: its fields, what is never in it, and what becomes of it."""

import os
import re
import signal

from support import eventually
from support.gateway import configuration
from support.tokens import USER

FIELDS = {"time", "request_id", "address", "method", "path", "protocol", "status", "error", "route", "user_id", "api_key_id", "agent_id", "upstream",
          "duration_ms", "upstream_ms", "bytes_in", "bytes_out", "trace_id"}  # fmt: skip


def test_a_line_of_a_forwarded_request(gateway, upstream, good):
    gateway.ask("/api/logged?a=b", "X-Request-Id: logged-1", method="POST", listener="tls", token=good, body=b"12345")
    line = gateway.logged(request_id="logged-1")
    assert set(line) <= FIELDS
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", line["time"])
    assert line["address"] == "127.0.0.1" and line["method"] == "POST" and line["path"].startswith("/api/logged")
    assert line["protocol"] == "HTTP/1.1" and line["status"] == 200 and "error" not in line
    assert line["user_id"] == USER and "api_key_id" not in line and "agent_id" not in line
    assert "/api/" in line["route"] and "agents" in line["upstream"]
    assert line["duration_ms"] >= line["upstream_ms"] >= 0
    assert line["bytes_in"] >= 5 and line["bytes_out"] >= 11


def test_a_line_of_a_refusal(gateway, upstream):
    answer = gateway.ask("/api/refused")
    line = gateway.logged(request_id=answer.header("X-Request-Id"))
    assert line["status"] == 401 and line["error"] == "credentials_missing" and line["path"] == "/api/refused"
    assert not {"user_id", "upstream", "upstream_ms"} & set(line)


def test_a_line_of_an_api_key(gateway, upstream):
    key = gateway.key()
    gateway.ask("/api/agents/bot-1/", "X-Request-Id: key-1", token=key)
    line = gateway.logged(request_id="key-1")
    assert line["user_id"] == "owner-1" and line["agent_id"] == "bot-1" and line["api_key_id"] == gateway.keys["bot-1"]["id"]


def test_malformed_requests_are_logged(gateway):
    answer = gateway.send(b"GET /api/malformed HTTP/1.1\r\nbad header\r\n\r\n")
    line = gateway.logged(request_id=answer.header("X-Request-Id"))
    assert line["status"] == 400 and line["error"] == "bad_request"


def test_no_part_of_a_credential_is_logged(gateway, upstream, jwt, good):
    unknown = "rk_" + "Qq1" * 14 + "Z"
    expired = jwt(exp=1)
    for token in (good, unknown, expired, "garbage-credential"):
        gateway.ask("/api/x", token=token)
    for name in ("access_token", "key", "token", "api_key"):
        gateway.ask(f"/api/x?a=1&{name}=query-secret-{name}&b=2")
    gateway.ask("/api/x", "Cookie: session=cookie-secret", f"X-Request-Id: {good[:60]}")
    gateway.send(b"GET /api/x HTTP/1.1\r\nHost: localhost\r\nAuthorization Bearer malformed-secret\r\n\r\n")
    gateway.ask("/api/last", "X-Request-Id: last-one")
    gateway.logged(request_id="last-one")
    text = (gateway.folder / "access.log").read_text() + gateway.said()
    for secret in (good.split(".")[2], expired.split(".")[2], unknown, unknown[8:], "garbage-credential", "cookie-secret", "malformed-secret",
                   "query-secret-access_token", "query-secret-key", "query-secret-token"):  # fmt: skip
        assert secret not in text, secret


def test_lines_are_json_whatever_clients_send(gateway, good):
    for target in ('/api/"quoted"', "/api/\\u0041"[:5] + "x", "/api/%22%5B%5D", "/api/x?\"<>'"):
        gateway.ask(target, 'User-Agent: "\\\x01'[:13], token=good)
    gateway.ask("/api/end", "X-Request-Id: json-end", token=good)
    gateway.logged(request_id="json-end")  # reading it parses every line


def test_the_traceparent_is_logged(gateway, good):
    gateway.ask(
        "/api/x", "X-Request-Id: traced", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", token=good
    )
    assert gateway.logged(request_id="traced").get("trace_id") == "0af7651916cd43dd8448eb211c80319c"


def test_sigusr1_opens_the_log_anew(start, upstream, good):
    gateway = start()
    gateway.ask("/api/x", "X-Request-Id: before", token=good)
    gateway.logged(request_id="before")
    os.rename(gateway.folder / "access.log", gateway.folder / "access.log.1")
    gateway.signal(signal.SIGUSR1)
    eventually(lambda: (gateway.folder / "access.log").exists())
    gateway.ask("/api/x", "X-Request-Id: after", token=good)
    assert gateway.logged(request_id="after")
    assert "after" not in (gateway.folder / "access.log.1").read_text()


def test_a_log_that_cannot_be_written_stops_nobody(start, upstream, good):
    gateway = start(configuration().replace("access_log access.log json;", "access_log /dev/full json;"))
    for _ in range(20):
        assert gateway.ask("/api/x", token=good).status == 200
    eventually(lambda: gateway.metric("gatehouse_log_dropped_total") > 0)
