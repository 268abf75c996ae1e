"""The error table of the contract, row by row, against the running binary."""

import re
import time

import pytest

from support import PATIENCE
from support.gateway import ROUTES, refusal
from support.wire import elapsed, request

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


@pytest.fixture(scope="module")
def gateway(start):
    top = 'head_timeout 1s; body_min_rate 500 2s; max_fields 100; realm "test realm";'
    directives = "response_timeout 1s; connect_timeout 1s;"
    dead = "upstream dead { server 127.0.0.1:1; } route /api/dead/ { accept jwt; upstream dead; }"
    return start(top=top, directives=directives, routes=dead + ROUTES)


CREDENTIALS_MISSING = {
    "no Authorization": [],
    "another scheme": ["Authorization: Basic dXNlcjpwYXNz"],
    "the scheme alone": ["Authorization: Bearer"],
    "the scheme and blanks": ["Authorization: Bearer   "],
    "an empty value": ["Authorization:"],
    "a scheme that only begins so": ["Authorization: Bearerx abc"],
}


@pytest.mark.parametrize("fields", CREDENTIALS_MISSING.values(), ids=CREDENTIALS_MISSING)
def test_credentials_missing(gateway, upstream, fields):
    answer = gateway.ask("/api/x", *fields)
    assert refusal(answer, 401, "credentials_missing") == {}
    assert answer.header("WWW-Authenticate") == 'Bearer realm="test realm"'
    assert not upstream.requests


def test_token_invalid(gateway, upstream):
    assert refusal(gateway.ask("/api/x", token="neither-a-token-nor-a-key"), 401, "token_invalid") == {}
    assert not upstream.requests


def test_token_expired_says_when(gateway, upstream, jwt):
    moment = int(time.time()) - 3600
    assert refusal(gateway.ask("/api/x", token=jwt(exp=moment)), 401, "token_expired") == {"expired_at": iso(moment)}
    assert not upstream.requests


def test_token_not_yet_valid_says_from_when(gateway, upstream, jwt):
    moment = int(time.time()) + 3600
    details = refusal(gateway.ask("/api/x", token=jwt(nbf=moment)), 401, "token_not_yet_valid")
    assert details == {"valid_from": iso(moment)}
    assert not upstream.requests


def test_token_wrong_type_says_what_is_expected(gateway, upstream, jwt):
    details = refusal(gateway.ask("/api/x", token=jwt(token_type="refresh")), 401, "token_wrong_type")
    assert details == {"expected": "access"}
    assert not upstream.requests


def test_api_key_invalid(gateway, upstream):
    assert refusal(gateway.ask("/api/agents/bot-1/", token="rk_" + "A" * 43), 401, "api_key_invalid") == {}
    assert not upstream.requests


def test_permission_denied_names_the_scope(gateway, upstream, jwt):
    for scope in (None, "other", "queryx xquery", ["other"]):
        answer = gateway.ask("/api/scoped/x", token=jwt(scope=scope))
        details = refusal(answer, 403, "permission_denied")
        assert details["required"] == "scope query"
        assert 'scope="query"' in answer.header("WWW-Authenticate")
    assert not upstream.requests
    for scope in ("query", "other query", ["other", "query"]):
        assert gateway.ask("/api/scoped/x", token=jwt(scope=scope)).status == 200


def test_agent_mismatch_names_the_agent_of_the_path(gateway, upstream):
    details = refusal(gateway.ask("/api/agents/bot-2/", token=gateway.key()), 403, "agent_mismatch")
    assert details == {"agent_id": "bot-2"}
    assert not [seen for seen in upstream.requests if "bot-2" in seen.target]


def test_credential_not_accepted_after_it_verified_and_401_before(gateway, upstream, jwt, good):
    key = gateway.key()
    upstream.reset_script()
    assert refusal(gateway.ask("/api/x", token=key), 403, "credential_not_accepted") == {"accepted": ["jwt"]}
    details = refusal(gateway.ask("/api/keys-only/", token=good), 403, "credential_not_accepted")
    assert details == {"accepted": ["api_key"]}
    refusal(gateway.ask("/api/x", token="rk_" + "A" * 43), 401, "api_key_invalid")
    refusal(gateway.ask("/api/keys-only/", token=jwt(exp=1)), 401, "token_expired")
    assert not upstream.requests


def test_https_required_on_the_redirect_listener(gateway, upstream, good):
    answer = gateway.ask("/api/x", listener="redirect", token=good)
    assert refusal(answer, 403, "https_required") == {}
    assert "replace" in answer.json["message"] or "rotate" in answer.json["message"]
    assert good not in answer.body.decode()


def test_bad_request_tells_the_reason(gateway, upstream, good):
    answer = gateway.send(
        b"GET /api/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + good.encode() + b"\r\nbad header: x\r\n\r\n"
    )
    details = refusal(answer, 400, "bad_request")
    assert details["reason"]
    assert answer.header("Connection") == "close"
    assert not upstream.requests


def test_two_authorization_lines_are_a_bad_request_about_the_credential(gateway, upstream, good):
    answer = gateway.ask("/api/x", f"Authorization: Bearer {good}", f"Authorization: Bearer {good}")
    assert refusal(answer, 400, "bad_request")["reason"]
    assert 'error="invalid_request"' in answer.header("WWW-Authenticate")
    assert not upstream.requests


def test_not_found(gateway, upstream, good):
    for target in ("/", "/nothing", "/API/x", "/metrics", "/readyz", "/routes"):
        assert refusal(gateway.ask(target, token=good), 404, "not_found") == {}
    assert not upstream.requests


def test_method_not_allowed_lists_the_methods(gateway, upstream, good):
    answer = gateway.ask("/widget/", method="DELETE")
    details = refusal(answer, 405, "method_not_allowed")
    assert "GET" in answer.header("Allow").split(", ")
    assert details["allowed"] == answer.header("Allow").split(", ")
    answer = gateway.ask("/limited/", method="PUT", token=good)
    refusal(answer, 405, "method_not_allowed")
    assert {"GET", "POST"} <= set(answer.header("Allow").split(", "))
    assert not upstream.requests


def test_request_timeout_of_a_slow_head(gateway, upstream):
    with gateway.connect("plain") as wire:
        seconds, answer = elapsed(lambda: wire.send(b"GET /api/x HTTP/1.1\r\nHost: localhost\r\n").answer())
        assert refusal(answer, 408, "request_timeout")["limit"]
        assert wire.ended()
    assert 0.7 < seconds < 4 * PATIENCE


def test_request_timeout_of_a_slow_body(gateway, upstream, good):
    with gateway.connect("plain") as wire:
        data = request("POST", "/api/x", "Content-Length: 100000", token=good) + b"x" * 100
        seconds, answer = elapsed(lambda: wire.send(data).answer())
        assert refusal(answer, 408, "request_timeout")["limit"]
        assert wire.ended()
    assert 1 < seconds < 8 * PATIENCE
    assert not upstream.last().complete


def test_idle_connections_are_not_timed_out_as_slow_heads(gateway):
    with gateway.connect("plain") as wire:
        for _ in range(2):
            assert wire.send(request("GET", "/widget/")).answer().status == 200
            time.sleep(1.5)


def test_body_too_large_by_length(gateway, upstream, good):
    answer = gateway.ask("/api/small/", method="POST", token=good, body=b"x" * 1025)
    assert refusal(answer, 413, "body_too_large") == {"limit": 1024}
    assert not upstream.requests
    assert gateway.ask("/api/small/", method="POST", token=good, body=b"x" * 1024).status == 200
    answer = gateway.send(request("POST", "/api/x", "Content-Length: 10485761", token=good))
    assert refusal(answer, 413, "body_too_large") == {"limit": 10 * 1024 * 1024}


def test_body_too_large_by_chunks(gateway, upstream, good):
    head = request("POST", "/api/small/", "Transfer-Encoding: chunked", token=good)
    with gateway.connect("plain") as wire:
        answer = wire.send(head + b"400\r\n" + b"x" * 1024 + b"\r\n1\r\nx\r\n0\r\n\r\n").answer()
        assert refusal(answer, 413, "body_too_large") == {"limit": 1024}
        assert wire.ended()
    assert not any(seen.complete for seen in upstream.requests)


def test_uri_too_long(gateway, upstream, good):
    answer = gateway.ask("/api/" + "x" * 8192, token=good)
    assert refusal(answer, 414, "uri_too_long") == {"limit": 8192}
    assert gateway.ask("/api/" + "x" * 8000, token=good).status == 200


def test_headers_too_large(gateway, upstream, good):
    assert refusal(gateway.ask("/api/x", "X-Large: " + "x" * 33000, token=good), 431, "headers_too_large")["limit"] == 32768
    many = [f"X-{index}: y" for index in range(100)]
    assert refusal(gateway.ask("/api/x", *many, token=good), 431, "headers_too_large")["limit"] == 100
    assert not upstream.requests
    assert gateway.ask("/api/x", "X-Large: " + "x" * 30000, *many[:90], token=good).status == 200


def test_headers_without_end_are_refused_before_they_end(gateway):
    with gateway.connect("plain") as wire:
        wire.send(b"GET /api/x HTTP/1.1\r\nHost: localhost\r\nX-Endless: " + b"x" * 40000)
        refusal(wire.answer(), 431, "headers_too_large")
        assert wire.ended()


def test_expectation_failed(gateway, upstream, good):
    refusal(gateway.ask("/api/x", "Expect: 200-ok", token=good), 417, "bad_request")
    assert not upstream.requests


def test_upstream_error_unavailable_timeout(gateway, upstream, good):
    upstream.script = b"garbage\r\n\r\n"
    assert refusal(gateway.ask("/api/x", token=good), 502, "upstream_error") == {"upstream": "agents"}
    upstream.script = lambda connection, _: connection.wait_ended(5)
    seconds, late = elapsed(lambda: gateway.ask("/api/x", token=good))
    assert refusal(late, 504, "upstream_timeout") == {"upstream": "agents"}
    assert 0.7 < seconds < 4 * PATIENCE
    assert refusal(gateway.ask("/api/dead/", token=good), 503, "upstream_unavailable") == {"upstream": "dead"}


# What holds for every refusal


def test_request_ids_are_ours_and_differ(gateway):
    first, second = gateway.ask("/api/x"), gateway.ask("/api/x")
    assert first.header("X-Request-Id") != second.header("X-Request-Id")
    assert re.fullmatch(r"[A-Za-z0-9._-]{8,64}", first.header("X-Request-Id"))


def test_a_plain_request_id_of_the_client_is_kept(gateway):
    for name in ("a", "req-1.2_3", "A" * 64):
        assert gateway.ask("/api/x", f"X-Request-Id: {name}").header("X-Request-Id") == name


def test_head_is_refused_without_a_body_and_in_step(gateway, upstream, good):
    with gateway.connect("plain") as wire:
        answer = wire.send(request("HEAD", "/api/x")).answer("HEAD")
        refusal(answer, 401, "credentials_missing", method="HEAD")
        assert int(answer.header("Content-Length") or 1) > 0
        assert wire.send(request("GET", "/api/x", token=good)).answer().status == 200


def test_a_refused_request_without_body_keeps_the_connection(gateway, good):
    with gateway.connect("plain") as wire:
        for _ in range(3):
            answer = wire.send(request("GET", "/api/x")).answer()
            refusal(answer, 401, "credentials_missing")
            assert answer.header("Connection") is None
        assert wire.send(request("GET", "/api/x", token=good)).answer().status == 200


def test_a_refused_upload_is_answered_at_its_head(gateway, upstream):
    with gateway.connect("plain") as wire:
        wire.send(request("POST", "/api/x", "Content-Length: 1000000"))
        seconds, answer = elapsed(wire.answer)
        refusal(answer, 401, "credentials_missing")
        assert seconds < 1.5 * PATIENCE, "not when the body is late, which is after 2 s"
    assert not upstream.requests


def test_a_refused_upload_can_be_sent_for_a_moment_and_its_answer_read(gateway, upstream):
    with gateway.connect("plain") as wire:
        wire.send(request("POST", "/api/x", "Content-Length: 200000") + b"GET /widget/ HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        refusal(wire.answer(), 401, "credentials_missing")
        assert wire.ended(within=4), "nothing of the body is parsed as a request"
    assert not upstream.requests


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*", "image/png;q=0.1"])
def test_the_envelope_is_json_whatever_accept_says(gateway, accept):
    refusal(gateway.ask("/api/x", f"Accept: {accept}"), 401, "credentials_missing")


def test_no_part_of_a_credential_is_in_an_answer(gateway, jwt):
    secret = "rk_" + "Zz9" * 14 + "Q"
    expired = jwt(exp=1)
    for token in (secret, expired, "garbage-credential"):
        answer = gateway.ask("/api/agents/bot-1/", token=token)
        assert answer.status == 401
        assert token.encode() not in answer.head
        assert token.encode() not in answer.body


# gRPC

GRPC = {
    "401 is 16": ("/api/x", {}, [], "16", "credentials_missing"),
    "403 is 7": ("/api/scoped/", {"token": "good"}, [], "7", "permission_denied"),
    "404 is 12": ("/nothing", {"token": "good"}, [], "12", "not_found"),
    "400 is 13": ("/api/x", {"token": "good"}, ["Authorization: Bearer twice"], "13", "bad_request"),
    "502 is 14": ("/api/garbage", {"token": "good"}, [], "14", "upstream_error"),
    "503 is 14": ("/api/dead/", {"token": "good"}, [], "14", "upstream_unavailable"),
    "504 is 4": ("/api/late", {"token": "good"}, [], "4", "upstream_timeout"),
}


@pytest.mark.parametrize("target, settings, fields, status, error", GRPC.values(), ids=GRPC)
def test_grpc_refusals_are_trailers_only(gateway, upstream, good, target, settings, fields, status, error):
    def script(connection, request):
        if request.target == "/api/late":
            return connection.wait_ended(5)
        return connection.send(b"garbage\r\n\r\n")

    upstream.script = script
    settings = {name: good for name in settings}
    answer = gateway.ask(target, "Content-Type: application/grpc", "TE: trailers", *fields, method="POST", body=b"", **settings)
    assert answer.status == 200
    assert answer.header("Content-Type") == "application/grpc"
    assert answer.header("grpc-status") == status
    assert answer.header("grpc-message").startswith(f"{error}: ")
    assert answer.body == b"" and not answer.trailers
    assert answer.header("X-Request-Id")


def test_grpc_web_and_the_like_get_json(gateway):
    refusal(gateway.ask("/api/x", "Content-Type: application/grpcx", method="POST", body=b""), 401, "credentials_missing")
