"""rate_limit and quota (gateway-conf.md; contract.md, 'Errors'; draft-ietf-httpapi-ratelimit-headers; RFC 6585 4)."""

import calendar
import concurrent.futures
import http.client
import re
import threading
import time

import pytest

from support import PATIENCE, eventually
from support.accounts import Crowd
from support.frames import Frames
from support.gateway import ROUTES, assert_mistake_found, configuration, refusal
from support.identity import KEYS, Door, identity_configuration
from support.wire import request
from test_reload import reload
from test_upgrade import Line

SLOW = "rate_limit 1/m burst=3"  # three at once; the next after a minute, when the test is long over
LIMITED = f"""
route /limit/credential/ {{ accept jwt api_key; {SLOW} by=credential; upstream agents; }}
route /limit/again/ {{ accept jwt api_key; {SLOW} by=credential; upstream agents; }}
route /limit/user/ {{ accept jwt api_key; {SLOW} by=user; upstream agents; }}
route /limit/agents/{{agent_id}}/ {{ accept jwt api_key; agent {{agent_id}}; {SLOW} by=agent; upstream agents; }}
route /limit/address/ {{ accept jwt; {SLOW} by=address; upstream agents; }}
route /limit/open/ {{ accept none; {SLOW} by=address; upstream agents; }}
route /limit/hourly/ {{ accept jwt; rate_limit 1/h burst=2 by=credential; upstream agents; }}
route /limit/fast/ {{ accept jwt; rate_limit 2/s burst=3 by=credential; upstream agents; }}
route /limit/wide/ {{ accept jwt; max_body 1k; rate_limit 100/s burst=100 by=credential; upstream agents; }}
route /limit/scoped/ {{ accept jwt; require scope query; rate_limit 100/s burst=100 by=credential; upstream agents; }}
route /limit/hammer/ {{ accept jwt; rate_limit 50/s burst=50 by=credential; upstream agents; }}
route /limit/rpc/ {{ accept jwt; {SLOW} by=credential; upstream agents; }}
route /quota/ {{ accept jwt api_key; quota 5/d by=credential; upstream agents; }}
route /quota/month/ {{ accept jwt; quota 2/mo by=credential; upstream agents; }}
route /quota/user/ {{ accept jwt api_key; quota 2/d by=user; upstream agents; }}
route /quota/agents/{{agent_id}}/ {{ accept jwt api_key; agent {{agent_id}}; quota 2/d by=agent; upstream agents; }}
route /quota/both/ {{ accept jwt; rate_limit 1/s burst=2 by=credential; quota 5/d by=credential; upstream agents; }}
"""


@pytest.fixture(scope="module", autouse=True)
def one_day():
    """The day must not end in the middle."""
    left = 86_400 - time.time() % 86_400
    if left < 60:
        time.sleep(left + 1)


@pytest.fixture(scope="module")
def door(start):
    door = Door(start(identity_configuration(routes=ROUTES + LIMITED)))
    door.ann = door.add("ann@example.com")
    return door


@pytest.fixture(scope="module")
def gateway(door):
    return door.gateway


@pytest.fixture(scope="module")
def access(door):
    return door.login("ann@example.com")["access"]


@pytest.fixture
def person(jwt, request):
    """Makes tokens of people whom no other test knows."""
    test = re.sub(r"[^a-z0-9]+", "-", request.node.name)
    return lambda name="one", **changes: jwt(user_id=f"{test}-{name}", sub=f"{test}-{name}", jti=f"{test}-{name}", **changes)


@pytest.fixture
def an_agent(request):
    """An agent whom no other test knows."""
    return "agent-" + re.sub(r"[^a-z0-9]+", "-", request.node.name)


def statuses(gateway, target, token, count=4, **settings):
    return [gateway.ask(target, token=token, **settings).status for _ in range(count)]


class Tally:
    """When each request of one bucket was sent, when its answer was there, and whether it passed."""

    STALE = 0.15  # how far the gateway's clock may lie behind, in seconds

    def __init__(self):
        self.seen = []

    def note(self, ask):
        """Asks, and gives the answer, which is 200 or 429."""
        sent, answer = time.monotonic(), ask()
        assert answer.status in (200, 429), answer
        self.seen.append((sent, time.monotonic(), answer.status == 200))
        return answer

    def judge(self, rate, burst):
        """As many passed as may: no more since the first was sent, no fewer until the last that was refused.

        However late a client was, and wherever: what it did not ask for in time is still there, up to the burst."""
        passed = sum(each[2] for each in self.seen)
        most = burst + rate * (max(each[1] for each in self.seen) - min(each[0] for each in self.seen) + self.STALE)
        full = max((each[0] for each in self.seen if not each[2]), default=0) - min(each[1] for each in self.seen)
        least = burst + rate * (full - self.STALE) - 1
        assert least <= passed <= most, f"{passed} passed: {least:.1f} to {most:.1f} expected"
        return passed


def until_refused(ask, rate, burst):
    """Asks until it is refused, which takes longer the slower this machine is; gives the answers."""
    tally, answers = Tally(), []
    while not answers or answers[-1].status == 200:
        answers.append(tally.note(ask))
        assert len(answers) <= burst + 20 * rate + 1, "it is never refused"
    tally.judge(rate, burst)
    return answers


def refused_for(answer, error, longest):
    """Checks a 429 and gives the seconds that it asks to wait for."""
    details = refusal(answer, 429, error)
    assert list(details) == ["retry_after"] and type(details["retry_after"]) is int
    assert answer.header("Retry-After") == str(details["retry_after"]) and 1 <= details["retry_after"] <= longest
    return details["retry_after"]


def remaining(answer):
    """What RateLimit says is left; both fields stand on the answer, once."""
    assert re.search(r"\bq=\d+", answer.header("RateLimit-Policy") or ""), answer
    found = re.search(r";\s*r=(\d+)", answer.header("RateLimit") or "")
    assert found, answer
    return int(found[1])


# rate_limit


def test_the_burst_passes_then_429(gateway, upstream, person):
    token = person()
    assert statuses(gateway, "/limit/credential/x", token, 3) == [200] * 3
    got = gateway.ask("/limit/credential/x", token=token)
    assert refused_for(got, "rate_limited", 60) >= 50
    assert got.header("WWW-Authenticate") is None
    assert len(upstream.requests) == 3, "what is refused is not sent on"


@pytest.mark.parametrize("target, longest, rate, burst", [("/limit/fast/", 1, 2, 3), ("/limit/hourly/", 3600, 1 / 3600, 2)])
def test_retry_after_counts_in_seconds(gateway, upstream, person, target, longest, rate, burst):
    token = person()
    answers = until_refused(lambda: gateway.ask(target, token=token), rate, burst)
    assert refused_for(answers[-1], "rate_limited", longest) >= longest - 10


def test_after_retry_after_it_passes_again(gateway, upstream, person):
    token = person()
    until_refused(lambda: gateway.ask("/limit/fast/", token=token), 2, 3)
    time.sleep(1.05)
    assert statuses(gateway, "/limit/fast/", token, 2) == [200] * 2, "two a second"


def test_a_refusal_does_not_put_off_the_next_one(gateway, upstream, person):
    """Who hammers is let in as often as the rate says."""
    token, tally = person(), Tally()
    end = time.monotonic() + 2
    while time.monotonic() < end:
        tally.note(lambda: gateway.ask("/limit/fast/", token=token))
        time.sleep(0.02)
    assert tally.judge(rate=2, burst=3) >= 5, "a burst of 3, and 2 a second for 2 seconds, of which some may be slept through"


def test_what_is_left_is_told(gateway, upstream, person):
    token = person()
    answers = [gateway.ask("/limit/credential/x", token=token) for _ in range(5)]
    left = [remaining(answer) for answer in answers]
    assert left[0] > left[1] > left[2] >= left[3] == left[4] == 0, left
    assert [answer.status for answer in answers] == [200] * 3 + [429] * 2


def test_every_answer_of_the_route_tells_it(gateway, upstream, person):
    token = person()
    remaining(gateway.ask("/limit/wide/", token=token))
    got = gateway.ask("/limit/wide/", token=token, method="POST", body=b"x" * 2000)
    refusal(got, 413, "body_too_large")
    remaining(got)
    got = gateway.ask("/limit/scoped/", token=token)
    refusal(got, 403, "permission_denied")
    remaining(got)
    upstream.script = b"nonsense"
    got = gateway.ask("/limit/wide/", token=token)
    refusal(got, 502, "upstream_error")
    remaining(got)


def test_another_route_does_not_tell_it(gateway, upstream, person):
    got = gateway.ask("/api/x", token=person())
    assert got.header("RateLimit") is None and got.header("RateLimit-Policy") is None


def test_the_same_over_http2(gateway, upstream, person):
    token = person()
    with Frames(gateway) as frames:
        answers = [frames.answer(frames.request("GET", "/limit/credential/x", token=token)) for _ in range(4)]
    assert [answer.status for answer in answers] == [200] * 3 + [429]
    assert remaining(answers[0]) > remaining(answers[1]) and remaining(answers[3]) == 0
    refused_for(answers[3], "rate_limited", 60)
    assert gateway.ask("/limit/credential/x", token=token).status == 429, "HTTP/1.1 counts along"


def test_a_grpc_call_is_refused_in_its_own_way(gateway, upstream, person):
    """contract.md: 8, RESOURCE_EXHAUSTED, in trailers only."""
    token = person()
    assert statuses(gateway, "/limit/rpc/", token, 3) == [200] * 3
    with Frames(gateway) as frames:
        fields = [("content-type", "application/grpc"), ("te", "trailers")]
        got = frames.answer(frames.request("POST", "/limit/rpc/Echo", *fields, token=token, body=b"\0\0\0\0\0"))
    assert got.status == 200 and got.header("grpc-status") == "8" and got.body == b""
    assert got.header("grpc-message").startswith("rate_limited")


def test_the_log_and_the_metrics_say_so(gateway, upstream, person):
    token = person()
    statuses(gateway, "/limit/credential/logged", token)
    line = gateway.logged(path="/limit/credential/logged", status=429)
    assert line["error"] == "rate_limited" and "upstream" not in line
    assert gateway.metric("gatehouse_refusals_total", error="rate_limited") >= 1


# Who shares a bucket


def test_a_bucket_for_each_credential(door, access, upstream, person, an_agent):
    keys = [door.make_key(access, an_agent)["key"] for _ in range(2)]
    for token in (person("one"), person("two"), *keys):
        assert statuses(door.gateway, "/limit/credential/", token) == [200] * 3 + [429]


def test_one_bucket_for_the_whole_route(gateway, upstream, person):
    token = person()
    for method, target in (("GET", ""), ("POST", "a"), ("DELETE", "b/c?d=e")):
        assert gateway.ask(f"/limit/credential/{target}", method=method, token=token).status == 200
    assert gateway.ask("/limit/credential/f", token=token).status == 429


def test_each_route_has_its_own(gateway, upstream, person):
    token = person()
    assert statuses(gateway, "/limit/credential/", token) == [200] * 3 + [429]
    assert statuses(gateway, "/limit/again/", token) == [200] * 3 + [429]
    assert gateway.ask("/api/x", token=token).status == 200


def test_by_user_his_tokens_and_his_keys_share(door, access, upstream, an_agent):
    key = door.make_key(access, an_agent)["key"]
    assert statuses(door.gateway, "/limit/user/", access, 2) == [200] * 2
    assert statuses(door.gateway, "/limit/user/", key, 2) == [200, 429]
    assert door.open(door.login("ann@example.com")["access"], "/limit/user/").status == 429, "a new session is no new user"
    other = door.gateway.create_key(an_agent, "somebody-else")["key"]
    assert statuses(door.gateway, "/limit/user/", other) == [200] * 3 + [429]


def test_by_agent_its_keys_share(door, access, upstream, an_agent):
    one, two, other = (door.make_key(access, agent)["key"] for agent in (an_agent, an_agent, f"{an_agent}-other"))
    target = f"/limit/agents/{an_agent}/x"
    assert statuses(door.gateway, target, one, 2) == [200] * 2
    assert statuses(door.gateway, target, two, 2) == [200, 429]
    assert door.open(one, target).status == 429
    assert statuses(door.gateway, f"/limit/agents/{an_agent}-other/x", other) == [200] * 3 + [429]


def from_address(gateway, source, target, token=None, **fields):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.ports.plain, timeout=5 * PATIENCE, source_address=(source, 0))
    try:
        connection.request("GET", target, headers={**({"Authorization": f"Bearer {token}"} if token else {}), **fields})
        return connection.getresponse().status
    finally:
        connection.close()


def test_by_address_everybody_there_shares(gateway, upstream, person):
    tokens = [person(f"{number}") for number in range(4)]
    assert [from_address(gateway, "127.0.0.7", "/limit/address/", token) for token in tokens] == [200] * 3 + [429]
    assert [from_address(gateway, "127.0.0.8", "/limit/address/", token) for token in tokens] == [200] * 3 + [429]


def test_by_address_on_a_public_route(gateway, upstream):
    assert [from_address(gateway, "127.0.0.9", "/limit/open/") for _ in range(4)] == [200] * 3 + [429]
    assert from_address(gateway, "127.0.0.10", "/limit/open/") == 200


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_a_client_cannot_choose_its_address(gateway, upstream, name):
    address = {"X-Forwarded-For": "127.0.1.1", "Forwarded": "127.0.1.2", "X-Real-IP": "127.0.1.3"}[name]
    got = [from_address(gateway, address, "/limit/open/", **{name: f"203.0.113.{number}"}) for number in range(4)]
    assert got == [200] * 3 + [429]


def test_behind_a_trusted_proxy_the_client_counts(start, upstream):
    gateway = start(
        top="trusted_proxies 127.0.0.0/8;", routes=f"route /open/ {{ accept none; {SLOW} by=address; upstream agents; }}"
    )
    ask = lambda client: from_address(gateway, "127.0.0.1", "/open/", **{"X-Forwarded-For": client})
    assert [ask("203.0.113.1") for _ in range(4)] == [200] * 3 + [429]
    assert ask("203.0.113.2") == 200
    assert ask("198.51.100.9, 203.0.113.1") == 429, "the proxy vouches for the last address only"


# What does not count


def test_a_bad_token_in_somebodys_name_does_not_count(gateway, upstream, lab, person):
    token, expired = person(), person(exp=1)
    forged = token.rpartition(".")[0] + "." + "A" * 43
    for bad in (forged, expired):
        assert set(statuses(gateway, "/limit/user/", bad, 5)) == {401}
        assert set(statuses(gateway, "/limit/credential/", bad, 5)) == {401}
    assert statuses(gateway, "/limit/user/", token) == [200] * 3 + [429]
    assert statuses(gateway, "/limit/credential/", token) == [200] * 3 + [429]


def test_another_agents_key_does_not_count(door, access, upstream, an_agent):
    key, other = (door.make_key(access, agent)["key"] for agent in (an_agent, f"{an_agent}-other"))
    target = f"/limit/agents/{an_agent}/x"
    for _ in range(5):
        refusal(door.open(other, target), 403, "agent_mismatch")
    assert statuses(door.gateway, target, key) == [200] * 3 + [429]


@pytest.mark.parametrize("target, allowed", [("/limit/agents/{}/x", 3), ("/quota/agents/{}/", 2)])
def test_a_token_that_names_an_agent_uses_nothing_of_its_keys(door, access, upstream, person, an_agent, target, allowed):
    """Anybody may name any agent in a path; he is counted for himself there."""
    target, key = target.format(an_agent), door.make_key(access, an_agent)["key"]
    for stranger in ("one", "two"):
        assert statuses(door.gateway, target, person(stranger), allowed + 1) == [200] * allowed + [429]
    assert statuses(door.gateway, target, key, allowed + 1) == [200] * allowed + [429]


# Exactness


@pytest.mark.parametrize("target, allowed", [("/limit/credential/", 3), ("/quota/", 5)])
def test_all_at_once_no_more_pass_than_may(gateway, upstream, person, target, allowed):
    """32 connections over both workers: none has a share of its own."""
    with Crowd(gateway) as crowd:
        answers = crowd.ask(target, person())
    assert sorted(answer.status for answer in answers) == [200] * allowed + [429] * (32 - allowed)


def test_a_limit_is_exact_over_all_workers(gateway, upstream, person):
    """50 a second and a burst of 50, asked for as fast as 32 connections can for three seconds."""
    data = request("GET", "/limit/hammer/", token=person())
    barrier, during, tally = threading.Barrier(32), 3.0, Tally()

    def client():
        with gateway.connect("plain") as wire:
            barrier.wait()
            end = time.monotonic() + during
            while time.monotonic() < end:
                tally.note(lambda: wire.send(data).answer())

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        for each in [pool.submit(client) for _ in range(32)]:
            each.result()
    passed = tally.judge(rate=50, burst=50)
    assert passed > 150 and len(upstream.requests) == passed


# quota


def until_midnight():
    return 86_400 - time.time() % 86_400


def until_next_month():
    now = time.gmtime()
    year, month = (now.tm_year, now.tm_mon + 1) if now.tm_mon < 12 else (now.tm_year + 1, 1)
    return calendar.timegm((year, month, 1, 0, 0, 0)) - time.time()


def over_quota(answer, left):
    assert abs(refused_for(answer, "quota_exceeded", 31 * 86_400) - left) <= 3


def test_a_day_has_so_many(gateway, upstream, person):
    token = person()
    assert statuses(gateway, "/quota/", token, 5) == [200] * 5
    got = gateway.ask("/quota/", token=token)
    over_quota(got, until_midnight())
    assert int(got.header("Retry-After")) <= 86_400
    assert len(upstream.requests) == 5
    assert gateway.ask("/quota/", token=person("two")).status == 200


def test_a_month_has_so_many(gateway, upstream, person):
    token = person()
    assert statuses(gateway, "/quota/month/", token, 2) == [200] * 2
    over_quota(gateway.ask("/quota/month/", token=token), until_next_month())


def test_a_quota_by_user_and_by_agent(door, access, upstream, an_agent):
    one, two = (door.make_key(access, an_agent)["key"] for _ in range(2))
    assert [door.open(token, "/quota/user/").status for token in (access, one, two)] == [200, 200, 429]
    assert [door.open(token, f"/quota/agents/{an_agent}/").status for token in (one, two, one)] == [200, 200, 429]


def test_refused_requests_do_not_use_a_quota_up(gateway, upstream, person):
    token = person()
    assert set(statuses(gateway, "/quota/both/", person(exp=1), 6)) == {401}
    got = [gateway.ask("/quota/both/", token=token) for _ in range(6)]
    refused = [answer.error for answer in got if answer.status == 429]
    assert [answer.status for answer in got[:2]] == [200, 200] and refused and set(refused) == {"rate_limited"}
    time.sleep(1.05)
    assert gateway.ask("/quota/both/", token=token).status == 200, "what the rate refused was not counted by the day"


def test_a_quota_survives_a_restart(start, upstream, person):
    gateway = start(routes="route /quota/ { accept jwt; quota 5/d by=credential; upstream agents; }")
    token = person()
    assert statuses(gateway, "/quota/", token, 3) == [200] * 3
    gateway.stop()
    gateway.start()
    assert statuses(gateway, "/quota/", token, 3) == [200, 200, 429]
    gateway.stop()
    gateway.start()
    over_quota(gateway.ask("/quota/", token=token), until_midnight())


@pytest.mark.parametrize("used", ["before", "meanwhile"])
def test_a_quota_over_an_upgrade_is_one(lab, module_upstream, tmp_path, upstream, person, used):
    """The new process goes on from what the old one counted, also while it started."""
    text = configuration(routes="route /quota/ { accept jwt; quota 100/d by=credential; upstream agents; }")
    line, data = Line(lab, tmp_path, text, module_upstream), request("GET", "/quota/", token=person())
    passed = lambda count: sum(line.gateway.send(data).status == 200 for _ in range(count))
    try:
        kept = [line.gateway.connect("plain") for _ in range(5)]
        total = passed(60) if used == "before" else 0
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            upgrade = pool.submit(line.upgrade)
            if used == "meanwhile":
                eventually(lambda: line.said("a new process was started"))
                total += passed(60)
            upgrade.result()
        total += sum(wire.send(data).answer().status == 200 for wire in kept)
        assert 100 <= total + passed(110) <= 105
    finally:
        line.stop()


# Reloads


def test_a_limit_is_what_the_new_configuration_says(start, upstream, person):
    """A rate that was used up is another one then, and days are counted apart from months."""
    text = configuration(
        routes="""
route /rate/ { accept jwt; rate_limit 1/h burst=1 by=credential; upstream agents; }
route /quota/ { accept jwt; quota 3/mo by=credential; upstream agents; }
"""
    )
    gateway, token = start(text), person()
    assert statuses(gateway, "/rate/", token, 2) == [200, 429]
    assert statuses(gateway, "/quota/", token, 4) == [200] * 3 + [429]
    gateway.write(text.replace("1/h burst=1", "100/s burst=1").replace("3/mo", "3/d"))
    reload(gateway)
    assert gateway.ask("/rate/", token=token).status == 200
    time.sleep(0.05)
    assert gateway.ask("/rate/", token=token).status == 200, "a hundred a second"
    assert statuses(gateway, "/quota/", token, 4) == [200] * 3 + [429]
    over_quota(gateway.ask("/quota/", token=token), until_midnight())
    gateway.write(text)
    reload(gateway)
    assert gateway.ask("/quota/", token=token).status == 429, "the month is used up still"


# Keys with limits of their own


def test_a_key_with_a_rate_of_its_own(door, access, upstream, an_agent):
    slow = door.make_key(access, an_agent, rateLimit="2/s")["key"]
    free = door.make_key(access, an_agent)["key"]
    target = f"/api/agents/{an_agent}/x"
    got = until_refused(lambda: door.open(slow, target), rate=2, burst=2)
    refused_for(got[-1], "rate_limited", 1)
    assert {door.open(free, target).status for _ in range(12)} == {200}
    time.sleep(1.05)
    assert door.open(slow, target).status == 200


def test_a_key_with_a_quota_of_its_own(door, access, upstream, an_agent):
    key = door.make_key(access, an_agent, quota="5/d")["key"]
    target = f"/api/agents/{an_agent}/x"
    assert statuses(door.gateway, target, key, 5) == [200] * 5
    over_quota(door.open(key, target), until_midnight())
    assert door.open(door.make_key(access, an_agent)["key"], target).status == 200
    assert door.open(access, target).status == 200


def test_a_keys_limits_hold_on_every_route(door, access, upstream, an_agent):
    key = door.make_key(access, an_agent, quota="2/mo")["key"]
    assert door.open(key, f"/api/agents/{an_agent}/").status == 200
    assert door.open(key, "/limit/credential/").status == 200
    over_quota(door.open(key, f"/limit/agents/{an_agent}/"), until_next_month())


def test_the_stricter_of_key_and_route_counts(door, access, upstream, an_agent):
    wide = door.make_key(access, an_agent, rateLimit="1000/s", quota="1000/d")["key"]
    assert statuses(door.gateway, "/limit/credential/", wide) == [200] * 3 + [429]
    narrow = door.make_key(access, an_agent, quota="1/d")["key"]
    assert statuses(door.gateway, "/limit/credential/", narrow, 2) == [200, 429]


def test_a_rotated_key_keeps_its_limits(door, access, upstream, an_agent):
    old = door.make_key(access, an_agent, quota="2/d")
    new = door.post(KEYS.format(agent=an_agent) + f"{old['id']}/rotate/", {"graceSeconds": 0}, token=access).json["key"]
    over_quota([door.open(new, f"/api/agents/{an_agent}/") for _ in range(3)][-1], until_midnight())


MALFORMED = [
    ("rateLimit", "10/parsec"),
    ("rateLimit", "0/s"),
    ("rateLimit", "-1/s"),
    ("rateLimit", "10"),
    ("rateLimit", "10/d"),
    ("rateLimit", ""),
    ("rateLimit", 5),
    ("rateLimit", ["2/s"]),
    ("quota", "0/d"),
    ("quota", "10/s"),
    ("quota", "many"),
    ("quota", 5),
]


@pytest.mark.parametrize("field, value", MALFORMED)
def test_limits_of_a_key_that_cannot_be(door, access, upstream, field, value):
    body = {"name": "n", field: value}
    details = refusal(door.post(KEYS.format(agent="malformed"), body, token=access), 400, "bad_request")
    assert details["field"] == field and details["reason"]
    assert door.send("GET", KEYS.format(agent="malformed"), token=access).json["keys"] == []


def test_the_use_of_a_key_is_shown(door, access, upstream, an_agent):
    """Of keys with limits of their own; the object of others is the contract's."""
    used, unused = (door.post(KEYS.format(agent=an_agent), {"name": "n", "quota": "100/d"}, token=access).json for _ in range(2))
    plain = door.make_key(access, an_agent)

    def use():
        listed = {key["id"]: key for key in door.send("GET", KEYS.format(agent=an_agent), token=access).json["keys"]}
        assert "usedToday" not in listed[plain["id"]]
        return [(listed[key["id"]]["usedToday"], listed[key["id"]]["usedThisMonth"]) for key in (used, unused)]

    assert use() == [(0, 0), (0, 0)]
    assert statuses(door.gateway, f"/api/agents/{an_agent}/", used["key"], 3) == [200] * 3
    assert use() == [(3, 3), (0, 0)]


# What cannot be right

MISTAKES = {
    "an unknown unit": ("rate_limit 10/parsec burst=20 by=credential;", "10/parsec"),
    "a unit of quotas": ("rate_limit 10/d burst=20 by=credential;", "10/d"),
    "no unit": ("rate_limit 10 burst=20 by=credential;", "10 burst"),
    "a rate of nothing": ("rate_limit 0/s burst=20 by=credential;", "0/s"),
    "a negative rate": ("rate_limit -1/s burst=20 by=credential;", "-1/s"),
    "no number": ("rate_limit many/s burst=20 by=credential;", "many/s"),
    "a rate beyond any number": ("rate_limit 99999999999999999999/s burst=20 by=credential;", "9999"),
    "by nobody": ("rate_limit 10/s burst=20 by=nobody;", "by=nobody"),
    "a burst of nothing": ("rate_limit 10/s burst=0 by=credential;", "burst=0"),
    "a burst that is no number": ("rate_limit 10/s burst=x by=credential;", "burst=x"),
    "an unknown setting": ("rate_limit 10/s bursts=20 by=credential;", "bursts=20"),
    "no rate": ("rate_limit;", "rate_limit"),
    "a second rate": ("rate_limit 10/s burst=20 by=credential; rate_limit 9/s burst=9 by=credential;", "rate_limit 9"),
    "a quota of nothing": ("quota 0/d by=credential;", "0/d"),
    "a quota by the second": ("quota 5/s by=credential;", "5/s"),
    "a quota without a unit": ("quota 5 by=credential;", "5 by"),
    "a quota by nobody": ("quota 5/d by=nobody;", "by=nobody"),
    "a quota with a burst": ("quota 5/d burst=5 by=credential;", "burst=5"),
    "no quota": ("quota;", "quota"),
}


@pytest.mark.parametrize("directive, place", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_found_when_the_file_is_read(start, directive, place):
    assert_mistake_found(start, directive, place)


@pytest.mark.parametrize("rate", ["10/s", "10/m", "10/h"])
@pytest.mark.parametrize("subject", ["credential", "user", "agent", "address"])
def test_every_unit_and_every_subject(start, rate, subject):
    line = f"rate_limit {rate} burst=20 by={subject}; quota 10/d by={subject};"
    pattern = f"route /x/{{agent_id}}/ {{ accept jwt api_key; agent {{agent_id}}; upstream agents; {line} }}\n"
    start(configuration() + pattern, run=False).run("check")


@pytest.mark.parametrize("directive", ["rate_limit 10/s by=agent", "quota 10/d by=agent"])
@pytest.mark.parametrize("kinds, code", [("api_key", 0), ("jwt", 1), ("api_key jwt", 1)])
def test_by_agent_wants_an_agent_of_every_credential(start, directive, kinds, code):
    """Without `agent` a token has none, and would not be limited at all."""
    route = f"route /x/ {{ accept {kinds}; {directive}; upstream agents; }}\n"
    output = start(configuration() + route, run=False).run("check", code=code).stderr
    assert code == 0 or f":{len(configuration().splitlines()) + 1}:{route.index('by=agent') + 1}: error: " in output, output
