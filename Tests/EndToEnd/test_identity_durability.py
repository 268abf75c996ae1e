"""kill -9 at any moment: what was acknowledged is there after the restart (threats.md, 'Faults').

GATEHOUSE_KILL_ROUNDS says how many times the process is killed; the default keeps the suite short.
"""

import os
import random
import signal
import threading
import time

import pytest
from support.identity import KEYS, Door, identity_configuration
from support.wire import Truncated

ROUNDS = int(os.environ.get("GATEHOUSE_KILL_ROUNDS", "8"))
SEED = int(os.environ.get("GATEHOUSE_KILL_SEED", "0")) or random.SystemRandom().randrange(1 << 30)


class Client(threading.Thread):
    """Works until the gateway is gone, and remembers what it was told."""

    def __init__(self, door, session, seed):
        super().__init__(daemon=True)
        self.door, self.random = door, random.Random(seed)
        self.live, self.dead, self.keys, self.revoked = [session], [], [], []
        self.acknowledged = 0

    def run(self):
        actions = [self.refresh, self.refresh, self.make_key, self.make_key, self.revoke_key, self.log_out]
        try:
            while True:
                self.random.choice(actions)()
        except (OSError, Truncated, AssertionError, IndexError) as problem:
            self.end = problem

    def refresh(self):
        session = self.random.choice(self.live)
        # What is under way when the process dies may have happened or not: nothing is claimed of it.
        self.live.remove(session)
        answer = self.door.refresh(session["refresh"])
        assert answer.status == 200, answer
        self.acknowledged += 1
        self.live.append(answer.json)

    def make_key(self):
        answer = self.door.post(KEYS.format(agent="a1"), {"name": "n"}, token=self.live[0]["access"])
        assert answer.status == 201, answer
        self.acknowledged += 1
        self.keys.append(answer.json)

    def revoke_key(self):
        if self.keys:
            key = self.keys.pop(self.random.randrange(len(self.keys)))
            answer = self.door.send("DELETE", KEYS.format(agent="a1") + key["id"], token=self.live[0]["access"])
            assert answer.status == 204, answer
            self.acknowledged += 1
            self.revoked.append(key)

    def log_out(self):
        if len(self.live) > 1:
            session = self.live.pop()
            answer = self.door.logout(session["access"])
            assert answer.status == 204, answer
            self.acknowledged += 1
            self.dead.append(session)


def check(client):
    """Every acknowledged write of a client."""
    door = client.door
    for key in client.keys:
        assert door.open(key["key"], "/api/agents/a1/").status == 200, key
    for key in client.revoked:
        assert door.open(key["key"], "/api/agents/a1/").error == "api_key_revoked", key
    for session in client.live:
        assert door.open(session["access"]).status == 200
        assert door.refresh(session["refresh"]).status == 200
    for session in client.dead:
        assert door.open(session["access"]).error == "token_revoked"
        assert door.refresh(session["refresh"]).error in ("token_revoked", "rate_limited")


@pytest.mark.timeout(60 + 20 * ROUNDS)
def test_nothing_acknowledged_is_lost(start):
    door = Door(start(identity_configuration("rotate_refresh on; refresh_overlap 0s;")))
    for index in range(4):
        door.add(f"user{index}@example.com")
    chance = random.Random(SEED)
    total = 0
    for round_ in range(ROUNDS):
        clients = []
        for index in range(4):
            client = Client(door, door.login(f"user{index}@example.com"), chance.random())
            client.live.append(door.login(f"user{index}@example.com") if index == round_ % 4 else client.live[0])
            client.live = client.live[: 1 + (client.live[1] is not client.live[0])]
            clients.append(client)
        for client in clients:
            client.start()
        time.sleep(chance.uniform(0.02, 0.8))
        door.gateway.signal(signal.SIGKILL)
        door.gateway.process.wait()
        for client in clients:
            client.join(10)
            assert not client.is_alive() and isinstance(client.end, (OSError, Truncated)), (SEED, client.end)
        door.gateway.start()
        for client in clients:
            check(client)
            total += client.acknowledged
    assert total >= ROUNDS, f"seed {SEED}: nothing happened"
    print(f"{ROUNDS} rounds, {total} acknowledged writes")
