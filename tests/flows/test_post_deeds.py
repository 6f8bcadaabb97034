"""A post's life in browsers: written with a tag and a mention, answered, reposted, liked, kept, edited, deleted."""

from __future__ import annotations

import re
import uuid

import pytest
from playwright.sync_api import expect

from recsys.demo.logins import DEMO_PASSWORD
from tests.flows.test_post_path import follow, is_live, write
from tests.site import wait_for

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


def pressed(visitor, name, post):
    """Press a button of a post and wait until it shows that."""
    button = visitor.page.locator(f"#{name}-{post}")
    button.click()
    expect(visitor.page.locator(f"#{name}-{post}")).to_have_attribute("aria-pressed", "true")


def fits(visitor):
    """Nothing runs over the edge of the window."""
    return visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("device", [{}, PHONE], ids=["desk", "phone"])
def test_the_life_of_a_post(visit, device):
    ana, ben = visit(**device), visit(**device)
    ana.log_in("ana", DEMO_PASSWORD)
    ben.log_in("ben", DEMO_PASSWORD)
    follow(ana, "ben")
    mark = f"m{uuid.uuid4().hex[:12]}"
    ben.open("/")
    post = write(ben, f"Look, @ana: <b>plain</b> #{mark} https://example.org/a " + "x" * 150)

    shown = ana.page.locator(f"#post-{post}")
    wait_for(lambda: ana.open("/") and shown.count(), what="the post was brought to its readers", interval=0.3)
    is_live(ana)
    expect(shown.locator("a.mention")).to_have_attribute("href", "/@ana/")
    expect(shown.locator(".post-text")).to_contain_text("<b>plain</b>")
    assert fits(ana)

    pressed(ana, "like", post)
    pressed(ana, "bookmark", post)
    pressed(ana, "repost", post)
    expect(ana.page.locator(f"#like-{post} .count")).to_have_text("1")
    ana.page.locator(f"#like-{post}").click()
    expect(ana.page.locator(f"#like-{post}")).to_have_attribute("aria-pressed", "false")
    ana.open("/bookmarks/")
    expect(ana.page.locator(f"#post-{post}")).to_be_visible()

    ana.page.locator(f"#reply-{post}").click()
    ana.page.wait_for_url(re.compile(f"/posts/{post}/"))
    ana.page.fill("#id_text", f"Seen {mark}")
    ana.page.click("#composer-send")
    expect(ana.page.locator("#posts .post", has_text=f"Seen {mark}")).to_be_visible()
    expect(ana.page.locator("#id_text")).to_have_value("")
    assert fits(ana)

    ana.open(f"/tags/{mark}/")
    expect(ana.page.locator(f"#post-{post}")).to_be_visible()
    is_live(ana)
    beside = ana.context.new_page()  # the post's own page follows it too
    beside.goto(f"{ana.site.url}/posts/{post}/")
    expect(beside.locator("#connection")).to_have_attribute("data-state", "live")
    ben.open(f"/posts/{post}/")
    expect(ben.page.locator("#posts .post", has_text=f"Seen {mark}")).to_be_visible()
    ben.page.locator(f"#post-{post} .menu > summary").click()
    assert fits(ben)
    ben.page.locator(f"#post-{post}").get_by_role("link", name="Edit").click()
    ben.page.fill("#id_text", f"Edited #{mark}")
    ben.page.get_by_role("button", name="Save").click()
    expect(ben.page.locator(f"#post-{post} .post-text")).to_have_text(f"Edited #{mark}")
    expect(ana.page.locator(f"#post-{post} .post-text")).to_have_text(f"Edited #{mark}")
    expect(beside.locator(f"#post-{post}.focus .post-text")).to_have_text(f"Edited #{mark}")

    ben.page.locator(f"#post-{post} .menu > summary").click()
    ben.page.locator(f"#post-{post} button.danger").click()
    ben.page.locator("#confirm").get_by_role("button", name="Delete").click()
    ben.page.wait_for_url(re.compile(r"/$"))
    expect(ana.page.locator(f"#post-{post}")).to_have_count(0)


def test_something_is_attached_by_its_name(visit):
    ana = visit()
    ana.log_in("ana", DEMO_PASSWORD)
    ana.page.fill("#id_text", f"About this {uuid.uuid4()}")
    ana.page.locator(".extras summary").click()
    ana.page.locator("#id_find").press_sequentially("the")
    ana.page.locator("#choices label").first.click()
    item = ana.page.locator("#choices input").first.get_attribute("value")
    ana.page.click("#composer-send")
    expect(ana.page.locator(".posts .post").first.locator(".attached")).to_have_attribute("href", f"/items/{item}/")
