"""What the end-to-end tests share: certificates, tokens, a gateway process, raw clients and recording upstreams."""

import os
import random
import socket
import time

# Sanitizer builds are slower: deploy/test --long says by how much.
PATIENCE = float(os.environ.get("GATEHOUSE_TEST_PATIENCE", "1"))


given = set()


def free_port():
    """A port on loopback that was not given before, below the ephemeral range: no outgoing connection takes it."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    for _ in range(200):
        port = 15000 + 4000 * worker + random.SystemRandom().randrange(4000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            if port not in given:
                given.add(port)
                return port
    raise RuntimeError("no free port")


def eventually(check, within=5.0, every=0.02):
    """The first true value of `check`, asked again and again for `within` seconds; fails when none comes."""
    end = time.monotonic() + within * PATIENCE
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < end, f"not within {within} s: {check}"
        time.sleep(every)
