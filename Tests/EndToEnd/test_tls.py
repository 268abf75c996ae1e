"""TLS as clients meet it: versions, certificates by name, resumption, client certificates, and connections that do nothing."""

import itertools
import os
import resource
import ssl
import subprocess
import time
import warnings

import pytest

from support import PATIENCE, eventually
from support.gateway import configuration, refusal
from support.wire import Wire, elapsed, request

# As many as descriptors allow are held when it is 10,000.
HANDSHAKES = int(os.environ.get("GATEHOUSE_HANDSHAKES", "1000"))

CERTIFICATES = """
certificate LAB/localhost.pem file:LAB/localhost.key;
certificate LAB/other.pem file:LAB/other.key;
certificate LAB/wildcard.pem file:LAB/wildcard.key;
"""
ROUTE = "route /api/ { accept jwt; upstream agents; } route /widget/ { accept none; upstream agents; }"


@pytest.fixture(scope="module")
def gateway(start):
    return start(certificates=CERTIFICATES)


@pytest.fixture(scope="module")
def hasty(start):
    """For handshakes that are not meant to come to their end."""
    return start(top="handshake_timeout 1s;", routes=ROUTE)


@pytest.fixture(scope="module")
def with_rsa(start):
    """Suites that authenticate by RSA can be had here."""
    return start(certificates="certificate LAB/rsa.pem file:LAB/rsa.key;", routes=ROUTE)


def versions(lab, minimum, maximum, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = lab.client_context(**settings)
        context.minimum_version, context.maximum_version = minimum, maximum
    return context


def names(wire):
    return {value for kind, value in wire.socket.getpeercert()["subjectAltName"] if kind == "DNS"}


@pytest.mark.parametrize("version, said", [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")])
def test_1_2_and_1_3_are_served(gateway, lab, version, said):
    with gateway.connect(context=versions(lab, version, version)) as wire:
        assert wire.socket.version() == said
        assert wire.send(request("GET", "/healthz")).answer().status == 200
        assert "GCM" in wire.socket.cipher()[0] or "CHACHA20" in wire.socket.cipher()[0]


def permissive(lab, certificate):
    """A server that agrees to whatever OpenSSL still has."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(lab.path(f"{certificate}.pem"), lab.path(f"{certificate}.key"))
    return context


def agreed(server, client):
    """Version and suite of a handshake in memory."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client.wrap_bio(down, up, server_hostname="localhost")
    waiting = [client, server.wrap_bio(up, down, server_side=True)]
    while waiting:
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                pass
    return client.version(), client.cipher()[0]


@pytest.mark.parametrize("version, said", [(ssl.TLSVersion.TLSv1, "TLSv1"), (ssl.TLSVersion.TLSv1_1, "TLSv1.1")])
def test_older_versions_are_refused(gateway, lab, version, said):
    context = versions(lab, version, version)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    assert agreed(permissive(lab, "localhost"), context)[0] == said, "it is not the client that cannot"
    with pytest.raises(ssl.SSLError, match="(?i)alert.protocol.version"):
        gateway.connect(context=context)


def only(lab, suite):
    """A client of TLS 1.2 that offers one suite."""
    context = versions(lab, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(suite + ":@SECLEVEL=0")
    return context


SUITES = {
    "CBC with SHA-1": ("ECDHE-ECDSA-AES128-SHA", "localhost"),
    "CBC with SHA-2": ("ECDHE-ECDSA-AES256-SHA384", "localhost"),
    "CBC with SHA-1, RSA": ("ECDHE-RSA-AES128-SHA", "rsa"),
    "CBC, and the secret sent under the certificate's key": ("AES128-SHA", "rsa"),
    "GCM, and the secret sent under the certificate's key": ("AES128-GCM-SHA256", "rsa"),
}


@pytest.mark.parametrize("suite, certificate", SUITES.values(), ids=SUITES)
def test_suites_without_aead_or_forward_secrecy_are_refused(gateway, with_rsa, lab, suite, certificate):
    """RFC 9325 4.2; each would do with this certificate, on a server that lets it."""
    assert agreed(permissive(lab, certificate), only(lab, suite)) == ("TLSv1.2", suite)
    with pytest.raises(ssl.SSLError, match="(?i)alert.handshake.failure"):
        (with_rsa if certificate == "rsa" else gateway).connect(context=only(lab, suite))


@pytest.mark.parametrize("suite", ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"])
def test_suites_with_aead_and_forward_secrecy_are_served_by_rsa(with_rsa, lab, suite):
    with with_rsa.connect(context=only(lab, suite)) as wire:
        assert wire.socket.cipher()[0] == suite
        assert wire.send(request("GET", "/healthz")).answer().status == 200


def test_min_version_1_3(start, lab):
    gateway = start(configuration(certificates="certificate LAB/localhost.pem file:LAB/localhost.key; min_version 1.3;"))
    assert gateway.ask("/healthz", listener="tls").status == 200
    with pytest.raises((ssl.SSLError, ConnectionError)):
        gateway.connect(context=versions(lab, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2))


SERVER_NAMES = {
    "localhost": {"localhost"},
    "other.example": {"other.example"},
    "OTHER.EXAMPLE": {"other.example"},
    "a.wild.example": {"*.wild.example", "wild.example"},
    "wild.example": {"*.wild.example", "wild.example"},
    "unknown.example": {"localhost"},
    "a.b.wild.example": {"localhost"},
}


@pytest.mark.parametrize("name, expected", SERVER_NAMES.items())
def test_the_server_name_chooses_the_certificate_and_the_first_is_the_default(gateway, lab, name, expected):
    with gateway.connect(context=lab.client_context(check_hostname=False), server_name=name) as wire:
        assert names(wire) == expected


def test_without_server_name_the_first_certificate(gateway, lab):
    with gateway.connect(context=lab.client_context(check_hostname=False), server_name=None) as wire:
        assert names(wire) == {"localhost"}
        assert wire.send(request("GET", "/widget/")).answer().status == 200


def asked(gateway, lab, server_name, host):
    with gateway.connect(context=lab.client_context(check_hostname=False), server_name=server_name) as wire:
        return wire.send(request("GET", "/widget/", host=host)).answer()


@pytest.mark.parametrize("server_name, host", [("localhost", "other.example"), ("other.example", "localhost"), ("other.example", "a.wild.example"),
                                               ("a.wild.example", "OTHER.example:443")])  # fmt: skip
def test_host_of_another_certificate_is_421(gateway, upstream, lab, server_name, host):
    refusal(asked(gateway, lab, server_name, host), 421, "misdirected_request")
    assert not upstream.requests


@pytest.mark.parametrize("server_name, host", [("a.wild.example", "b.wild.example"), ("wild.example", "b.wild.example:8443"), ("localhost", "127.0.0.1"),
                                               ("localhost", "LOCALHOST:1")])  # fmt: skip
def test_a_certificate_that_covers_both_serves_both(gateway, upstream, lab, server_name, host):
    assert asked(gateway, lab, server_name, host).status == 200


def test_alpn(gateway, lab):
    for offered, chosen in (
        (["http/1.1"], "http/1.1"),
        (["http/1.1", "h2"], "h2"),
        (["spdy/3", "http/1.1"], "http/1.1"),
        (None, None),
    ):
        context = lab.client_context()
        if offered:
            context.set_alpn_protocols(offered)
        with gateway.connect(context=context) as wire:
            assert wire.socket.selected_alpn_protocol() == chosen
            if chosen == "h2":
                continue
            assert wire.send(request("GET", "/healthz")).answer().status == 200


def test_alpn_without_overlap_ends_the_handshake(gateway, lab):
    context = lab.client_context()
    context.set_alpn_protocols(["spdy/3"])
    with pytest.raises(ssl.SSLError) as failure:
        gateway.connect(context=context)
    assert "NO_APPLICATION_PROTOCOL" in str(failure.value).upper().replace(" ", "_")


def resumed(gateway, context, session=None):
    """The session of one connection, and whether it was resumed."""
    with gateway.connect(context=context, session=session) as wire:
        assert wire.send(request("GET", "/healthz")).answer().status == 200
        return wire.socket.session, wire.socket.session_reused


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tickets_resume_on_any_shard_and_across_a_reload(gateway, lab, version):
    context = versions(lab, version, version)
    session, was = resumed(gateway, context)
    assert not was
    for _ in range(8):  # connections fall on either shard
        _, was = resumed(gateway, context, session)
        assert was
    reloads = gateway.metric("gatehouse_config_reloads_total")
    gateway.reload()
    eventually(lambda: gateway.metric("gatehouse_config_reloads_total") > reloads)
    _, was = resumed(gateway, context, session)
    assert was, "a reload must not throw the ticket keys away"


def test_a_session_of_one_name_does_not_open_another(gateway, upstream, lab):
    context = lab.client_context(check_hostname=False)
    with gateway.connect(context=context, server_name="other.example") as wire:
        assert wire.send(request("GET", "/widget/", host="other.example")).answer().status == 200
        session = wire.socket.session
    with gateway.connect(context=context, server_name="localhost", session=session) as wire:
        answer = wire.send(request("GET", "/widget/", host="other.example")).answer()
        assert answer.status == 421


def test_the_end_is_announced(gateway, good):
    with gateway.connect() as wire:
        wire.send(request("GET", "/api/x", "Connection: close", token=good)).answer()
        assert wire.socket.recv(1) == b"", "close_notify, not a bare end (which raises)"


def test_a_client_that_announces_its_end_after_a_request_gets_its_answer(gateway, upstream, good):
    upstream.script = lambda connection, _: (time.sleep(0.3), connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))[
        1
    ]
    with gateway.connect("plain") as wire:
        wire.send(request("GET", "/api/x", "Connection: close", token=good))
        assert wire.answer().body == b"ok"


def hello(lab):
    """The bytes of a good ClientHello."""
    sent = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        lab.client_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname="localhost").do_handshake()
    return sent.read()


STAGES = {
    "nothing": lambda hello: b"",
    "a byte": lambda hello: hello[:1],
    "a ClientHello but for its last byte": lambda hello: hello[:-1],
    "a ClientHello and nothing after it": lambda hello: hello,
}


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_a_handshake_that_does_not_come_ends(hasty, lab, stage):
    with Wire(("127.0.0.1", hasty.ports.tls)) as wire:
        wire.send(stage(hello(lab)))
        seconds, _ = elapsed(wire.rest)
        assert 0.5 < seconds < 4 * PATIENCE


def test_a_handshake_that_drips_ends_too(hasty, lab):
    """The time is that of the whole handshake: a byte does not buy more of it."""
    with Wire(("127.0.0.1", hasty.ports.tls)) as wire:
        start = time.monotonic()
        with pytest.raises(OSError):
            for byte in hello(lab)[:100]:
                wire.send(bytes([byte]))
                time.sleep(0.1)
        assert 0.5 < time.monotonic() - start < 6 * PATIENCE


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x00" * 100, b"SSH-2.0-x\r\n", bytes(range(256)) * 64]
)
def test_what_is_not_tls_ends_at_once(gateway, data):
    with Wire(("127.0.0.1", gateway.ports.tls)) as wire:
        try:
            wire.send(data)
        except ConnectionError:
            pass
        seconds, _ = elapsed(wire.rest)
        assert seconds < 3 * PATIENCE
    assert gateway.ask("/healthz", listener="tls").status == 200


@pytest.fixture
def descriptors():
    """As many as the system lets this process have; afterwards it has what it had."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.timeout(60 + HANDSHAKES * 0.02 * PATIENCE)
def test_many_unfinished_handshakes_disturb_nobody_and_cost_little(start, lab, descriptors):
    """Of every stage, held at the same time; what was served before is served on, and newcomers are."""
    count = min(HANDSHAKES, descriptors * 3 // 4 - 200)
    gateway = start(top="handshake_timeout 300s; keepalive_timeout 300s; max_connections 20000;", routes=ROUTE)
    held = lambda: gateway.metric("gatehouse_connections", listener=f"127.0.0.1:{gateway.ports.tls}")
    stages = itertools.cycle([stage(hello(lab)) for stage in STAGES.values()])
    stalled = []
    with gateway.connect() as kept:
        assert kept.send(request("GET", "/healthz")).answer().status == 200
        resident = gateway.resident()
        try:
            for _, data in zip(range(count), stages):
                stalled.append(Wire(("127.0.0.1", gateway.ports.tls)))
                stalled[-1].send(data)
            eventually(lambda: held() == count + 1, within=20)
            assert gateway.resident() - resident < (10_000 + 64 * count) * PATIENCE, "KiB"
            for ask in (lambda: gateway.ask("/healthz", listener="tls"), kept.send(request("GET", "/healthz")).answer):
                seconds, answer = elapsed(ask)
                assert answer.status == 200 and seconds < 1 * PATIENCE
        finally:
            for wire in stalled:
                wire.close()
        eventually(lambda: held() == 1, within=20)
        assert kept.send(request("GET", "/healthz")).answer().status == 200


def test_renegotiation_is_off(gateway, lab):
    command = [
        "openssl",
        "s_client",
        "-connect",
        f"127.0.0.1:{gateway.ports.tls}",
        "-tls1_2",
        "-servername",
        "localhost",
        "-CAfile",
        str(lab.path("ca.pem")),
    ]
    result = subprocess.run(command, input="R\n", capture_output=True, text=True, timeout=10 * PATIENCE)
    assert "RENEGOTIATING" in result.stdout + result.stderr
    assert "no renegotiation" in (result.stdout + result.stderr).lower() or result.returncode != 0


def test_compression_is_off(gateway, lab):
    with gateway.connect(context=versions(lab, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2, options=0)) as wire:
        assert wire.socket.compression() is None


def test_early_data_is_not_offered(gateway, lab):
    """RFC 8446 8: what it carries can be replayed. The first ticket says how much of it may be sent."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.ports.tls}", "-tls1_3", "-servername", "localhost"]
    result = subprocess.run(
        [*command, "-CAfile", str(lab.path("ca.pem")), "-ign_eof"],  # else it may leave before a ticket is there
        input=request("GET", "/healthz", "Connection: close"),
        capture_output=True,
        timeout=20 * PATIENCE,
    )
    assert b"HTTP/1.1 200" in result.stdout
    said = [line.strip() for line in result.stdout.decode().splitlines() if "Max Early Data" in line]
    assert said and set(said) == {"Max Early Data: 0"}, result.stdout


# Client certificates


def mutual(start, mode):
    return start(
        certificates=f"certificate LAB/localhost.pem file:LAB/localhost.key; client_ca LAB/clients.pem {mode};", routes=ROUTE
    )


def with_certificate(lab, name):
    context = lab.client_context()
    context.load_cert_chain(lab.path(f"{name}.pem"), lab.path(f"{name}.key"))
    return context


def served(gateway, context):
    """Whether a request passes; in TLS 1.3 a client learns only then that its certificate was refused."""
    try:
        with gateway.connect(context=context) as wire:
            return wire.send(request("GET", "/widget/")).answer().status == 200
    except (OSError, AssertionError):
        return False


def test_client_ca_required(start, upstream, lab):
    gateway = mutual(start, "required")
    assert served(gateway, with_certificate(lab, "client"))
    assert not served(gateway, lab.client_context())
    assert not served(gateway, with_certificate(lab, "other"))
    assert gateway.ask("/widget/").status == 200, "the plain listener has no TLS to ask in"


def test_a_client_without_a_certificate_is_told_why(start, upstream, lab):
    """The alert comes, though the first request is here unread when the connection ends (RFC 8446 §6.2)."""
    gateway = mutual(start, "required")
    for _ in range(20):
        with pytest.raises(ssl.SSLError, match="(?i)alert"):
            with gateway.connect(context=lab.client_context()) as wire:
                wire.send(request("GET", "/widget/")).answer()


def test_client_ca_optional(start, upstream, lab):
    gateway = mutual(start, "optional")
    assert served(gateway, with_certificate(lab, "client"))
    assert served(gateway, lab.client_context())
    assert not served(gateway, with_certificate(lab, "other")), "a certificate that is shown has to be good"


def test_client_certificates_and_resumption(start, upstream, lab):
    gateway = mutual(start, "required")
    context = with_certificate(lab, "client")
    session, _ = resumed(gateway, context)
    _, was = resumed(gateway, context, session)
    assert was


def test_handshakes_are_counted(gateway, lab):
    before = gateway.metric("gatehouse_tls_handshakes_total")
    gateway.ask("/healthz", listener="tls")
    eventually(lambda: gateway.metric("gatehouse_tls_handshakes_total") > before)
