"""What the operator is told, and the client is not: why a token is invalid, and what is wrong with an upstream."""

import pytest

from support import eventually, free_port
from support.gateway import ROUTES, configuration, refusal
from support.tokens import claims, encode, hs
from support.upstream import answer
from support.wire import request

HEADER = {"alg": "HS256", "typ": "JWT"}


def lines(gateway, text):
    return [line for line in gateway.said().splitlines() if text in line]


TOKENS = {
    "signed by another": (lambda lab: encode(HEADER, claims(), hs(lab.other_secret)), "signature"),
    "an algorithm that is not listed": (lambda lab: encode({"alg": "HS512"}, claims(), hs(lab.secret)), "no key for it"),
    "no user": (lambda lab: encode(HEADER, claims(user_id=None, sub=None), hs(lab.secret)), "user"),
    "no token at all": (lambda lab: "garbage", "token"),
}


@pytest.mark.parametrize("make, why", TOKENS.values(), ids=TOKENS)
def test_an_invalid_token_is_explained_to_the_operator_alone(start, lab, make, why):
    gateway = start()
    token = make(lab)
    answered = gateway.ask("/api/x", token=token)
    refusal(answered, 401, "token_invalid")
    eventually(lambda: lines(gateway, "refused as token_invalid"))
    [line] = lines(gateway, "refused as token_invalid")
    assert why in line and f"request_id={answered.json['details']['request_id']}" in line
    assert why not in answered.body.decode().replace("token_invalid", "").replace("The token is not valid here", "")
    assert token not in gateway.said()


def test_a_flood_of_bad_tokens_is_a_few_lines(start, lab):
    gateway = start()
    with gateway.connect() as wire:
        data = request("GET", "/api/x", token=encode(HEADER, claims(), hs(lab.other_secret)))
        for _ in range(500):
            refusal(wire.send(data).answer(), 401, "token_invalid")
    assert len(lines(gateway, "refused as token_invalid")) == 1


def closed(connection, _):
    return False


def nonsense(connection, _):
    connection.send(b"SMTP ready\r\n\r\n")


UPSTREAMS = {
    "nobody listens": (None, "Connection refused"),
    "it closes": (closed, "broke before the answer"),
    "no HTTP": (nonsense, "no HTTP"),
    "no answer in time": (lambda connection, _: connection.wait_ended(5), "no answer within response_timeout"),
}


@pytest.mark.parametrize("script, why", UPSTREAMS.values(), ids=UPSTREAMS)
def test_what_is_wrong_with_an_upstream_is_said_once(start, upstream, good, script, why):
    place = f"127.0.0.1:{free_port() if script is None else upstream.port}"
    gateway = start(configuration(directives="response_timeout 300ms;", server=f"server {place};", routes=ROUTES))
    upstream.script = script or answer(b"")
    for _ in range(3):
        assert gateway.ask("/api/x", token=good).status in (502, 503, 504)
    [line] = lines(gateway, f"upstream agents: {place}: ")
    assert why in line
