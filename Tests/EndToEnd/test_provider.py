"""A real OpenID provider, django-oauth-toolkit: its keys by discovery, its opaque tokens by introspection, its outages."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import PATIENCE, eventually
from support.gateway import configuration, refusal
from support.lab import write_private
from support.provider import INSPECTOR, MACHINE, OTHER_WEB, SHORT, USER, WEB, Provider
from support.tokens import decode, encode, resigned, rs
from support.wire import elapsed, request

KEY_SET = "/.well-known/jwks.json"
ROUTES = """
route /api/ { accept opaque jwt; upstream agents; }
route /api/jwt/ { accept jwt; upstream agents; }
route /api/opaque/ { accept opaque; upstream agents; }
route /api/scoped/ { accept opaque jwt; require scope query; upstream agents; }
"""


@pytest.fixture(scope="module")
def running_provider(lab, tmp_path_factory):
    provider = Provider(lab, tmp_path_factory.mktemp("provider"))
    yield provider
    provider.stop()


@pytest.fixture
def provider(running_provider):
    """The module's provider, which runs, whatever the test before did to it."""
    return running_provider if running_provider.alive else running_provider.start()


@pytest.fixture(scope="module")
def begin(start, running_provider, tmp_path_factory):
    """Starts a gateway on the provider: `begin(cache="1s")`."""
    issuer = running_provider.issuer

    def make(discover=issuer, ca="ca.pem", cache="30s", user="sub username client_id", secret=INSPECTOR.secret):
        file = write_private(tmp_path_factory.mktemp("client") / "introspection.secret", secret.encode())
        blocks = f"""
jwt provider {{
    discover {discover};
    ca LAB/{ca};
    audience {WEB.name};
    algorithms RS256;
    refresh 1m;
    stale 1h;
    user_id_claim sub;
}}
introspection legacy {{
    endpoint {issuer}/introspect/;
    ca LAB/{ca};
    client {INSPECTOR.name} file:{file};
    cache {cache};
    user_id_claim {user};
}}
"""
        return start(configuration(jwt=blocks, routes=ROUTES))

    return make


@pytest.fixture(scope="module")
def shared(begin):
    """For tests that do nothing to the provider."""
    return begin()


def ask(gateway, token, path="/api/x"):
    return gateway.ask(path, token=token)


def passes(gateway, token):
    return ask(gateway, token).status == 200


# Its ID tokens


def test_an_id_token_passes_as_its_user(shared, provider, upstream):
    token = provider.id_token()
    assert passes(shared, token)
    assert upstream.last().header("X-User-Id") == decode(token)[1]["sub"]


def test_an_id_token_for_another_application_is_refused(shared, provider, upstream):
    refusal(ask(shared, provider.id_token(OTHER_WEB)), 401, "token_invalid")
    assert not upstream.requests


def test_a_token_that_the_provider_did_not_sign_is_refused(shared, provider, upstream, lab):
    forged = resigned(provider.id_token(), rs(lab.strangers_rsa), sub="root")
    refusal(ask(shared, forged), 401, "token_invalid")
    assert not upstream.requests


# Its opaque tokens


def test_an_opaque_token_passes_as_whom_introspection_names(shared, provider, upstream):
    assert passes(shared, provider.login()["access_token"])
    assert upstream.last().header("X-User-Id") == USER
    assert passes(shared, provider.opaque())
    assert upstream.last().header("X-User-Id") == MACHINE.name, "no user is behind client credentials"


def test_an_opaque_token_that_names_no_user_is_refused(begin, provider, upstream):
    gateway = begin(user="sub username")
    assert passes(gateway, provider.login()["access_token"])
    upstream.reset_script()
    refusal(ask(gateway, provider.opaque()), 401, "token_invalid")
    assert not upstream.requests


def test_the_scope_of_an_opaque_token_counts(shared, provider, upstream):
    assert ask(shared, provider.opaque("manage query"), "/api/scoped/").status == 200
    details = refusal(ask(shared, provider.opaque("manage"), "/api/scoped/"), 403, "permission_denied")
    assert "query" in str(details["required"])


def test_each_kind_passes_only_where_it_is_accepted(shared, provider, upstream):
    jwt, opaque = provider.id_token(), provider.opaque()
    assert ask(shared, jwt, "/api/jwt/").status == ask(shared, opaque, "/api/opaque/").status == 200
    details = refusal(ask(shared, jwt, "/api/opaque/"), 403, "credential_not_accepted")
    assert details == {"accepted": ["opaque"]}
    details = refusal(ask(shared, opaque, "/api/jwt/"), 403, "credential_not_accepted")
    assert details == {"accepted": ["jwt"]}


def test_what_the_provider_does_not_know_is_refused(shared, provider, upstream):
    asked = provider.count("/introspect/")
    refusal(ask(shared, "made-up"), 401, "token_invalid")
    assert provider.count("/introspect/") == asked + 1, "active: false, as the provider answers"
    assert not upstream.requests


def test_an_answer_of_introspection_serves_for_a_while(shared, provider, upstream):
    token, asked = provider.opaque(), provider.count("/introspect/")
    with shared.connect("plain") as wire:
        for _ in range(20):
            assert wire.send(request("GET", "/api/x", token=token)).answer().status == 200
    assert provider.count("/introspect/") == asked + 1


def test_a_revoked_opaque_token_is_refused_once_the_cache_is_over(begin, provider, upstream):
    gateway, token, other = begin(cache="1s"), provider.opaque(), provider.opaque()
    assert passes(gateway, token) and passes(gateway, other)
    provider.revoke(token)
    eventually(lambda: not passes(gateway, token), within=3)
    refusal(ask(gateway, token), 401, "token_invalid")
    assert passes(gateway, other)


def test_the_cache_does_not_outlive_the_token(shared, provider, upstream):
    token = provider.opaque(SHORT)
    assert passes(shared, token)
    eventually(lambda: not passes(shared, token), within=5)
    answer = ask(shared, token)
    refusal(answer, 401, answer.error)
    assert answer.error in ("token_invalid", "token_expired")


def test_introspection_that_refuses_the_gateway_itself_decides_nothing(begin, provider, upstream):
    gateway = begin(secret="another secret")
    assert refusal(ask(gateway, provider.opaque()), 503, "keys_unavailable")["issuer"]
    assert passes(gateway, provider.id_token())
    assert len(upstream.requests) == 1


# Whom the gateway believes to be the provider


def test_a_provider_with_a_certificate_of_another_authority_is_not_asked(begin, provider, upstream):
    gateway, asked = begin(ca="private.pem"), (provider.count(KEY_SET), provider.count("/introspect/"))
    assert refusal(ask(gateway, provider.id_token()), 503, "keys_unavailable") == {"issuer": provider.issuer}
    assert refusal(ask(gateway, provider.opaque()), 503, "keys_unavailable")["issuer"]
    assert (provider.count(KEY_SET), provider.count("/introspect/")) == asked
    assert not upstream.requests


def test_metadata_that_name_another_issuer_are_not_believed(begin, provider, upstream):
    """OpenID Connect Discovery 1.0 §4.3: the issuer has to be exactly the one that was looked up."""
    other = provider.issuer.replace("localhost", "127.0.0.1")
    token = resigned(provider.id_token(), rs(provider.keys[0]), iss=other)
    assert refusal(ask(begin(discover=other), token), 503, "keys_unavailable") == {"issuer": other}
    assert not upstream.requests


# Its keys change


def test_a_new_signing_key_costs_no_valid_token_under_load(begin, provider, upstream):
    gateway, tokens, done = begin(), [provider.id_token()], threading.Event()

    def client():
        statuses = []
        with gateway.connect("plain") as wire:
            while not done.is_set():
                for token in list(tokens):
                    statuses.append(wire.send(request("GET", "/api/x", token=token)).answer().status)
        return statuses

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(client) for _ in range(4)]
        try:
            time.sleep(0.5)
            provider.rotate()
            tokens.append(provider.id_token())
            time.sleep(1)
        finally:
            done.set()
        statuses = sum((client.result() for client in clients), [])
    old, new = (decode(token)[0]["kid"] for token in tokens)
    assert old != new and [key["kid"] for key in provider.key_set()] == [new, old]
    assert set(statuses) == {200} and len(statuses) > 50


def test_a_key_that_left_the_set_vouches_for_nothing_any_more(begin, provider, upstream):
    gateway, old = begin(), provider.id_token()
    assert passes(gateway, old)
    provider.rotate(keep=False)
    assert passes(gateway, provider.id_token()), "its unknown key has the set fetched again"
    eventually(lambda: not passes(gateway, old), within=3)
    refusal(ask(gateway, old), 401, "token_invalid")


def test_made_up_key_names_cost_the_provider_next_to_nothing(begin, provider, upstream, lab):
    gateway, good = begin(), provider.id_token()
    assert passes(gateway, good)
    header, body = decode(good)
    fetched = provider.count(KEY_SET)

    def attempt(number):
        forged = encode({**header, "kid": f"made-up-{number}"}, body, rs(lab.strangers_rsa))
        refusal(ask(gateway, forged), 401, "token_invalid")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attempt, range(200)))
    assert provider.count(KEY_SET) <= fetched + 2
    assert passes(gateway, good)


# It is down


def test_id_tokens_pass_while_the_provider_is_down_and_over_a_restart(begin, provider, upstream):
    gateway, tokens = begin(), [provider.id_token() for _ in range(3)]
    assert passes(gateway, tokens[0])
    provider.stop()
    assert passes(gateway, tokens[0]) and passes(gateway, tokens[1]), "one seen before, one never seen"
    gateway.stop()
    gateway.start()
    seconds, answer = elapsed(lambda: ask(gateway, tokens[2]))
    assert answer.status == 200 and seconds < 2 * PATIENCE, "the key set is kept beside the store"


def test_without_ever_a_key_set_nothing_is_guessed(begin, provider, upstream):
    token = provider.id_token()
    provider.stop()
    gateway = begin()
    assert refusal(ask(gateway, token), 503, "keys_unavailable") == {"issuer": provider.issuer}
    assert not upstream.requests
    provider.start()
    eventually(lambda: passes(gateway, token), within=20, every=0.2)


def test_opaque_tokens_of_a_provider_that_is_down(begin, provider, upstream):
    gateway, held, fresh = begin(), provider.opaque(), provider.opaque()
    with gateway.connect("plain") as wire:
        held = request("GET", "/api/x", token=held)
        assert wire.send(held).answer().status == 200
        provider.stop()
        assert refusal(ask(gateway, fresh), 503, "keys_unavailable")["issuer"]
        assert wire.send(held).answer().status == 200, "within its cache"
    assert len(upstream.requests) == 2
    provider.start()
    eventually(lambda: passes(gateway, fresh), within=10, every=0.2)
