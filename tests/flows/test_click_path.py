"""A click changes the recommendations of the very next request, in the browser and over REST."""

from __future__ import annotations

import uuid

import httpx
import pytest
from playwright.sync_api import expect

from recsys.demo.logins import DEMO_PASSWORD


def test_a_click_is_in_the_next_recommendations(visit):
    """Somebody new sees what is popular; having looked at one item, they see what is like it, and because of it."""
    new = visit()
    name = f"new{uuid.uuid4().hex[:8]}"
    page = new.open("/accounts/signup/")
    page.fill("input[name=username]", name)
    page.fill("input[name=password1]", "correct horse battery")
    page.fill("input[name=password2]", "correct horse battery")
    page.locator("form[action*=signup] button, form button.button").last.click()
    page.wait_for_url(new.site.url + "/")
    before = page.locator("#for-you .pick-why").all_inner_texts()
    assert before
    assert not any("Because you" in reason for reason in before)

    pick = page.locator("#for-you .pick-title").first
    title = pick.inner_text()
    with page.expect_response(lambda answer: "/events/" in answer.url and answer.request.method == "POST") as told:
        pick.click()
    assert told.value.ok
    page.wait_for_load_state()
    new.open("/")
    reasons = page.locator("#for-you .pick-why")
    expect(reasons.filter(has_text=title).first).to_be_visible()
    assert title not in page.locator("#for-you .pick-title").all_inner_texts(), (
        "what was just seen is recommended again"
    )


def test_not_interested_takes_the_item_out_at_once(visit):
    ana = visit()
    page = ana.log_in("ana", DEMO_PASSWORD)
    first = page.locator("#for-you .pick-title").first
    title = first.inner_text()
    page.locator("#for-you li").first.locator("button[value=hide]").click()
    expect(page.locator("#for-you .pick-title", has_text=title)).to_have_count(0)
    page.reload()
    expect(page.locator("#for-you .pick-title", has_text=title)).to_have_count(0)


@pytest.fixture
def api(site):
    """An HTTP client with a fresh key of a partner."""
    key = site.manage("create_api_key", f"Flow {uuid.uuid4().hex[:8]}").strip()
    with httpx.Client(base_url=f"{site.url}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        yield client


def test_a_partners_event_is_in_the_next_recommendations(api):
    user, films = f"partner-{uuid.uuid4().hex[:8]}", [f"film-{uuid.uuid4().hex[:8]}" for _ in range(3)]
    rows = [
        {
            "external_id": film,
            "title": f"Submarines of the deep {n}",
            "kind": "film",
            "description": "Submarine crews under ice.",
        }
        for n, film in enumerate(films)
    ]
    assert api.post("/items", json={"items": rows}).status_code == 200
    assert api.post("/users", json={"users": [{"external_id": user, "region": "GB"}]}).status_code == 200
    event = {"event_id": uuid.uuid4().hex, "user": user, "item": films[0], "kind": "like"}
    once = api.post("/events", json={"events": [event]}).json()
    again = api.post("/events", json={"events": [event]}).json()
    assert (once["accepted"], once["duplicates"]) == (1, 0)
    assert (again["accepted"], again["duplicates"]) == (0, 1)

    slate = api.get(f"/users/{user}/recommendations", params={"count": 20}).json()
    assert slate["recommendation_id"]
    assert all(item["reason"] for item in slate["items"])
    assert films[0] not in [item["external_id"] for item in slate["items"]]
