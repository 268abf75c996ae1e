"""Fixtures. A module makes its gateways with `start`; they end, and are judged, with the module."""

import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from support import tokens  # noqa: E402
from support.gateway import BINARY, Gateway, configuration  # noqa: E402
from support.lab import Lab  # noqa: E402
from support.upstream import RecordingUpstream  # noqa: E402


def pytest_configure(config):
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is not there: run `swift build` first, or set GATEHOUSE_BINARY", returncode=3)


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    return Lab(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def module_upstream():
    upstream = RecordingUpstream()
    yield upstream
    upstream.close()


@pytest.fixture
def upstream(module_upstream):
    """The module's recording upstream, with nothing recorded and its plain 200 as the script."""
    module_upstream.reset_script()
    yield module_upstream
    module_upstream.reset_script()


@pytest.fixture(scope="module")
def start(lab, module_upstream, tmp_path_factory):
    """Starts a gateway: `start(text, upstream=…)`; by default on the module's recording upstream."""
    gateways = []

    def make(text=None, upstream=None, run=True, **parts):
        folder = tmp_path_factory.mktemp("gateway")
        gateway = Gateway(lab, folder, text or configuration(**parts), upstream or module_upstream)
        gateways.append(gateway)
        return gateway.start() if run else gateway

    yield make
    problems = []
    for gateway in gateways:
        try:
            gateway.stop()
        except AssertionError as problem:
            problems.append(str(problem))
    assert not problems, "\n".join(problems)


@pytest.fixture(scope="module")
def gateway(start):
    """The module's gateway; a module that needs another configuration defines its own."""
    return start()


@pytest.fixture(scope="session")
def jwt(lab):
    """Makes a token of the shared-secret issuer: `jwt(scope="query")` changes claims."""

    def make(**changes):
        return tokens.encode({"typ": "JWT", "alg": "HS256"}, tokens.claims(**changes), tokens.hs(lab.secret))

    return make


@pytest.fixture(scope="session")
def good(jwt):
    """A good token, for tests that are about something else."""
    return jwt(exp=int(time.time()) + 7200)
