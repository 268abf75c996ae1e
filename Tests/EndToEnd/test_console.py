"""The keys page in Chromium: an agent's owner logs in, makes, rotates and revokes keys (contract.md; gateway-conf.md, `console`)."""

import time

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from support.browser import Browser
from support.gateway import refusal
from support.identity import PASSWORD, Door, identity_configuration

EXPIRED = 3  # seconds that an access token lives here


@pytest.fixture(scope="module", params=["off", "on"], ids=["tokens", "cookies"])
def door(request, start):
    settings = f"access_ttl {EXPIRED}s; cookies {request.param};"
    door = Door(start(identity_configuration(settings, top="console /console/;")), "tls")
    door.ann = door.add("ann@example.com")
    door.cookies = request.param == "on"
    return door


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.quit()


@pytest.fixture
def page(browser, door, upstream):
    browser.driver.delete_all_cookies()
    browser.open(f"https://localhost:{door.gateway.ports.tls}/console/")
    yield browser
    assert browser.complaints() == [], "no script or policy may complain"


def log_in(page, password=PASSWORD):
    page.shown("#email").send_keys("ann@example.com")
    page.find("#password").send_keys(password, Keys.ENTER)


def choose_agent(page, agent):
    field = page.shown("#agent-id")
    field.clear()
    field.send_keys(agent, Keys.ENTER)
    page.says("#keys-title", agent)


def rows(page):
    return [[cell.text for cell in row.find_elements("css selector", "td")] for row in page.all("#key-table tbody tr")]


def shown_key(page):
    page.shown("#shown-key")
    return page.find("#key-value").get_attribute("value")


def generate(page, name):
    page.shown("#generate").click()
    page.shown("#key-name").send_keys(name, Keys.ENTER)
    return shown_key(page)


def test_a_key_from_login_to_its_end(page, door):
    log_in(page)
    page.says("#who-name", "Ann Lee")
    choose_agent(page, "bot-1")
    assert page.find("#no-keys").is_displayed() or rows(page)
    key = generate(page, "web shop")
    assert key.startswith("rk_") and len(key) == 46
    assert "only this once" in page.find("#shown-key").text
    page.find("#copy").click()
    page.until(lambda: page.find("#copied").text)
    assert door.open(key, "/api/agents/bot-1/").status == 200
    page.find("#done").click()
    # A dialog tells of its end a little later.
    page.until(lambda: page.find("#key-value").get_attribute("value") == "")
    assert key not in page.driver.page_source
    page.until(lambda: rows(page) and rows(page)[0][0] == "web shop" and rows(page)[0][5] == "active")
    assert rows(page)[0][1] == key[:8] + "…"

    page.all("#key-table tbody tr:first-child button")[0].click()
    page.shown("#rotate-key")
    Select(page.find("#grace")).select_by_value("0")
    page.find("#rotate-form button[type=submit]").click()
    second = shown_key(page)
    assert second != key and door.open(second, "/api/agents/bot-1/").status == 200
    refusal(door.open(key, "/api/agents/bot-1/"), 401, "api_key_revoked")
    page.find("#done").click()

    page.until(lambda: rows(page)[1][5] == "revoked")
    page.all("#key-table tbody tr:first-child button")[1].click()
    page.shown("#revoke-key")
    assert second[:8] in page.find("#revoke-key").text
    page.find("#revoke-form button[type=submit]").click()
    page.says("#status", "was revoked")
    refusal(door.open(second, "/api/agents/bot-1/"), 401, "api_key_revoked")
    assert all(row[5] == "revoked" for row in rows(page)[:2])

    page.find("#log-out").click()
    page.shown("#login")
    assert not page.find("#keys").is_displayed()
    if door.cookies:
        assert not [name for name in page.cookies() if name.startswith("__")]


def test_by_keyboard_alone(page):
    """Every step by Tab, Enter and Escape; the focus is always somewhere useful."""
    page.until(lambda: page.focused.get_attribute("id") == "email")
    page.press("ann@example.com", Keys.TAB)
    assert page.focused.get_attribute("id") == "password"
    page.press(PASSWORD, Keys.TAB)
    assert page.focused.text == "Log in"
    page.press(Keys.ENTER)
    page.until(lambda: page.focused.get_attribute("id") == "agent-id")
    page.press("bot-2", Keys.ENTER)
    page.until(lambda: page.focused.get_attribute("id") == "keys-title")
    page.press(Keys.TAB)
    assert page.focused.text == "Generate New Key"
    page.press(Keys.ENTER)
    page.until(lambda: page.focused.get_attribute("id") == "key-name")
    page.press(Keys.ESCAPE)
    page.until(lambda: page.focused.text == "Generate New Key")
    page.press(Keys.ENTER)
    page.until(lambda: page.focused.get_attribute("id") == "key-name")
    page.press("by keyboard", Keys.ENTER)
    page.until(lambda: page.focused.get_attribute("id") == "copy")
    assert page.find("#key-value").get_attribute("value").startswith("rk_")
    page.press(Keys.TAB)
    assert page.focused.get_attribute("id") == "done"
    page.press(Keys.ENTER)
    page.until(lambda: page.focused.text == "Generate New Key")
    page.press(Keys.TAB)
    assert page.focused.text == "Rotate" and "by keyboard" in page.focused.get_attribute("aria-label")
    page.press(Keys.TAB)
    assert page.focused.text == "Revoke"
    page.press(Keys.ENTER)
    page.until(lambda: page.find("#revoke-key").is_displayed())
    page.press(Keys.ESCAPE)
    page.until(lambda: not page.find("#revoke-key").is_displayed())
    assert page.focused.text == "Revoke"


def test_who_is_done_before_the_list_is_there_keeps_his_place(page, door):
    """The button that the focus goes back to is busy until then, and a disabled one cannot have it."""
    log_in(page)
    choose_agent(page, "bot-5")
    page.run(
        """
        const real = window.fetch;
        window.fetch = async (...all) => {
            if ((all[1]?.method ?? "GET") === "GET") await new Promise((done) => setTimeout(done, 1000));
            return real(...all);
        };
        """
    )
    generate(page, "slow")
    assert not page.find("#generate").is_enabled()
    page.press(Keys.TAB, Keys.ENTER)
    page.until(lambda: page.find("#key-value").get_attribute("value") == "")
    page.until(lambda: page.focused.text == "Generate New Key")


def test_it_goes_on_when_the_access_token_has_expired(page, door):
    log_in(page)
    choose_agent(page, "bot-3")
    time.sleep(EXPIRED + 0.5)
    key = generate(page, "after an hour")
    assert door.open(key, "/api/agents/bot-3/").status == 200
    page.find("#done").click()
    time.sleep(EXPIRED + 0.5)
    choose_agent(page, "bot-4")


def test_tokens_are_nowhere_a_script_of_another_page_finds_them(page, door):
    log_in(page)
    page.shown("#agent-id")
    assert page.run("return localStorage.length + sessionStorage.length") == 0
    readable = page.run("return document.cookie")
    assert "__Host-access" not in readable and "refresh" not in readable


@pytest.mark.parametrize(
    "status, text", [(404, "to own the agent"), (500, "cannot be reached")], ids=["another's agent", "backend down"]
)
def test_what_goes_wrong_is_said(page, upstream, status, text):
    log_in(page)
    upstream.script = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status
    page.shown("#agent-id").send_keys("somebodys", Keys.ENTER)
    page.says("#problem", text)
    assert "request " in page.find("#problem").text


def test_a_wrong_password_and_a_bad_name(page):
    log_in(page, "wrong")
    page.says("#problem", "E-mail or password is wrong")
    assert page.find("#login").is_displayed()
    page.find("#password").clear()
    page.find("#password").send_keys(PASSWORD, Keys.ENTER)
    choose_agent(page, "bot-5")
    assert not page.find("#problem").is_displayed()
    page.find("#generate").click()
    page.shown("#key-name").send_keys(Keys.ENTER)
    page.says("#problem", "name is empty")


def test_a_logout_elsewhere_brings_the_login_back(page, door):
    log_in(page)
    choose_agent(page, "bot-6")
    door.gateway.run("users", "set-password", "ann@example.com", input=PASSWORD + "\n")
    time.sleep(1.2)
    page.find("#agent-form button").click()
    page.shown("#login")
    page.says("#problem", "revoked")


def test_markup_in_names_stays_text(page, door):
    log_in(page)
    choose_agent(page, "bot-7")
    generate(page, "<img src=x onerror=alert(1)>")
    page.find("#done").click()
    page.until(lambda: rows(page)[0][0] == "<img src=x onerror=alert(1)>")


def test_the_policy_lets_nothing_in(page, door):
    answer = door.send("GET", "/console/")
    policy = answer.header("Content-Security-Policy")
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert answer.header("X-Content-Type-Options") == "nosniff" and b"<script>" not in answer.body
    page.run("const s = document.createElement('script'); s.textContent = 'window.hacked = 1'; document.body.append(s)")
    assert page.run("return window.hacked") is None
    assert any("Content Security Policy" in line for line in page.complaints())


def test_it_fits_a_telephone(page, door):
    page.driver.set_window_size(500, 800)
    page.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        log_in(page)
        choose_agent(page, "bot-1")
        assert page.run("return document.documentElement.scrollWidth") <= 360
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("path", ["/console", "/console/"])
def test_its_files(door, path):
    answer = door.send("GET", path)
    assert answer.status == 200 and answer.header("Content-Type") == "text/html; charset=utf-8"
    assert door.ann["id"].encode() not in answer.body and b"{{" not in answer.body
    for name, kind in (("console.js", "text/javascript"), ("console.css", "text/css")):
        assert f'"/console/{name}"'.encode() in answer.body, "found from either spelling"
        asset = door.send("GET", f"/console/{name}")
        assert asset.status == 200 and asset.header("Content-Type").startswith(kind)
    assert door.send("HEAD", path).header("Content-Length") == str(len(answer.body))
    refusal(door.post(path), 405, "method_not_allowed")


def test_a_key_with_limits_and_its_use(page, door):
    log_in(page)
    choose_agent(page, "bot-7")
    page.shown("#generate").click()
    page.shown("#key-name").send_keys("limited")
    page.find("#key-rate").send_keys("600")
    page.find("#key-quota").send_keys("1000")
    page.find("#key-quota").send_keys(Keys.ENTER)
    key = shown_key(page)
    for _ in range(3):
        assert door.gateway.ask("/api/agents/bot-7/", token=key).status == 200
    page.find("#done").click()
    choose_agent(page, "bot-7")
    page.until(lambda: page.focused.get_attribute("id") == "keys-title")
    row = rows(page)[0]
    assert row[0] == "limited" and row[6:8] == ["3 today, 3 this month", "600/m, 1000/d"]
