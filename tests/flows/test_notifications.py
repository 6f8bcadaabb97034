"""What others do shows in the navigation of every open page at once, and goes when it was looked at."""

from __future__ import annotations

import re
import uuid

from playwright.sync_api import Page, expect

from recsys.demo.logins import DEMO_PASSWORD
from tests.site import wait_for


def badge(page: Page):
    return page.locator("nav .unseen-badge")


def is_live(page: Page) -> None:
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")


def write(visitor, text: str) -> str:
    visitor.open("/")
    visitor.page.fill("#id_text", text)
    visitor.page.click("#composer-send")
    post = visitor.page.locator(".post", has_text=text)
    expect(post).to_be_visible()
    number = post.get_attribute("data-post")
    assert number
    return number


def like(visitor, post: str, *, pressed: str = "true") -> None:
    """Like the post on its own page, or with `pressed="false"` take it back."""
    visitor.open(f"/posts/{post}/")
    button = visitor.page.locator(f'[data-post="{post}"] button[id^="like-"]')
    button.click()
    expect(button).to_have_attribute("aria-pressed", pressed)


def with_all_seen(visitor) -> None:
    """Look at the page of notifications, so that whatever was there before is seen."""
    visitor.open("/notifications/")
    is_live(visitor.page)
    expect(badge(visitor.page)).to_be_hidden()


def test_a_like_shows_at_once_in_all_tabs_and_is_gone_when_looked_at(visit):
    ana, ben = visit(), visit()
    ana.log_in("ana", DEMO_PASSWORD)
    ben.log_in("ben", DEMO_PASSWORD)
    with_all_seen(ana)
    text = f"To be liked {uuid.uuid4()}"
    post = write(ana, text)
    home, other = ana.open("/"), ana.context.new_page()
    other.goto(f"{ana.site.url}/items/trending/")
    for page in (home, other):
        is_live(page)
        page.evaluate("window.notReloaded = true")
    title = other.title()

    like(ben, post)
    for page in (home, other):
        expect(badge(page)).to_be_visible()
        expect(badge(page)).to_have_text("1")
        assert page.evaluate("window.notReloaded")
    assert other.title() == title

    other.click("nav >> text=Notifications")
    group = other.locator(".notice", has_text=text)
    expect(group).to_contain_text("Ben")
    expect(group).to_contain_text("liked your post")
    expect(group).to_have_class(re.compile("unread"))
    for page in (other, home):
        expect(badge(page)).to_be_hidden()
    assert home.evaluate("window.notReloaded")

    group.locator("button").click()
    other.wait_for_url(f"**/posts/{post}/")
    other.goto(f"{ana.site.url}/notifications/")
    expect(other.locator(".notice", has_text=text)).to_be_visible()
    expect(other.locator(".notice", has_text=text)).not_to_have_class(re.compile("unread"))

    like(ben, post, pressed="false")
    wait_for(lambda: is_gone(other, text), what="the group has gone with the like")


def is_gone(page: Page, text: str) -> bool:
    page.reload()
    return page.locator(".notice", has_text=text).count() == 0


def test_what_arrives_while_the_page_is_open_waits_for_a_click(visit):
    ana, ben = visit(), visit()
    ana.log_in("ana", DEMO_PASSWORD)
    ben.log_in("ben", DEMO_PASSWORD)
    text = f"To be answered {uuid.uuid4()}"
    post = write(ana, text)
    with_all_seen(ana)
    fresh = ana.page.locator("#new-notifications")
    expect(fresh).to_be_hidden()

    answer = f"An answer {uuid.uuid4()}"
    ben.open(f"/posts/{post}/")
    ben.page.fill("#id_text", answer)
    ben.page.click("#composer-send")
    expect(fresh).to_be_visible()
    expect(badge(ana.page)).to_have_text("1")
    fresh.click()
    expect(ana.page.locator(".notice", has_text=answer)).to_contain_text("replied to you")
    expect(badge(ana.page)).to_be_hidden()
    expect(fresh).to_be_hidden()


def test_without_scripts(visit):
    ana, ben = visit(java_script_enabled=False), visit()
    ben.log_in("ben", DEMO_PASSWORD)
    ana.log_in("ana", DEMO_PASSWORD)
    ana.open("/posts/")
    text = f"Plain {uuid.uuid4()}"
    ana.page.fill("#id_text", text)
    ana.page.click("#composer-send")
    post = ana.page.locator(".post", has_text=text).get_attribute("data-post")
    like(ben, post)
    group = ana.page.locator(".notice", has_text=text)
    wait_for(lambda: ana.open("/notifications/") and group.count(), what="the like is told of")
    expect(badge(ana.page)).to_be_visible()
    group.locator("button").click()
    assert ana.page.url.endswith(f"/posts/{post}/")
    ana.open("/notifications/")
    expect(group).not_to_have_class(re.compile("unread"))
    ana.page.click("text=Mark all as read")
    expect(badge(ana.page)).to_be_hidden()
    expect(ana.page.locator(".notice.unread")).to_have_count(0)
