"""An open page outlives what happens to its connection, and shows what it missed without a reload."""

from __future__ import annotations

import uuid

import pytest
from playwright.sync_api import expect

from recsys.demo.logins import DEMO_PASSWORD
from tests.flows.test_post_path import follow, is_live, write
from tests.site import wait_for

# Before the page's own scripts run, as where Valkey was away when the page was rendered.
WITHOUT_POSITION = """
    document.addEventListener("readystatechange", () => {
        if (document.readyState === "interactive") document.querySelector("#timeline").dataset.position = "";
    });
"""
# As a tab in the background, until `come_into_sight`.
IN_THE_BACKGROUND = """
    let hidden = true;
    Object.defineProperty(document, "hidden", { get: () => hidden });
    Object.defineProperty(document, "visibilityState", { get: () => (hidden ? "hidden" : "visible") });
    window.comeIntoSight = () => {
        hidden = false;
        document.dispatchEvent(new Event("visibilitychange"));
    };
"""


@pytest.fixture
def ana_and_ben(visit):
    """Ana's home page is open and live; Ben, whom she follows, can write."""
    ana, ben = visit(), visit()
    ana.log_in("ana", DEMO_PASSWORD)
    ben.log_in("ben", DEMO_PASSWORD)
    follow(ana, "ben")
    ana.open("/")
    is_live(ana)
    ana.page.evaluate("window.notReloaded = true")
    ben.open("/")
    yield ana, ben
    # The browser itself complains of each connection that it cannot have.
    ana.complaints[:] = [complaint for complaint in ana.complaints if "WebSocket" not in complaint]
    ben.complaints[:] = [complaint for complaint in ben.complaints if "WebSocket" not in complaint]


def hears_of_a_new_post(ana, ben):
    """By the pill, or with the timeline where the page was told to load that anew just then."""
    text = f"After all {uuid.uuid4()}"
    write(ben, text)
    pill, post = ana.page.locator("#new-posts"), ana.page.locator(".post", has_text=text)
    expect(pill.or_(post).filter(visible=True).first).to_be_visible(timeout=40_000)
    if not post.is_visible():
        pill.click()
    expect(post).to_be_visible()
    assert ana.page.evaluate("window.notReloaded")


def test_the_socket_server_is_killed(ana_and_ben, site):
    ana, ben = ana_and_ben
    killed = site.kill("manage.py", "sockets")
    hears_of_a_new_post(ana, ben)
    wait_for(lambda: set(site.pids("manage.py", "sockets")) - set(killed), what="the socket server runs again")
    is_live(ana)
    hears_of_a_new_post(ana, ben)


def test_valkey_is_killed_and_forgets_everything(ana_and_ben, site):
    ana, ben = ana_and_ben
    site.kill("valkey-server")
    text = f"In the gap {uuid.uuid4()}"
    write(ben, text)
    # Told to load anew, the page does so by itself.
    expect(ana.page.locator(".post", has_text=text)).to_be_visible(timeout=60_000)
    hears_of_a_new_post(ana, ben)


def test_a_page_without_a_position_loads_its_timeline_anew_until_it_comes(visit):
    ana = visit()
    ana.log_in("ana", DEMO_PASSWORD)
    asked = []

    def not_at_first(route):
        asked.append(route.request.url)
        if len(asked) == 1:
            route.abort()
        else:
            route.continue_()

    ana.page.add_init_script(WITHOUT_POSITION)
    ana.page.route("**/timeline/", not_at_first)
    ana.open("/")
    expect(ana.page.locator("#timeline")).not_to_have_attribute("data-position", "", timeout=30_000)
    assert len(asked) == 2
    refused = ("ERR_FAILED", "Failed to fetch")
    ana.complaints[:] = [complaint for complaint in ana.complaints if not any(words in complaint for words in refused)]


def test_a_page_that_nobody_looks_at_is_no_visit_until_it_is_seen(visit):
    ana = visit()
    ana.log_in("ana", DEMO_PASSWORD)
    asked = []
    ana.page.on("request", lambda request: asked.append(request.url) if "/timeline/" in request.url else None)
    ana.page.add_init_script(WITHOUT_POSITION)
    ana.page.add_init_script(IN_THE_BACKGROUND)
    with ana.page.expect_response("**/notifications/unseen/"):  # which follows from the same resync
        ana.open("/")
    ana.page.wait_for_timeout(1000)
    assert not asked
    ana.page.evaluate("comeIntoSight()")
    expect(ana.page.locator("#timeline")).not_to_have_attribute("data-position", "", timeout=30_000)
    ana.page.evaluate("comeIntoSight()")
    ana.page.wait_for_timeout(1000)
    assert len(asked) == 1


def test_logging_out_elsewhere_ends_the_connection(visit):
    ana = visit()
    ana.log_in("ana", DEMO_PASSWORD)
    is_live(ana)
    again = ana.context.new_page()
    again.goto(ana.site.url + "/accounts/logout/")
    again.locator("main form button").click()
    expect(ana.page.locator("#connection")).to_have_attribute("data-state", "closed", timeout=15_000)
