"""A page of another origin in Chromium: what it may ask the gateway, what it sees of a refusal (contract.md, 'Browsers')."""

import functools
import http.server
import threading
import time

import pytest

from support.browser import Browser
from support.gateway import ROUTES
from support.upstream import answer

PAGES = """
route GET POST /pages/ { accept jwt; cors http://localhost:PAGE; upstream agents; }
route GET /pages/once/ { accept jwt; rate_limit 1/m burst=1 by=credential; cors http://localhost:PAGE; upstream agents; }
"""
FETCH = """
const [url, options, done] = arguments;
fetch(url, options).then(async (answer) => done({
    status: answer.status, type: answer.type, headers: Object.fromEntries(answer.headers), body: await answer.json()
})).catch((error) => done({status: error.name}));
"""


class Page(http.server.BaseHTTPRequestHandler):
    """An empty page, for every path."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>another origin</title>")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def pages():
    """The port of a server of pages, which is another origin under each of its two names."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def gateway(start, pages):
    return start(routes=ROUTES + PAGES.replace("PAGE", str(pages)))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.quit()


def fetch(browser, gateway, path, token=None, **options):
    """What a page's fetch() gets: an answer, or the name of the error with which it rejects as the status."""
    headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **options.pop("headers", {})}
    return browser.driver.execute_async_script(
        FETCH, f"https://localhost:{gateway.ports.tls}{path}", {"headers": headers, **options}
    )


@pytest.fixture
def home(browser, gateway, pages, upstream):
    """`fetch` from a page of the origin that the routes name."""
    browser.open(f"http://localhost:{pages}/")
    return functools.partial(fetch, browser, gateway)


@pytest.fixture
def abroad(browser, gateway, pages, upstream):
    """`fetch` from a page of another."""
    browser.open(f"http://127.0.0.1:{pages}/")
    return functools.partial(fetch, browser, gateway)


def test_a_page_works_with_a_token(home, upstream, good):
    got = home("/pages/x", good)
    assert got["status"] == 200 and got["type"] == "cors" and got["body"] == {"ok": True}
    assert got["headers"]["x-request-id"]
    got = home("/pages/x", good, method="POST", body='{"a":1}', headers={"Content-Type": "application/json"})
    assert got["status"] == 200 and got["body"] == {"ok": True}
    assert [seen.method for seen in upstream.requests] == ["GET", "POST"], "preflights stay here"
    assert upstream.requests[1].body == b'{"a":1}' and upstream.requests[1].header("Authorization") == f"Bearer {good}"


@pytest.mark.parametrize(
    "make, error",
    [
        (lambda jwt: None, "credentials_missing"),
        (lambda jwt: "x.y.z", "token_invalid"),
        (lambda jwt: jwt(exp=int(time.time()) - 60), "token_expired"),
    ],
)
def test_a_page_sees_why_it_is_refused(home, upstream, jwt, make, error):
    """reports.md 1: so that it can refresh its token, and tell that from a network that is down."""
    got = home("/pages/x", make(jwt))
    assert got["status"] == 401 and got["body"]["error"] == error
    assert got["headers"]["www-authenticate"].startswith("Bearer realm=")
    assert got["headers"]["x-request-id"] == got["body"]["details"]["request_id"]
    assert upstream.requests == []


def test_a_page_sees_how_long_to_wait(home, upstream, jwt):
    token = jwt(user_id="page", jti="page")
    assert home("/pages/once/", token)["status"] == 200
    got = home("/pages/once/", token)
    assert got["status"] == 429 and got["body"]["error"] == "rate_limited"
    assert got["headers"]["retry-after"] == str(got["body"]["details"]["retry_after"])


def test_a_page_sees_that_the_upstream_is_broken(home, upstream, good):
    upstream.script = b"nonsense"
    got = home("/pages/x", good)
    assert got["status"] == 502 and got["body"]["error"] == "upstream_error"


def test_the_upstreams_own_fields_do_not_get_in_the_way(home, upstream, good):
    upstream.script = answer(b'{"ok":true}', "200 OK", "Access-Control-Allow-Origin: *", "Access-Control-Allow-Origin: null")
    assert home("/pages/x", good)["body"] == {"ok": True}


def test_a_method_that_the_route_does_not_have(home, upstream, good):
    assert home("/pages/x", good, method="DELETE")["status"] == "TypeError"
    assert upstream.requests == []


def test_another_origin_gets_nothing(abroad, upstream, good):
    assert abroad("/pages/x", good)["status"] == "TypeError"
    assert (
        abroad("/pages/x", good, method="POST", body="{}", headers={"Content-Type": "application/json"})["status"] == "TypeError"
    )
    assert upstream.requests == [], "its preflight is refused, and nothing follows"
    assert abroad("/pages/x")["status"] == "TypeError", "a refusal is not for it either"


def test_a_route_without_cors_is_not_for_pages_elsewhere(home, upstream, good):
    assert home("/api/x", good)["status"] == "TypeError"
    assert home("/public/")["status"] == "TypeError", "an answer that it may cause, and not read"
