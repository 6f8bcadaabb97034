"""The API's page in a real browser: a policy that breaks it shows only there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browsers import Chromium, chromium

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def browser() -> Iterator[Chromium]:
    with chromium() as browser:
        yield browser


def test_the_page_lists_the_calls_and_breaks_no_rule_of_its_policy(browser: Chromium, live_server: Any) -> None:
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
