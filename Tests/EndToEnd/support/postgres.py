"""PostgreSQL servers of the tests' own, on Unix sockets or loopback, ended with the process that began them."""

import atexit
import contextlib
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path

from . import free_port
from .lab import write_private

SCRIPT = Path(__file__).resolve().parents[3] / "deploy/dev/postgres"


def psql(url, statement):
    """What psql prints, unaligned and without headings."""
    command = ["psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


class PostgresServer:
    """A cluster in a folder of its own; `port` when it also listens on loopback."""

    def __init__(self, tcp=False):
        # Not under pytest's folder: its path may be too long for a socket, and the server is another user.
        self.folder = Path(tempfile.mkdtemp(prefix="gatehouse-pg-"))
        self.folder.chmod(0o755)
        self.port = free_port() if tcp else None
        self.running = False
        atexit.register(self.remove)

    def start(self):
        environment = {**os.environ, "PGPORT": str(self.port)} if self.port else os.environ
        subprocess.run([SCRIPT, "start", self.folder], check=True, env=environment, stdout=subprocess.DEVNULL, timeout=90)
        self.running = True
        return self

    def stop(self, mode="fast"):
        subprocess.run([SCRIPT, "stop", self.folder, mode], check=True, timeout=90)
        self.running = False

    def remove(self):
        if self.running:
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database, user="gatehouse", **more):
        where = {"host": self.folder, "port": self.port or 5432, "user": user, "dbname": database, **more}
        return " ".join(f"{name}={value}" for name, value in where.items())

    def sql(self, statement, database="postgres"):
        return psql(self.url(database), statement)

    def database(self):
        """The name of a new, empty one."""
        name = "test_" + uuid.uuid4().hex
        self.sql(f"CREATE DATABASE {name}")
        return name

    def configure(self, *lines, hba=None):
        """Settings, and who may connect how, from the next start on."""
        with open(self.folder / "data/postgresql.conf", "a") as file:
            file.writelines(line + "\n" for line in lines)
        if hba is not None:
            (self.folder / "data/pg_hba.conf").write_text("".join(line + "\n" for line in hba))
        return self

    def standby(self):
        """A copy that follows this server, not started; `promote()` makes it one of its own."""
        copy = PostgresServer(self.port is not None)
        subprocess.run([SCRIPT, "copy", self.folder, copy.folder], check=True, stdout=subprocess.DEVNULL, timeout=90)
        return copy

    def promote(self):
        self.sql("SELECT pg_promote()")

    def processes(self):
        """The pids of the server's first process and of those that it has begun."""
        first = int((self.folder / "data/postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [first, *map(int, children)]

    @contextlib.contextmanager
    def frozen(self):
        """A server that says nothing, as behind a network that is gone; nothing is refused, and nothing ends."""
        pids = self.processes()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


@functools.cache
def shared():
    """The server of this process's tests, for those that leave it running."""
    return PostgresServer().start()


def store_file(folder, url=None):
    """Writes store.url, which `store postgres:file:store.url` reads: this, or a new database's."""
    url = url or shared().url(shared().database())
    return write_private(folder / "store.url", url.encode() + b"\n")
