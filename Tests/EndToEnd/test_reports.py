"""Reports from the field: what users of other gateways ran into. The number is the report's."""

import concurrent.futures
import os
import signal
import threading
import time

import pytest

from support import PATIENCE, eventually
from support.gateway import JWT, configuration, refusal
from support.tokens import claims, encode, hs, rs
from support.upstream import STREAM_HEAD, answer, chunk
from support.wire import Truncated, elapsed, request

LAG = 1.0  # revocation_lag of the configuration


@pytest.fixture(scope="module")
def gateway(start):
    mixed = """
jwt mixed { issuer mixed.example; algorithms RS256; keys jwks:LAB/encryption.json; user_id_claim sub; }
"""
    return start(jwt=JWT + mixed, top="head_timeout 5s;")


def idp(lab, header=None, sign=None, **changes):
    values = {"iss": "https://idp.example/", "aud": "agents", **changes}
    return encode({"alg": "RS256", **(header or {})}, claims(**values), sign or rs(lab.rsa[0]))


def error(gateway, token, target="/api/x"):
    answer = gateway.ask(target, token=token)
    return answer.error if answer.status >= 400 else answer.status


def test_2_the_scheme_in_any_case_and_with_blanks(gateway, good):
    for scheme in ("bearer", "BEARER", "Bearer ", "bEARER   "):
        assert gateway.ask("/api/x", f"Authorization: {scheme} {good}").status == 200


@pytest.mark.parametrize(
    "text, outcome", [("9007199254740993", "9007199254740993"), ("1e3", None), ("true", None), ("42.0", None)]
)
def test_3_a_numeric_user_id_keeps_its_digits(gateway, upstream, lab, text, outcome):
    import json

    body = json.dumps(claims(user_id=None))[:-1] + f', "user_id": {text}}}'
    token = encode({"alg": "HS256"}, body.encode(), hs(lab.secret))
    if outcome:
        assert gateway.ask("/api/x", token=token).status == 200
        assert upstream.last().header("X-User-Id") == outcome
    else:
        assert error(gateway, token) == "token_invalid"


def test_4_a_token_past_its_life_or_without_one(gateway, jwt):
    assert error(gateway, jwt(exp=int(time.time()) - 3600)) == "token_expired"
    assert error(gateway, jwt(exp=None)) == "token_invalid"


def test_5_every_key_of_a_set_is_tried(gateway, lab):
    assert error(gateway, idp(lab, sign=rs(lab.rsa[0]))) == 200
    assert error(gateway, idp(lab, sign=rs(lab.rsa[1]))) == 200
    assert error(gateway, idp(lab, sign=rs(lab.rsa[2]))) == "token_invalid"


def test_6_a_named_key_must_be_found(gateway, lab):
    assert error(gateway, idp(lab, {"kid": "rsa-0"})) == 200
    assert error(gateway, idp(lab, {"kid": "other"})) == "token_invalid"


def test_6_keys_that_cannot_be_used_do_not_spoil_their_set(gateway, lab):
    assert error(gateway, encode({"alg": "RS256"}, claims(iss="mixed.example"), rs(lab.rsa[0]))) == 200
    token = encode({"alg": "RS256", "kid": "encryption"}, claims(iss="mixed.example"), rs(lab.rsa[1]))
    assert error(gateway, token) == "token_invalid"


def test_7_the_issuer_compares_byte_for_byte(gateway, lab):
    assert error(gateway, idp(lab, iss="https://idp.example/")) == 200
    assert error(gateway, idp(lab, iss="https://idp.example")) == "token_invalid"


@pytest.mark.parametrize(
    "audience, outcome",
    [(["x", "agents"], 200), ("agents", 200), ([], "token_invalid"), (None, "token_invalid"), ({"agents": 1}, "token_invalid")],
)
def test_8_audiences(gateway, lab, audience, outcome):
    assert error(gateway, idp(lab, aud=audience)) == outcome


def test_9_a_clock_that_is_a_little_ahead(gateway, lab):
    ahead = int(time.time()) + 3
    assert error(gateway, idp(lab, iat=ahead)) == 200
    assert error(gateway, idp(lab, nbf=ahead)) == 200
    assert error(gateway, idp(lab, exp=ahead - 10)) == 200
    assert error(gateway, idp(lab, nbf=ahead + 100)) == "token_not_yet_valid"


def test_10_identity_headers_go_also_when_none_is_set(gateway, upstream, good):
    assert gateway.ask("/api/agents/bot-1/", "X-Agent-Id: root", "X_Api_Key_Id: root", token=good).status == 200
    assert b"root" not in upstream.last().head


@pytest.mark.parametrize("target, status", [("/public", 200), ("/public/", 200), ("/publicx", 404), ("/PUBLIC/", 404)])
def test_11_what_a_prefix_covers(gateway, upstream, target, status):
    assert gateway.ask(target).status == status


@pytest.mark.parametrize("target", ["/api/a%2520b", "/api/a%3Ab", "/api/caf%C3%A9"])
def test_12_escapes_arrive_as_they_were(gateway, upstream, good, target):
    assert gateway.ask(target, token=good).status == 200
    assert upstream.last().target == target


def test_13_the_backend_knows_of_tls(gateway, upstream, good):
    assert gateway.ask("/api/x", "X-Forwarded-Proto: http", listener="tls", token=good).status == 200
    assert upstream.last().all("X-Forwarded-Proto") == ["https"]


def test_14_one_forwarded_host_and_not_the_clients(gateway, upstream, good):
    assert gateway.ask("/api/x", "X-Forwarded-Host: evil.example", "X-Forwarded-Host: evil.example", token=good).status == 200
    values = upstream.last().all("X-Forwarded-Host")
    assert len(values) <= 1 and "evil" not in "".join(values) and "," not in "".join(values)


@pytest.mark.parametrize(
    "value", ["x" * 300, "a b", 'a"b', "\xe4", "a,b", "x" * 65536], ids=["300", "blank", "quote", "not ASCII", "list", "64 KiB"]
)
def test_15_a_request_id_that_is_not_plain_is_replaced(gateway, value):
    answer = gateway.ask("/api/x", f"X-Request-Id: {value}")
    assert answer.status in (401, 431)
    assert answer.header("X-Request-Id") != value and len(answer.header("X-Request-Id")) <= 64


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*"])
def test_16_a_refusal_is_json(gateway, accept):
    refusal(gateway.ask("/api/x", f"Accept: {accept}"), 401, "credentials_missing")


def test_17_head_is_refused_in_step(gateway, good):
    with gateway.connect() as wire:
        assert wire.send(request("HEAD", "/api/x")).answer("HEAD").status == 401
        assert wire.send(request("GET", "/api/x", token=good)).answer().status == 200


def test_18_expect_is_answered(gateway, upstream, good):
    with gateway.connect() as wire:
        seconds, head = elapsed(wire.send(request("POST", "/api/x", "Expect: 100-continue", "Content-Length: 9")).final_head)
        assert head.status == 401 and not head.interim and seconds < 1 * PATIENCE
    with gateway.connect() as wire:
        seconds, head = elapsed(
            wire.send(request("POST", "/api/x", "Expect: 100-continue", "Content-Length: 5", token=good)).head
        )
        assert head.status == 100 and seconds < 1 * PATIENCE
        assert wire.send(b"hello").answer().status == 200


def test_19_a_chunked_upload_arrives_whole(gateway, upstream, good):
    body = os.urandom(50_000)
    head = request("POST", "/api/x", "Transfer-Encoding: chunked", token=good)
    assert gateway.send(head + chunk(body[:7]) + chunk(body[7:]) + b"0\r\n\r\n").status == 200
    seen = upstream.last()
    assert seen.body == body and len(seen.all("Transfer-Encoding") + seen.all("Content-Length")) == 1


@pytest.mark.parametrize("method", ["DELETE", "GET"])
def test_20_no_length_is_invented(gateway, upstream, good, method):
    assert gateway.ask("/api/x", method=method, token=good).status == 200
    assert upstream.last().all("Transfer-Encoding") == [] and upstream.last().all("Content-Length") in ([], ["0"])


@pytest.mark.parametrize(
    "fields",
    [b"", b"Connection: close\r\nKeep-Alive: x\r\nTransfer-Encoding: chunked\r\n"],
    ids=["plain", "with hop-by-hop fields"],
)
def test_21_an_interim_answer_is_not_the_answer(gateway, upstream, good, fields):
    upstream.script = b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n" + fields + b"\r\n" + answer(b"final")
    reply = gateway.ask("/api/x", token=good)
    if b"Transfer-Encoding" in fields and reply.status == 502:
        return  # framing in a 103 is against RFC 9110 §15.2: refusing the upstream is as good
    assert reply.status == 200 and reply.body == b"final"
    for interim in reply.interim:
        assert not {"connection", "keep-alive", "transfer-encoding"} & {name.lower() for name, _ in interim.fields}


def test_22_where_the_credential_goes_on(gateway, upstream, good):
    assert gateway.ask("/api/x", token=good).status == 200
    assert upstream.last().header("Authorization") == f"Bearer {good}"
    upstream.reset_script()
    assert gateway.ask("/api/hidden/", token=good).status == 200
    assert upstream.last().all("Authorization") == []
    key = gateway.key()
    upstream.reset_script()
    assert gateway.ask("/api/agents/bot-1/", token=key).status == 200
    assert upstream.last().all("Authorization") == []


def test_23_large_tokens_and_larger_ones(gateway, jwt):
    assert error(gateway, jwt(groups=["g" * 90] * 90)) == 200
    assert error(gateway, jwt(groups=["g" * 90] * 160)) == "token_invalid"
    refusal(gateway.ask("/api/x", "X-Large: " + "x" * (1 << 20)), 431, "headers_too_large")


def test_24_a_client_has_no_certificate_to_claim(gateway, upstream, good):
    assert gateway.ask("/api/x", "X-Forwarded-Client-Cert: Subject=root", listener="tls", token=good).status == 200
    assert upstream.last().all("X-Forwarded-Client-Cert") == []


def test_27_a_revoked_key_is_dead_on_every_worker(gateway, upstream):
    made = gateway.create_key("bot-27")
    ask = lambda _=0: gateway.ask("/api/agents/bot-27/", token=made["key"]).status
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert set(pool.map(ask, range(64))) == {200}
        gateway.run("keys", "revoke", made["id"])
        all_at_once = lambda: set(pool.map(ask, range(32)))
        eventually(lambda: all_at_once() == {401}, within=LAG + 2, every=0)
        assert all_at_once() == {401}


def guess(gateway, count, token=lambda index: f"rk_{index:043d}"):
    """Refused requests, one after the other."""
    with gateway.connect("plain") as wire:
        for index in range(count):
            assert wire.send(request("GET", "/api/agents/bot-1/", token=token(index))).answer().status == 401


def test_30_guesses_are_refused_cheaply(gateway, good):
    """A guess costs about what a request without a credential does, and nobody waits for it to end."""

    def cost(*arguments):
        before = gateway.cpu_seconds()
        guess(gateway, 1000, *arguments)
        return gateway.cpu_seconds() - before

    nothing = cost(lambda _: None)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        guesses, others = pool.submit(guess, gateway, 1000), []
        while not guesses.done():
            others.append(elapsed(lambda: gateway.ask("/api/x", token=good)))
        guesses.result()
    assert len(others) > 3 and all(answer.status == 200 and seconds < 1 * PATIENCE for seconds, answer in others)
    guessed = cost()
    assert guessed < 2 * nothing + 0.1 * PATIENCE


def test_31_a_grpc_call_learns_why(gateway):
    reply = gateway.ask("/api/service/Method", "Content-Type: application/grpc", "TE: trailers", method="POST", body=b"")
    assert reply.status == 200 and reply.header("grpc-status") == "16" and reply.body == b"" and not reply.trailers


def test_32_generation_ends_with_its_reader(gateway, upstream, good):
    ended = []

    def script(connection, _):
        connection.send(STREAM_HEAD + chunk(b"data: 1\n\n"))
        start = time.monotonic()
        ended.append(time.monotonic() - start if connection.wait_ended(5) else None)
        return False

    upstream.script = script
    with gateway.connect() as wire:
        wire.send(request("POST", "/api/x", token=good, body=b"{}")).final_head()
        assert wire.chunk() == b"data: 1\n\n"
    eventually(lambda: ended, within=6)
    assert ended[0] is not None and ended[0] < 2 * PATIENCE


def test_33_a_small_event_is_not_held_back(gateway, upstream, good):
    go = threading.Event()

    def script(connection, _):
        connection.send(STREAM_HEAD)
        time.sleep(0.2)
        connection.send(chunk(b"data: 20 bytes...\n\n\n"))
        go.wait(5)
        connection.send(b"0\r\n\r\n")

    upstream.script = script
    with gateway.connect() as wire:
        wire.send(request("GET", "/api/x", token=good)).final_head()
        seconds, event = elapsed(wire.chunk)
        assert event == b"data: 20 bytes...\n\n\n" and seconds < 0.7 * PATIENCE
        go.set()


def test_34_an_open_stream_does_not_keep_the_process(start, upstream, good):
    gateway = start(configuration().replace("drain_timeout 5s;", "drain_timeout 2s;"))
    upstream.script = lambda connection, _: connection.send(STREAM_HEAD + chunk(b"data: 1\n\n")) or connection.wait_ended(10)
    with gateway.connect() as wire:
        wire.send(request("GET", "/api/x", token=good)).final_head()
        gateway.signal(signal.SIGTERM)
        seconds, code = elapsed(lambda: gateway.wait(6))
        assert code == 0 and 1.5 < seconds < 4 * PATIENCE
        with pytest.raises((Truncated, OSError)):
            while wire.chunk():
                pass


def test_38_a_post_is_never_sent_twice(gateway, upstream, good):
    def script(connection, _):
        connection.close()
        return False

    for method, most in (("POST", 1), ("GET", 2)):
        gateway.ask("/api/warm", token=good)
        upstream.reset_script()
        upstream.script = script
        refusal(gateway.ask("/api/x", method=method, token=good, body=b"x"), 502, "upstream_error")
        assert 1 <= len(upstream.requests) <= most
        upstream.reset_script()


def test_39_sighup_brings_the_new_certificate(start, lab, tmp_path):
    lab.authority.issue(tmp_path, "cert", "localhost")
    gateway = start(configuration(certificates=f"certificate {tmp_path}/cert.pem file:{tmp_path}/cert.key;"))

    def serial():
        with gateway.connect() as wire:
            return wire.socket.getpeercert()["serialNumber"]

    with gateway.connect() as kept:
        before = serial()
        lab.authority.issue(tmp_path, "cert", "localhost")
        gateway.reload()
        eventually(lambda: serial() != before)
        assert kept.send(request("GET", "/healthz")).answer().status == 200


def test_40_the_load_balancers_own_checks(start, upstream, good):
    listeners = "listen 127.0.0.1:{proxy} plain proxy_protocol; listen 127.0.0.1:{tls} tls;"
    gateway = start(listeners=listeners, top="trusted_proxies 127.0.0.1;")
    local = b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
    headers = {b"PROXY UNKNOWN\r\n": "127.0.0.1", local: "127.0.0.1", b"PROXY TCP4 203.0.113.7 192.0.2.1 1 2\r\n": "203.0.113.7"}
    for header, address in headers.items():
        upstream.reset_script()
        with gateway.connect("proxy") as wire:
            assert wire.send(header + request("GET", "/api/x", token=good)).answer().status == 200
        assert upstream.last().header("X-Forwarded-For").split(", ")[0] == address
    with gateway.connect("proxy") as wire:
        wire.send(request("GET", "/healthz"))
        assert wire.rest() == b""


def test_41_the_request_id_finds_the_reason(gateway, jwt):
    for token, code in ((None, "credentials_missing"), ("garbage", "token_invalid"), (jwt(exp=1), "token_expired")):
        reply = gateway.ask("/api/x", token=token)
        assert reply.error == code
        assert gateway.logged(request_id=reply.json["details"]["request_id"])["error"] == code


@pytest.mark.parametrize(
    "line, says", [("requires scope x;", "did you mean 'require'"), ("scopes x;", "scopes"), ("accept none;", "accept")]
)
def test_42_a_mistyped_check_is_no_check_ignored(start, line, says):
    gateway = start(configuration() + f"route /x/ {{\n    accept jwt;\n    {line}\n    upstream agents;\n}}\n", run=False)
    output = gateway.run("check", code=1)
    number = len(configuration().splitlines()) + 3
    assert f"gateway.conf:{number}:5: error:" in output.stdout + output.stderr
    assert says in output.stdout + output.stderr


@pytest.mark.parametrize("target", ["/healthz", "/healthz/"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_43_probes_need_no_credential(gateway, method, target):
    for fields in ([], ["Authorization: Bearer broken"], ["Authorization: x"]):
        assert gateway.ask(target, *fields, method=method).status == 200
    # Two of them are no credential but no request either: contract.md, 'Credentials'.
    assert gateway.ask(target, "Authorization: x", "Authorization: y", method=method).status == 400


def test_44_sighup_does_not_end_the_process(start, good):
    gateway = start()
    for text, result in ((gateway.text, "success"), (gateway.text + "nonsense;\n", "failure"), (gateway.text, "success")):
        reloads = lambda: gateway.metric("gatehouse_config_reloads_total", result=result)
        before = reloads()
        gateway.write(text)
        gateway.reload()
        eventually(lambda: reloads() == before + 1)
        assert gateway.alive and gateway.ask("/api/x", token=good).status == 200
