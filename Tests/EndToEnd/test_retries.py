"""What is sent again, and what never is."""

import threading

import pytest

from support import PATIENCE
from support.gateway import configuration, refusal
from support.upstream import answer
from support.wire import Truncated, request

ROUTE = "route /api/ { accept jwt; upstream agents; }"


def ending(data, how="close"):
    """A script that sends `data` and ends the connection."""

    def script(connection, _):
        if data:
            connection.send(data)
        getattr(connection, how)()
        return False

    return script


def warm(gateway, upstream, good):
    """An upstream connection in the pool, and what the upstream does with the next request on it."""
    upstream.reset_script()
    assert gateway.ask("/api/warm", token=good).status == 200
    return upstream.last().connection


@pytest.fixture(scope="module")
def single(start):
    """One worker, so that a kept upstream connection is there for the next request whoever sends it."""
    text = configuration(directives="response_timeout 2s; fail_limit 1000;", routes=ROUTE).replace("workers 2;", "workers 1;")
    return start(text)


def closing_once(first):
    """Closes connection `first` when a request comes on it, without a word; answers on others."""

    def script(connection, _):
        if connection.number == first:
            connection.close()
            return False
        connection.send(answer(b"second try"))

    return script


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_an_idempotent_request_is_retried_once_on_a_new_connection(single, upstream, good, method):
    kept = warm(single, upstream, good)
    upstream.reset_script()
    upstream.script = closing_once(kept)
    assert single.ask("/api/x", method=method, token=good).status == 200
    assert [seen.target for seen in upstream.requests] == ["/api/x"] * len(upstream.requests)
    assert 1 <= len(upstream.requests) <= 2


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_request_that_may_have_been_carried_out_is_sent_once(single, upstream, good, method):
    kept = warm(single, upstream, good)
    upstream.reset_script()
    upstream.script = closing_once(kept)
    reply = single.ask("/api/x", method=method, token=good, body=b"do it")
    if len(upstream.requests) == 1 and upstream.requests[0].connection == kept:
        refusal(reply, 502, "upstream_error")
    else:  # it went on a connection of its own, which is as good
        assert reply.status == 200 and len(upstream.requests) == 1


def test_no_answer_on_any_connection_is_502_after_one_retry_at_most(single, upstream, good):
    upstream.script = ending(b"")
    refusal(single.ask("/api/x", token=good), 502, "upstream_error")
    assert len(upstream.requests) <= 2
    upstream.reset_script()
    upstream.script = ending(b"")
    refusal(single.ask("/api/x", token=good, method="POST", body=b"x"), 502, "upstream_error")
    assert len(upstream.requests) == 1


def test_nothing_is_retried_once_an_answer_has_begun(single, upstream, good):
    upstream.script = ending(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    with single.connect("plain") as wire:
        wire.send(request("GET", "/api/x", token=good))
        with pytest.raises((Truncated, OSError)):
            wire.answer()
    assert len(upstream.requests) == 1


def test_a_kept_connection_that_the_upstream_closed_meanwhile_is_not_used(single, upstream, good):
    closed = threading.Event()

    def script(connection, _):
        connection.send(answer())
        connection.close()
        closed.set()
        return False

    for method in ("GET", "POST"):
        closed.clear()
        upstream.script = script
        assert single.ask("/api/x", token=good).status == 200
        assert closed.wait(5 * PATIENCE)
        assert single.ask("/healthz").status == 200  # the one worker has looked at its sockets since
        upstream.reset_script()
        assert single.ask("/api/y", method=method, token=good, body=b"x").status == 200
        assert len(upstream.requests) == 1
