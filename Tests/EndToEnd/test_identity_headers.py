"""What the upstream is told about a request, and what a client cannot tell it."""

import pytest

from support.tokens import USER
from support.wire import request

OURS = ["X-User-Id", "X-Agent-Id", "X-Api-Key-Id"]
SPELLINGS = ["{}", "{:lower}", "{:upper}", "{:under}", "{:mixed}"]


def spell(name, how):
    return {
        "{}": name,
        "{:lower}": name.lower(),
        "{:upper}": name.upper(),
        "{:under}": name.replace("-", "_"),
        "{:mixed}": name.replace("-", "_", 1).lower(),
    }[how]


@pytest.mark.parametrize("how", SPELLINGS)
@pytest.mark.parametrize("name", OURS)
def test_a_clients_own_identity_header_never_arrives(gateway, upstream, good, name, how):
    spelt = spell(name, how)
    for target, token in (("/api/x", good), ("/widget/", None), ("/api/agents/bot-1/", good)):
        upstream.reset_script()
        assert gateway.ask(target, f"{spelt}: root", f"{spelt}: root2", token=token).status == 200
        seen = upstream.last()
        assert b"root" not in seen.head
        same = [value for key, value in seen.fields if key.lower().replace("_", "-") == name.lower()]
        assert same == ([USER] if name == "X-User-Id" and token else [])


def test_a_key_sets_all_three_and_a_jwt_only_the_user(gateway, upstream, good):
    key = gateway.key()
    spoofed = [f"{name}: root" for name in OURS]
    upstream.reset_script()
    assert gateway.ask("/api/agents/bot-1/", *spoofed, token=key).status == 200
    seen = upstream.last()
    assert (seen.header("X-User-Id"), seen.header("X-Agent-Id")) == ("owner-1", "bot-1")
    assert seen.header("X-Api-Key-Id") == gateway.keys["bot-1"]["id"]
    upstream.reset_script()
    assert gateway.ask("/api/agents/bot-1/", *spoofed, token=good).status == 200
    seen = upstream.last()
    assert seen.header("X-User-Id") == USER
    assert seen.all("X-Agent-Id") == seen.all("X-Api-Key-Id") == []


NOMINATED = ["X-User-Id", "X-Agent-Id", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Host", "Authorization", "Content-Length",
             "X_User_Id", "X-Request-Id"]  # fmt: skip


@pytest.mark.parametrize("name", NOMINATED)
def test_connection_cannot_remove_what_the_gateway_vouches_for(gateway, upstream, name):
    key = gateway.key()
    upstream.reset_script()
    answer = gateway.ask("/api/agents/bot-1/", f"Connection: close, {name}", method="POST", body=b"hello", token=key)
    if answer.status == 400:
        assert not upstream.requests
        return
    assert answer.status == 200
    seen = upstream.last()
    assert seen.header("X-User-Id") == "owner-1" and seen.header("X-Agent-Id") == "bot-1"
    assert seen.header("X-Forwarded-For") == "127.0.0.1" and seen.header("X-Forwarded-Proto") == "http"
    assert seen.header("Host") == "localhost" and seen.body == b"hello"


def test_connection_cannot_remove_the_jwt_that_goes_on(gateway, upstream, good):
    assert gateway.ask("/api/x", "Connection: Authorization", token=good).status in (200, 400)
    if upstream.requests:
        assert upstream.last().header("Authorization") == f"Bearer {good}"


def test_forwarding_fields_are_set_anew(gateway, upstream, good):
    fields = ["X-Forwarded-For: 1.2.3.4", "X-Forwarded-For: 5.6.7.8", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example",
              "x_forwarded_for: 9.9.9.9", "X_Forwarded_Host: evil.example", "Forwarded: for=1.2.3.4", "X-Real-IP: 1.2.3.4",
              "X-Forwarded-Client-Cert: Subject=root", "X-Original-URL: /admin", "X-Rewrite-URL: /admin", "X_Real_IP: 1.2.3.4"]  # fmt: skip
    assert gateway.ask("/api/x", *fields, token=good, host="localhost:8443").status == 200
    seen = upstream.last()
    assert seen.header("X-Forwarded-For") == "127.0.0.1"
    assert seen.header("X-Forwarded-Proto") == "http"
    assert seen.header("X-Forwarded-Host") == "localhost:8443"
    assert seen.header("Host") == "localhost:8443"
    names = {name.replace("_", "-") for name in seen.names()}
    assert not names & {"forwarded", "x-real-ip", "x-forwarded-client-cert", "x-original-url", "x-rewrite-url"}
    assert not any(b in seen.head for b in (b"evil", b"1.2.3.4", b"9.9.9.9", b"/admin"))


def test_over_tls_the_upstream_knows_it(gateway, upstream, good):
    assert gateway.ask("/api/x", "X-Forwarded-Proto: http", listener="tls", token=good).status == 200
    assert upstream.last().header("X-Forwarded-Proto") == "https"


def test_via_is_not_added_and_the_rest_arrives_as_sent(gateway, upstream, good):
    fields = ["Accept: a/b", "accept: c/d", "X-Custom: one", "X-Custom: two,  three", "Cookie: a=b; c=d", "User-Agent: x \xe4 y", "X_Under_Score: kept",
              "X-Empty:", "Content-Type: text/plain"]  # fmt: skip
    assert gateway.ask("/api/x", *fields, token=good).status == 200
    seen = upstream.last()
    assert "via" not in seen.names()
    sent = [tuple(part.strip() for part in field.split(":", 1)) for field in fields]
    assert [field for field in seen.fields if field[0].lower() in {name.lower() for name, _ in sent}] == sent


HOP_BY_HOP = [
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "TE: trailers",
    "Trailer: X-A",
    "Upgrade: foo",
    "Proxy-Authorization: Basic eDp5",
]


def test_hop_by_hop_fields_and_nominated_ones_stay_here(gateway, upstream, good):
    answer = gateway.ask(
        "/api/x", *HOP_BY_HOP, "X-Hop: 1", "X-Kept: 2", "Connection: X-Hop, keep-alive", "Connection: other", token=good
    )
    assert answer.status == 200
    seen = upstream.last()
    gone = {field.split(":")[0].lower() for field in HOP_BY_HOP} | {"x-hop"}
    assert not gone & set(seen.names())
    assert seen.header("X-Kept") == "2"
    assert "x-hop" not in (seen.header("Connection") or "").lower()


def test_the_credential_goes_on_or_stays_as_the_route_says(gateway, upstream, good):
    assert gateway.ask("/api/x", token=good).status == 200
    assert upstream.last().header("Authorization") == f"Bearer {good}"
    upstream.reset_script()
    assert gateway.ask("/api/hidden/x", token=good).status == 200
    assert upstream.last().all("Authorization") == [] and upstream.last().header("X-User-Id") == USER


def test_a_credential_on_an_open_route_is_not_ours_to_judge(gateway, upstream):
    assert gateway.ask("/widget/", token="whatever").status == 200
    assert upstream.last().all("X-User-Id") == []


def test_request_ids_reach_the_upstream_plain_and_bounded(gateway, upstream, good):
    assert gateway.ask("/api/x", "X-Request-Id: mine-1", token=good).status == 200
    assert upstream.last().header("X-Request-Id") == "mine-1"
    for bad in ("x" * 300, "a b", 'a"b', "\xe4", "a,b", ""):
        upstream.reset_script()
        assert gateway.ask("/api/x", f"X-Request-Id: {bad}", token=good).status == 200
        seen = upstream.last().header("X-Request-Id")
        assert seen and seen != bad and len(seen) <= 64 and seen.isascii()


@pytest.fixture(scope="module")
def trusting(start):
    return start(top="trusted_proxies 127.0.0.0/8 ::1;")


def test_a_trusted_proxy_is_believed(trusting, upstream, good):
    fields = ["X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: public.example", "X-Real-IP: 203.0.113.9",
              "Forwarded: for=203.0.113.9"]  # fmt: skip
    assert trusting.ask("/api/x", *fields, token=good).status == 200
    seen = upstream.last()
    addresses = [address.strip() for value in seen.all("X-Forwarded-For") for address in value.split(",")]
    assert addresses == ["203.0.113.9", "127.0.0.1"]
    assert seen.all("X-Forwarded-Proto")[0].split(",")[0] == "https"
    assert seen.all("X-Forwarded-Host")[0].split(",")[0] == "public.example"
    assert seen.header("X-Real-IP") == "203.0.113.9" and seen.header("Forwarded") == "for=203.0.113.9"
    assert trusting.logged(path="/api/x", status=200)["address"] in ("203.0.113.9", "127.0.0.1")


def test_a_trusted_proxy_vouches_for_no_user(trusting, upstream):
    assert trusting.ask("/widget/", "X-User-Id: root", "X_User_Id: root").status == 200
    assert b"root" not in upstream.last().head
    assert trusting.ask("/api/x", "X-User-Id: root").status == 401


def test_identity_does_not_stay_on_the_upstream_connection(gateway, upstream, good, jwt):
    with gateway.connect("plain") as wire:
        for token in (good, jwt(user_id="second")):
            assert wire.send(request("GET", "/api/x", token=token)).answer().status == 200
        assert wire.send(request("GET", "/widget/")).answer().status == 200
    assert [seen.header("X-User-Id") for seen in upstream.requests] == [USER, "second", None]
