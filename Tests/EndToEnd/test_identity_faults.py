"""What was answered is there: after `kill -9` at random moments, and when the store is locked or gone."""

import os
import random
import sqlite3
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import PATIENCE
from support.accounts import (
    API_KEYS,
    Session,
    add_user,
    create_key,
    identity,
    keys_path,
    list_keys,
    login,
    logout,
    post,
    refresh,
    revoke_key,
    rotate_key,
)
from support.gateway import about_the_file, refusal
from support.wire import Truncated, elapsed

ROUNDS = int(os.environ.get("GATEHOUSE_KILL_ROUNDS", "3"))
ACTORS = 4
ADA = "ada@example.com"


@pytest.fixture(scope="module")
def gateway(start):
    """With an overlap that outlasts a round: a refresh whose answer was lost must not end the session."""
    parts = {"identity": identity("rotate_refresh on;", "refresh_overlap 60s;"), "api_keys": API_KEYS}
    gateway = start(jwt="", **parts)
    add_user(gateway, ADA)
    return gateway


# kill -9


class Killed(Exception):
    """The gateway went away before its answer was here."""


class Key:
    """An API key, and what its owner was told about it."""

    def __init__(self, made):
        self.id, self.key, self.is_revoked, self.is_uncertain = made["id"], made["key"], False, False


class Actor:
    """A client that does one thing after the other and remembers what was acknowledged."""

    def __init__(self, gateway, number):
        self.gateway, self.agent, self.random = gateway, f"bot-{number}", random.Random(random.random())
        self.sessions, self.ended, self.uncertain, self.keys, self.acknowledged = [], [], [], [], 0

    def send(self, action):
        """What an acknowledged request gave."""
        try:
            result = action()
        except (OSError, Truncated) as problem:
            raise Killed from problem
        self.acknowledged += 1
        return result

    def act(self, until):
        """Until the gateway is killed."""
        try:
            while time.monotonic() < until:
                self.random.choices(
                    [self.renew, self.make_key, self.revoke_key, self.rotate_key, self.log_out, self.log_in],
                    weights=[6, 4, 3, 2, 1, 1],
                )[0]()
        except Killed:
            pass

    def log_in(self):
        self.sessions.append(self.send(lambda: Session(self.gateway, ADA)))

    @property
    def session(self):
        if not self.sessions:
            self.log_in()
        return self.random.choice(self.sessions)

    def renew(self):
        session = self.session
        self.send(session.renew)

    def log_out(self):
        session = self.session
        self.sessions.remove(session)
        self.uncertain.append(session)
        answer = self.send(lambda: logout(self.gateway, session.access))
        assert answer.status == 204, answer
        self.uncertain.remove(session)
        self.ended.append(session)

    def make_key(self):
        token = self.session.access
        self.keys.append(Key(self.send(lambda: create_key(self.gateway, token, self.agent))))

    def end_key(self, request, status):
        living = [key for key in self.keys if not key.is_revoked and not key.is_uncertain]
        if not living:
            return None
        token, key = self.session.access, self.random.choice(living)
        key.is_uncertain = True
        answer = self.send(lambda: request(token, key.id))
        assert answer.status == status, answer
        key.is_uncertain, key.is_revoked = False, True
        return answer

    def revoke_key(self):
        self.end_key(lambda token, key_id: revoke_key(self.gateway, token, key_id, self.agent), 204)

    def rotate_key(self):
        answer = self.end_key(lambda token, key_id: rotate_key(self.gateway, token, key_id, {"graceSeconds": 0}, self.agent), 201)
        if answer:
            self.keys.append(Key(answer.json))

    # After the restart

    def verify(self):
        """Everything that was acknowledged is there, and what was under way is there as a whole or not at all."""
        for session in self.ended:
            session.assert_dead()
        for session in self.uncertain:
            if session.use().status == 200:
                session.renew()
            else:
                session.assert_dead()
        for session in self.sessions:
            assert session.use().status == 200, "a login or a refresh was forgotten"
            session.renew()
        self.verify_keys()
        self.uncertain = []

    def verify_keys(self):
        listed = {key["id"]: key for key in list_keys(self.gateway, self.session.access, self.agent)}
        for key in self.keys:
            answer = self.gateway.ask(f"/api/agents/{self.agent}/", token=key.key)
            if key.is_uncertain:
                key.is_uncertain, key.is_revoked = False, answer.status == 401
            if key.is_revoked:
                refusal(answer, 401, "api_key_revoked")
            else:
                assert answer.status == 200, "a key was forgotten"
            assert (listed[key.id]["revokedAt"] is not None) == key.is_revoked

    def forget(self):
        """What was verified twice; else each round would take longer than the one before."""
        self.ended, self.keys, self.sessions = self.ended[-2:], self.keys[-4:], self.sessions[-2:]


@pytest.mark.timeout(60 + 20 * ROUNDS * PATIENCE)
def test_nothing_acknowledged_is_lost(gateway, upstream):
    actors, rounds = [Actor(gateway, number) for number in range(ACTORS)], 0
    # A busy machine may acknowledge little before it is killed: then there is more to do.
    while rounds < ROUNDS or sum(actor.acknowledged for actor in actors) < ROUNDS:
        rounds += 1
        with ThreadPoolExecutor(ACTORS) as pool:
            running = [pool.submit(actor.act, time.monotonic() + 30) for actor in actors]
            time.sleep(random.uniform(0.05, 1.5) * PATIENCE)  # the moment is the point
            gateway.process.kill()
            gateway.process.wait()
            for actor in running:
                actor.result()
        gateway.start()
        for actor in actors:
            actor.verify()
            actor.forget()
        upstream.reset_script()


def test_a_session_that_was_killed_in_the_middle_of_everything_goes_on(gateway, upstream):
    """One client, one refresh token, no answer: the retry after the restart gets the successor."""
    for _ in range(2):
        session = Session(gateway, ADA)
        shot = threading.Timer(random.uniform(0, 0.02), gateway.process.kill)
        shot.start()
        lost = None
        try:
            lost = refresh(gateway, session.refresh)
        except (OSError, Truncated):
            pass
        shot.join()
        gateway.process.wait()
        gateway.start()
        again = refresh(gateway, session.refresh)
        assert again.status == 200 and (lost is None or lost.json["refresh"] == again.json["refresh"])
        refusal(session.use(again.json["refresh"]), 401, "token_wrong_type")
        assert session.use(again.json["access"]).status == 200


# The store is gone, or somebody else keeps it


def requests_that_need_the_store(gateway, session, key):
    return {
        "login": lambda: login(gateway, ADA),
        "refresh": lambda: refresh(gateway, session.refresh),
        "logout": lambda: logout(gateway, session.access),
        "list": lambda: gateway.ask(keys_path(), token=session.access),
        "create": lambda: post(gateway, keys_path(), {"name": "n"}, token=session.access),
        "rotate": lambda: rotate_key(gateway, session.access, key["id"], {"graceSeconds": 0}),
        "revoke": lambda: revoke_key(gateway, session.access, key["id"]),
    }


@about_the_file
def test_without_the_store_nothing_is_half_done_and_it_heals(gateway, upstream):
    session = Session(gateway, ADA)
    key = create_key(gateway, session.access)
    count = len(list_keys(gateway, session.access))
    file = gateway.folder / "gatehouse.db"
    file.rename(gateway.folder / "gone.db")
    try:
        for name, send in requests_that_need_the_store(gateway, session, key).items():
            assert refusal(send(), 503, "store_unavailable") == {}, name
        assert session.use().status == 200, "what is in memory goes on working"
        assert gateway.ask("/api/agents/bot-1/", token=key["key"]).status == 200
    finally:
        (gateway.folder / "gone.db").rename(file)
    assert len(list_keys(gateway, session.access)) == count
    assert gateway.ask("/api/agents/bot-1/", token=key["key"]).status == 200
    assert session.is_alive() and login(gateway, ADA).status == 200
    session.end()
    session.assert_dead()


@about_the_file
def test_while_the_store_is_locked_requests_go_on(start, upstream):
    """On a gateway of its own: whatever another test still has to write would be waited for first."""
    gateway = start(jwt="", identity=identity())
    add_user(gateway, ADA)
    session = Session(gateway, ADA)
    with sqlite3.connect(gateway.folder / "gatehouse.db", isolation_level=None) as store:
        store.execute("BEGIN IMMEDIATE")
        try:
            with ThreadPoolExecutor(6) as pool:
                begun, times = time.monotonic(), []
                others = [pool.submit(logout, gateway, session.access) for _ in range(5)]
                waiting = pool.submit(login, gateway, ADA)
                while not all(one.done() for one in (waiting, *others)):
                    seconds, answer = elapsed(session.use)
                    assert answer.status == 200
                    times.append(seconds)
                    time.sleep(0.05)
            assert statistics.median(times) < 0.5 * PATIENCE and max(times) < 4, "none waits for the store, which takes 5 s"
            for one in (waiting, *others):
                refusal(one.result(), 503, "store_unavailable")
            assert time.monotonic() - begun < 9 * PATIENCE, "not each as long as the one before it"
        finally:
            store.execute("ROLLBACK")
    assert login(gateway, ADA).status == 200 and session.is_alive()
