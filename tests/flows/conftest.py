"""One running site and one browser for all flows of a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browsers import Chromium, chromium
from tests.site import Site, running_site

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Page


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.flow)


@pytest.fixture(scope="package")
def site(open_directory: Callable[[], Path]) -> Iterator[Site]:
    """A site with a small demo community."""
    demo = ("--users", "120", "--items", "200", "--interactions", "6000")
    with running_site(open_directory() / "data", *demo) as running:
        yield running


@pytest.fixture(scope="package")
def ask(site: Site) -> Iterator[Callable[..., Any]]:
    """Calls functions of `probe.py`."""
    with site.asking(Path(__file__).parent / "probe.py") as ask:
        yield ask


@pytest.fixture(scope="package")
def browser() -> Iterator[Chromium]:
    with chromium() as browser:
        yield browser


class Visitor:
    """A person at a browser of their own. What the page's console complains about is an error at the end."""

    def __init__(self, context: BrowserContext, site: Site, kept: dict[str, Any]) -> None:
        self.site = site
        self._kept = kept
        self._logged_in = ""
        self.context = context
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url')})")

    def open(self, path: str) -> Page:
        self.page.goto(self.site.url + path)
        return self.page

    def log_in(self, username: str, password: str) -> Page:
        """Be on the home page as this user: with a log-in of an earlier test where it holds, else by the form."""
        if cookies := self._kept.pop(username, None):  # taken away: two visitors of a test have log-ins of their own
            self.context.add_cookies(cookies)
            if self.open("/").locator("body[data-user]").count():
                self._logged_in = username
                return self.page
            self.context.clear_cookies()
        self.open("/accounts/login/")
        self.page.fill("input[name=login]", username)
        self.page.fill("input[name=password]", password)
        self.page.press("input[name=password]", "Enter")
        self.page.wait_for_url(self.site.url + "/")
        self._logged_in = username
        return self.page

    def leave(self) -> None:
        """Keep the log-in for the visitors of tests to come."""
        if self._logged_in:
            self._kept[self._logged_in] = self.context.cookies()


@pytest.fixture(scope="package")
def kept_log_ins() -> dict[str, Any]:
    """The cookies of those who logged in last, by username."""
    return {}


@pytest.fixture
def visit(browser: Chromium, site: Site, kept_log_ins: dict[str, Any]) -> Iterator[type[Visitor]]:
    """Open a browser for one more person: `ana = visit(); ana.log_in("ana", …)`."""
    visitors: list[Visitor] = []

    def arrive(**options: object) -> Visitor:
        visitors.append(Visitor(browser.new_context(**options), site, kept_log_ins))
        return visitors[-1]

    yield arrive  # type: ignore[misc]
    complaints = [complaint for visitor in visitors for complaint in visitor.complaints]
    for visitor in visitors:
        visitor.leave()
        browser.close(visitor.context)
    assert not complaints, complaints
