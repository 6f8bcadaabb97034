"""The API's page in a real browser: a policy that breaks it shows only there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser: {CHROMIUM} is not installed (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright keeps an event loop in this thread, which Django takes for asynchronous code.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


def test_the_page_lists_the_calls_and_breaks_no_rule_of_its_policy(browser: Browser, live_server: Any) -> None:
    page = browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    foreign: list[str] = []
    page.on("request", lambda request: None if live_server.url in request.url else foreign.append(request.url))
    page.goto(f"{live_server.url}/api/docs/")
    page.get_by_text("/api/v1/events", exact=False).first.wait_for(timeout=20_000)
    assert page.locator(".opblock").count() >= 9
    page.locator("[id$=upsert_items]").first.click()
    page.get_by_text("Try it out").first.wait_for(timeout=20_000)
    assert complaints == []
    assert [url for url in foreign if not url.startswith("data:")] == []
