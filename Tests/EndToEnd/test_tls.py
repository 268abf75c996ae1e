"""TLS as clients meet it: versions, certificates by name, resumption, client certificates, and connections that do nothing."""

import ssl
import subprocess
import time
import warnings

import pytest

from support import PATIENCE, eventually
from support.gateway import configuration, refusal
from support.wire import Wire, elapsed, request

CERTIFICATES = """
certificate LAB/localhost.pem file:LAB/localhost.key;
certificate LAB/other.pem file:LAB/other.key;
certificate LAB/wildcard.pem file:LAB/wildcard.key;
"""
ROUTE = "route /api/ { accept jwt; upstream agents; } route /widget/ { accept none; upstream agents; }"


@pytest.fixture(scope="module")
def gateway(start):
    return start(top="handshake_timeout 1s;", certificates=CERTIFICATES)


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


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_versions_are_refused(gateway, lab, version):
    context = versions(lab, version, version)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        gateway.connect(context=context)


@pytest.mark.parametrize("ciphers", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES128-SHA", "AES128-GCM-SHA256"])
def test_suites_without_aead_or_forward_secrecy_are_refused(gateway, lab, ciphers):
    context = versions(lab, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(ciphers + ":@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        gateway.connect(context=context)


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
    for offered, chosen in ((["http/1.1"], "http/1.1"), (["http/1.1", "h2"], "h2"), (["spdy/3", "http/1.1"], "http/1.1"), (None, None)):
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


@pytest.mark.parametrize(
    "data", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00"], ids=["nothing", "a byte", "a part of a ClientHello"]
)
def test_a_handshake_that_does_not_come_ends(gateway, data):
    with Wire(("127.0.0.1", gateway.ports.tls)) as wire:
        wire.send(data)
        seconds, ended = elapsed(lambda: wire.ended(within=5))
        assert ended and 0.5 < seconds < 4 * PATIENCE


def test_a_handshake_that_drips_ends_too(gateway):
    with Wire(("127.0.0.1", gateway.ports.tls)) as wire:
        start = time.monotonic()
        with pytest.raises(OSError):
            for _ in range(100):
                wire.send(b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03"[:1] if _ == 0 else b"\x03")
                time.sleep(0.1)
        assert time.monotonic() - start < 6 * PATIENCE


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


def test_many_unfinished_handshakes_disturb_nobody(gateway):
    stalled = [Wire(("127.0.0.1", gateway.ports.tls)) for _ in range(300)]
    try:
        for wire in stalled:
            wire.send(b"\x16\x03\x01")
        seconds, answer = elapsed(lambda: gateway.ask("/healthz", listener="tls"))
        assert answer.status == 200 and seconds < 1 * PATIENCE
    finally:
        for wire in stalled:
            wire.close()


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
    command = [
        "openssl",
        "s_client",
        "-connect",
        f"127.0.0.1:{gateway.ports.tls}",
        "-tls1_3",
        "-servername",
        "localhost",
        "-CAfile",
        str(lab.path("ca.pem")),
    ]
    result = subprocess.run(
        command,
        input="GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        capture_output=True,
        text=True,
        timeout=10,
    )
    assert "Max Early Data: 0" in result.stdout or "Max Early Data" not in result.stdout


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
