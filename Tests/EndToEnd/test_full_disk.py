"""The disk that the store is on is full: writes are refused, what is in memory goes on, and it heals by itself."""

import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from support import eventually
from support.accounts import (
    API_KEYS,
    PASSWORD,
    Session,
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
from support.gateway import BINARY, about_the_file, configuration, refusal

ADA = "ada@example.com"
# A mount that only the gateway sees, and that ends with it.
PRIVATELY = ["unshare", "--mount"]
MOUNT = "mount -t tmpfs -o size=4m,mode=700 none store"
START = f"""
{MOUNT} || exit 1
"$0" users add -c gateway.conf --email {ADA} --first-name Ada --last-name Lovelace || exit 1
exec "$0" run -c gateway.conf
"""


def can_mount(folder):
    (folder / "store").mkdir()
    return subprocess.run([*PRIVATELY, "sh", "-c", MOUNT], cwd=folder, capture_output=True).returncode == 0


class Disk:
    """The disk of a gateway's store, seen from outside."""

    def __init__(self, gateway):
        self.folder = Path(f"/proc/{gateway.process.pid}/root{gateway.folder}/store")

    @contextlib.contextmanager
    def full(self):
        filling = self.folder / "filling"
        try:
            with open(filling, "wb", buffering=0) as file:
                for size in (65536, 4096, 1):
                    with contextlib.suppress(OSError):
                        while file.write(b"x" * size) == size:
                            pass
            yield
        finally:
            filling.unlink()


@pytest.fixture
def gateway(start, tmp_path):
    if os.geteuid() != 0 or not can_mount(tmp_path):
        pytest.skip("only root can mount, and not everywhere")
    text = configuration(jwt="", identity=identity("rotate_refresh on;"), api_keys=API_KEYS)
    gateway = start(text.replace("sqlite:gatehouse.db", "sqlite:store/gatehouse.db"), run=False)
    (gateway.folder / "store").mkdir()
    gateway.stderr = open(gateway.folder / "stderr.log", "ab")
    gateway.process = subprocess.Popen(
        [*PRIVATELY, "sh", "-c", START, str(BINARY)],
        cwd=gateway.folder,
        stdin=subprocess.PIPE,
        stdout=gateway.stderr,
        stderr=gateway.stderr,
        start_new_session=True,
    )
    gateway.process.stdin.write(PASSWORD.encode() + b"\n")
    gateway.process.stdin.close()
    eventually(gateway.ready, within=15)
    return gateway


@about_the_file
def test_a_full_disk_refuses_writes_only_and_heals(gateway, upstream):
    session, leaving = Session(gateway, ADA), Session(gateway, ADA)
    key = create_key(gateway, session.access)
    count = len(list_keys(gateway, session.access))
    use_key = lambda: gateway.ask("/api/agents/bot-1/", token=key["key"])
    writes = {
        "login": lambda: login(gateway, ADA),
        "refresh": lambda: refresh(gateway, session.refresh),
        "logout": lambda: logout(gateway, leaving.access),
        "create": lambda: post(gateway, keys_path(), {"name": "n"}, token=session.access),
        "rotate": lambda: rotate_key(gateway, session.access, key["id"], {"graceSeconds": 0}),
        "revoke": lambda: revoke_key(gateway, session.access, key["id"]),
    }
    with Disk(gateway).full():
        for name, send in writes.items():
            assert refusal(send(), 503, "store_unavailable") == {}, name
            assert session.use().status == 200 and leaving.use().status == 200 and use_key().status == 200, name
        refusal(login(gateway, ADA, "a wrong guess"), 401, "login_failed")
        assert gateway.admin("/readyz")[0] == 503
    assert gateway.alive and "the disk is full" in gateway.said()
    assert gateway.admin("/readyz")[0] == 200
    # Nothing is half done, and the tokens that were not spent are good.
    assert len(list_keys(gateway, session.access)) == count and use_key().status == 200
    assert session.is_alive() and leaving.is_alive()
    leaving.end()
    leaving.assert_dead()
    assert revoke_key(gateway, session.access, key["id"]).status == 204
    refusal(use_key(), 401, "api_key_revoked")
    assert login(gateway, ADA).status == 200
