"""A real browser in front of the ``gateway`` of the file that asks for it."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.browser import Browser
from tests.end_to_end.running import RunningGateway


@pytest.fixture(scope="module")
def browser(gateway: RunningGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(gateway.url, tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def console(browser: Browser) -> Iterator[Browser]:
    """Give a browser that is signed in; see afterwards that nothing was refused by the page's own policy."""
    browser.resize(1280, 900)
    browser.open()
    if browser.find("#token"):
        browser.sign_in()
    browser.wait(lambda: browser.find("#live"), "signed in")
    yield browser
    assert browser.complaints() == []
