"""The demo page of cookie mode in Chromium: log in, call an API, be refreshed silently, log out (contract.md, 'Cookie mode')."""

import http.server
import subprocess
import sys
import threading
import time

import pytest

from support import eventually, free_port
from support.browser import Browser
from support.gateway import REPOSITORY
from support.identity import PASSWORD, Door, identity_configuration

LIFE = 3  # seconds that an access token lives here


@pytest.fixture(scope="module")
def door(start):
    port = free_port()
    agent = subprocess.Popen([sys.executable, REPOSITORY / "deploy/dev/agent", "--port", str(port)])
    door = Door(start(identity_configuration(f"cookies on; access_ttl {LIFE}s; refresh_overlap 1s;"), upstream=port), "tls")
    door.ann = door.add("ann@example.com")
    eventually(lambda: door.send("GET", "/widget/demo/").status == 200)
    yield door
    agent.kill()
    agent.wait()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.quit()


@pytest.fixture
def page(browser, door):
    browser.driver.delete_all_cookies()
    browser.open(f"https://localhost:{door.gateway.ports.tls}/widget/demo/")
    browser.shown("#email").send_keys("ann@example.com")
    browser.find("#password").send_keys(PASSWORD)
    browser.find("#login button").click()
    happened(browser, "login: 200")
    yield browser
    assert browser.complaints() == []


def happened(page, text):
    """Waits for the newest event, and checks what it says."""
    page.until(lambda: (events := page.all("#events li")) and events[0].text.startswith(text.split(":")[0] + ":"))
    newest = page.all("#events li")[0].text
    assert newest.startswith(text), newest


def call(page, text):
    number = page.run("return calls + 1")
    page.find("#call").click()
    happened(page, f"call {number}: {text}")


def test_the_whole_way(page, door):
    call(page, f"200, user {door.ann['id']}")
    before = page.cookies()["__Host-access"]["value"]
    time.sleep(LIFE + 0.3)
    call(page, f"200, user {door.ann['id']}")
    after = page.cookies()
    assert after["__Host-access"]["value"] != before, "renewed on the way"
    page.find("#refresh").click()
    happened(page, "refresh: 200")
    call(page, "200")
    page.find("#logout").click()
    happened(page, "logout: 204")
    assert not [name for name in page.cookies() if name.startswith("__")]
    call(page, "401 credentials_missing")


def test_the_page_never_sees_a_token(page):
    cookies = page.cookies()
    assert cookies["__Host-access"]["httpOnly"] and cookies["__Host-access"]["secure"]
    assert cookies["__Host-access"]["sameSite"] == "Strict"
    readable = page.run("return document.cookie")
    assert "__Host-csrf" in readable and "__Host-access" not in readable and "refresh" not in readable


def test_after_a_long_pause_only_the_refresh_cookie_helps(page):
    page.driver.delete_cookie("__Host-access")
    call(page, "401 credentials_missing")
    page.find("#refresh").click()
    happened(page, "refresh: 200")
    call(page, "200")


def test_another_origin_gets_nowhere(page, door):
    """A page of another origin sends a request that would change something; the browser adds what gives it away."""
    target = f"https://localhost:{door.gateway.ports.tls}/api/elsewhere/"
    html = f"""<!doctype html><form method=post action="{target}"><input name=a value=b></form>
        <script>document.forms[0].submit()</script>""".encode()

    class Evil(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Evil)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    home = page.driver.current_url
    try:
        page.open(f"http://127.0.0.1:{server.server_port}/")
        page.until(lambda: page.driver.current_url == target)
        line = door.gateway.logged(path="/api/elsewhere/", method="POST")
        assert line["status"] in (401, 403) and line["error"] in ("credentials_missing", "csrf_failed")
    finally:
        server.shutdown()
        server.server_close()
        page.complaints()
        page.open(home)
