"""A headless Chromium (Debian's chromium and chromium-driver) with a profile of its own."""

import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from . import PATIENCE

WITHIN = 10 * PATIENCE


class Browser:
    """A page in Chromium: what it shows, and what it complains about."""

    def __init__(self, folder, width=1100, height=900):
        if not shutil.which("chromedriver"):
            pytest.fail("chromedriver is not there: deploy/test installs chromium and chromium-driver")
        options = Options()
        options.binary_location = shutil.which("chromium")
        options.accept_insecure_certs = True  # the test run's own authority
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        for argument in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
            f"--user-data-dir={folder}/profile",
            f"--window-size={width},{height}",
        ):
            options.add_argument(argument)
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.driver.set_page_load_timeout(WITHIN)

    def quit(self):
        self.driver.quit()

    def open(self, url):
        self.driver.get(url)

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def until(self, check):
        """The first true value of `check`."""
        return WebDriverWait(self.driver, WITHIN, 0.05).until(lambda _: check())

    def shown(self, selector):
        """The element, once it is visible."""
        return self.until(lambda: (found := self.all(selector)) and found[0].is_displayed() and found[0])

    def says(self, selector, text):
        """Waits until the element's text has this in it."""
        self.until(lambda: text in self.find(selector).text)

    def press(self, *keys):
        """Keys to whatever has the focus."""
        self.driver.switch_to.active_element.send_keys(*keys)

    @property
    def focused(self):
        return self.driver.switch_to.active_element

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def cookies(self):
        return {cookie["name"]: cookie for cookie in self.driver.get_cookies()}

    def complaints(self):
        """What the console holds since the last look, but for answers with an error status, which pages ask for."""
        return [line["message"] for line in self.driver.get_log("browser") if "Failed to load resource" not in line["message"]]
