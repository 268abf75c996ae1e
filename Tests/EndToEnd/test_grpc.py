"""gRPC through the gateway: real clients and servers of grpcio, HTTP/2 on both sides."""

import concurrent.futures
import threading
import time

import grpc
import pytest

from support import PATIENCE, eventually
from support.gateway import ROUTES, configuration
from support.tokens import soon

SERVICE = "/chat.Agent/"
GRPC_ROUTES = """
route POST /chat.Agent/ { accept jwt; upstream agents; }
route POST /chat.Agent/Small { accept jwt; max_body 1k; upstream agents; }
route POST /chat.Agent/Keys { accept api_key; upstream agents; }
route POST /chat.Agent/Scoped { accept jwt; require scope admin; upstream agents; }
"""


class Agent:
    """A server with one method of each kind; it remembers how calls ended."""

    def __init__(self):
        self.ends, self.metadata, self.go = [], [], threading.Event()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(32))
        kinds = {
            "Echo": grpc.unary_unary_rpc_method_handler(self.echo),
            "Small": grpc.stream_unary_rpc_method_handler(self.count),
            "Scoped": grpc.unary_unary_rpc_method_handler(self.echo),
            "Keys": grpc.unary_unary_rpc_method_handler(self.echo),
            "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "Count": grpc.stream_unary_rpc_method_handler(self.count),
            "List": grpc.unary_stream_rpc_method_handler(self.list),
            "Endless": grpc.unary_stream_rpc_method_handler(self.endless),
            "Talk": grpc.stream_stream_rpc_method_handler(self.talk),
        }
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("chat.Agent", kinds)])
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def echo(self, message, context):
        self.metadata = dict(context.invocation_metadata())
        context.send_initial_metadata([("x-first", "1")])
        context.set_trailing_metadata([("x-last", "2"), ("data-bin", b"\0\1\xff")])
        return message

    def fail(self, message, context):
        context.set_trailing_metadata([("x-last", "2")])
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now: 100%")

    def count(self, messages, context):
        return str(sum(len(message) for message in messages)).encode()

    def list(self, message, context):
        for index in range(int(message)):
            yield b"%d" % index

    def endless(self, message, context):
        context.add_callback(lambda: self.ends.append("endless"))
        while context.is_active():
            yield b"tick"
            time.sleep(0.05)

    def talk(self, messages, context):
        for message in messages:
            yield b"<" + message + b">"

    def close(self):
        self.server.stop(0)


@pytest.fixture(scope="module")
def agent():
    agent = Agent()
    yield agent
    agent.close()


def channel_to(gateway, lab):
    credentials = grpc.ssl_channel_credentials(lab.path("ca.pem").read_bytes())
    return grpc.secure_channel(f"localhost:{gateway.ports.tls}", credentials)


@pytest.fixture(scope="module")
def gateway(start, agent):
    return start(configuration(routes=ROUTES + GRPC_ROUTES, server="server 127.0.0.1:UPSTREAM h2c;"), upstream=agent.port)


@pytest.fixture(scope="module")
def channel(gateway, lab):
    with channel_to(gateway, lab) as channel:
        yield channel


def bearer(token):
    return [("authorization", f"Bearer {token}")]


LIMIT = 10 * PATIENCE


def test_unary_with_metadata_and_trailers(channel, agent, good):
    call = channel.unary_unary(SERVICE + "Echo")
    metadata = bearer(good) + [("x-mine", "3"), ("x-user-id", "evil")]
    for size in (0, 1, 70_000, 3_000_000):
        answer, details = call.with_call(b"x" * size, metadata=metadata, timeout=LIMIT)
        assert answer == b"x" * size
        assert details.code() == grpc.StatusCode.OK
        assert ("x-first", "1") in [tuple(pair) for pair in details.initial_metadata()]
        assert {tuple(pair) for pair in details.trailing_metadata()} >= {("x-last", "2"), ("data-bin", b"\0\1\xff")}
    assert agent.metadata["x-mine"] == "3"
    assert agent.metadata["x-user-id"] == "123e4567-e89b-12d3-a456-426614174000"


def test_an_error_of_the_server_arrives_as_it_is(channel, good):
    with pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(SERVICE + "Fail")(b"x", metadata=bearer(good), timeout=LIMIT)
    assert error.value.code() == grpc.StatusCode.FAILED_PRECONDITION and error.value.details() == "not now: 100%"
    assert ("x-last", "2") in [tuple(pair) for pair in error.value.trailing_metadata()]


def test_streams_of_every_kind(channel, good):
    settings = {"metadata": bearer(good), "timeout": LIMIT}
    assert list(channel.unary_stream(SERVICE + "List")(b"500", **settings)) == [b"%d" % n for n in range(500)]
    count = channel.stream_unary(SERVICE + "Count")
    assert count(iter([b"x" * 100_000] * 20), **settings) == b"2000000"
    assert count(iter([]), **settings) == b"0"
    talk = channel.stream_stream(SERVICE + "Talk")
    assert list(talk(iter([b"a", b"b", b"c"]), **settings)) == [b"<a>", b"<b>", b"<c>"]


def test_a_conversation_goes_to_and_fro(channel, good):
    heard = threading.Semaphore(1)

    def messages():
        for index in range(20):
            assert heard.acquire(timeout=LIMIT)
            yield b"%d" % index

    for index, answer in enumerate(channel.stream_stream(SERVICE + "Talk")(messages(), metadata=bearer(good), timeout=LIMIT)):
        assert answer == b"<%d>" % index
        heard.release()
    assert index == 19


def test_many_calls_at_once_on_one_connection(channel, good):
    call = channel.unary_unary(SERVICE + "Echo")
    futures = [call.future(b"%d" % n, metadata=bearer(good), timeout=LIMIT) for n in range(300)]
    assert [future.result() for future in futures] == [b"%d" % n for n in range(300)]


def test_deadlines_and_cancellation_reach_the_server(channel, agent, good):
    known = len(agent.ends)
    call = channel.unary_stream(SERVICE + "Endless")(b"", metadata=bearer(good), timeout=1.5 * PATIENCE)
    assert next(call) == b"tick"
    with pytest.raises(grpc.RpcError) as error:
        list(call)
    assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    eventually(lambda: len(agent.ends) == known + 1)
    call = channel.unary_stream(SERVICE + "Endless")(b"", metadata=bearer(good))
    next(call)
    call.cancel()
    eventually(lambda: len(agent.ends) == known + 2)


def refused(channel, method, token=None, messages=None):
    metadata = bearer(token) if token else []
    with pytest.raises(grpc.RpcError) as error:
        if messages is None:
            channel.unary_unary(method)(b"x", metadata=metadata, timeout=LIMIT)
        else:
            channel.stream_unary(method)(iter(messages), metadata=metadata, timeout=LIMIT)
    return error.value.code(), error.value.details().partition(":")[0]


def test_refusals_are_grpc_statuses(channel, gateway, good, jwt):
    """reports.md 31."""
    code = grpc.StatusCode
    assert refused(channel, SERVICE + "Echo") == (code.UNAUTHENTICATED, "credentials_missing")
    old = jwt(exp=int(time.time()) - 9)
    assert refused(channel, SERVICE + "Echo", old) == (code.UNAUTHENTICATED, "token_expired")
    assert refused(channel, SERVICE + "Scoped", good) == (code.PERMISSION_DENIED, "permission_denied")
    assert refused(channel, SERVICE + "Keys", good) == (code.PERMISSION_DENIED, "credential_not_accepted")
    assert refused(channel, "/other.Service/Echo", good) == (code.UNIMPLEMENTED, "not_found")


def test_max_body_counts_each_message(channel, good):
    settings = {"metadata": bearer(good), "timeout": LIMIT}
    count = channel.stream_unary(SERVICE + "Small")
    assert count(iter([b"x" * 1000] * 50), **settings) == b"50000"
    assert refused(channel, SERVICE + "Small", good, [b"x" * 100, b"x" * 2000]) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "body_too_large",
    )


def test_the_tokens_end_is_unauthenticated(channel, agent, jwt):
    known = len(agent.ends)
    call = channel.unary_stream(SERVICE + "Endless")(b"", metadata=bearer(jwt(exp=soon())))
    with pytest.raises(grpc.RpcError) as error:
        for _ in range(200):
            next(call)
    assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert error.value.details().startswith("token_expired")
    eventually(lambda: len(agent.ends) == known + 1)


def test_a_server_that_is_gone_is_unavailable(start, lab, good):
    agent = Agent()
    gateway = start(configuration(routes=ROUTES + GRPC_ROUTES, server="server 127.0.0.1:UPSTREAM h2c;"), upstream=agent.port)
    with channel_to(gateway, lab) as channel:
        assert channel.unary_unary(SERVICE + "Echo")(b"x", metadata=bearer(good), timeout=LIMIT) == b"x"
        agent.close()
        assert refused(channel, SERVICE + "Echo", good)[0] == grpc.StatusCode.UNAVAILABLE


def test_a_drain_is_unavailable(start, lab, agent, good):
    text = configuration(routes=ROUTES + GRPC_ROUTES, server="server 127.0.0.1:UPSTREAM h2c;")
    gateway = start(text.replace("drain_timeout 5s;", "drain_timeout 1s;"), upstream=agent.port)
    with channel_to(gateway, lab) as channel:
        call = channel.unary_stream(SERVICE + "Endless")(b"", metadata=bearer(good))
        next(call)
        gateway.signal(15)
        with pytest.raises(grpc.RpcError) as error:
            list(call)
    assert error.value.code() == grpc.StatusCode.UNAVAILABLE and error.value.details().startswith("draining")
    assert gateway.wait(4) == 0
