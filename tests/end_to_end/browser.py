"""A real Chromium on the console, for tests that look at what people see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.end_to_end.running import TOKEN

__all__ = ["Browser"]

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
_PATIENCE_S = 30.0
T = TypeVar("T")


class Browser:
    """One window of a browser with a profile of its own; waits for what is to be seen instead of sleeping.

    Parameters
    ----------
    url
        Base URL of the gateway.
    profile
        An empty folder.
    """

    def __init__(self, url: str, profile: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.url = url
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.resize(1280, 900)

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.driver.quit()

    def resize(self, width: int, height: int, *, is_dark: bool = False) -> None:
        """Make the window another screen."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        wishes = {"prefers-color-scheme": "dark" if is_dark else "light", "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wishes.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def open(self, place: str = "#/") -> None:
        """Load the page anew at a place of it."""
        self.driver.get("about:blank")
        self.driver.get(f"{self.url}/console{place}")
        self.wait(lambda: self.find("#main > *"), "the page")

    def sign_in(self, token: str = TOKEN) -> None:
        """Type the token and send it."""
        field = self.wait(lambda: self.find("#token"), "the sign-in")
        field.clear()
        field.send_keys(token, Keys.ENTER)

    def find(self, css: str) -> WebElement | None:
        """Return the first element that is shown."""
        return next((found for found in self.all(css) if found.is_displayed()), None)

    def all(self, css: str) -> list[WebElement]:
        """Return all elements."""
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def text(self, css: str = "body") -> str:
        """Return the text that is shown."""
        found = self.find(css)
        return found.text if found else ""

    def button(self, label: str, within: str = "") -> WebElement | None:
        """Return the button that is called so and can be pressed."""
        named = [each for each in self.all(f"{within} button") if each.text == label and each.is_enabled()]
        return named[0] if named else None

    def press(self, label: str, within: str = "") -> None:
        """Press a button as soon as it is there."""

        def is_pressed() -> bool:
            if found := self.button(label, within):
                found.click()  # raises, and is tried again, when the page has drawn another one meanwhile, or moved it
            return found is not None

        self.wait(is_pressed, f"the button {label}")

    def decide(self, verb: str, reason: str) -> None:
        """Give the reason that a dialog asks for, and go on."""
        self.wait(lambda: self.find("dialog input"), "the dialog").send_keys(reason)
        self.press(verb, "dialog")

    def wait(self, look: Callable[[], T | None], what: str) -> T:
        """Return what ``look`` finds, as soon as it finds something that is true."""
        moved = StaleElementReferenceException, ElementClickInterceptedException
        patient = WebDriverWait(self.driver, _PATIENCE_S, poll_frequency=0.1, ignored_exceptions=moved)
        try:
            found = patient.until(lambda _: look())
        except TimeoutException as error:
            raise AssertionError(f"{what} was not seen; the page says:\n{self.text()}") from error
        assert found is not None
        return found

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what a script of the test returns."""
        return self.driver.execute_script(script, *arguments)

    def complaints(self) -> list[str]:
        """Return what the browser has logged since one last asked, but for answers of 400 and above."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]  # selenium leaves it untyped
        return [each["message"] for each in entries if "status of 4" not in each["message"]]
