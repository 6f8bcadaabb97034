"""A post travels from one browser to another without a reload, and comes and goes with follows and deletions."""

from __future__ import annotations

import re
import uuid

from playwright.sync_api import expect

from recsys.demo.logins import DEMO_PASSWORD
from tests.site import wait_for


def write(visitor, text):
    visitor.page.fill("#id_text", text)
    visitor.page.click("#composer-send")
    post = visitor.page.locator(".post", has_text=text)
    expect(post).to_be_visible()
    return post.get_attribute("data-post")


def follow(visitor, username):
    """Follow on the profile page, unless that is so already."""
    visitor.open(f"/@{username}/")
    form = visitor.page.locator(".profile-head form").first
    if "unfollow" not in form.get_attribute("action"):
        form.locator("button").click()
        expect(visitor.page.locator(".profile-head form").first).to_have_attribute("action", re.compile("unfollow"))


def is_live(visitor):
    """The page holds a socket and its stream's position, so what comes now comes through it."""
    expect(visitor.page.locator("#connection")).to_have_attribute("data-state", "live")


def test_a_post_reaches_an_open_page_without_a_reload(visit):
    ana, ben = visit(), visit()
    ana.log_in("ana", DEMO_PASSWORD)
    ben.log_in("ben", DEMO_PASSWORD)
    follow(ana, "ben")
    ana.open("/")
    is_live(ana)
    ana.page.evaluate("window.notReloaded = true")

    text = f"Live to everybody {uuid.uuid4()}"
    ben.open("/")
    write(ben, text)

    expect(ana.page.locator("#new-posts")).to_have_text(re.compile("1 new post"))
    ana.page.click("#new-posts")
    expect(ana.page.locator(".post", has_text=text)).to_be_visible()
    expect(ana.page.locator("#posts > li").first).to_contain_text(text)
    assert ana.page.evaluate("window.notReloaded")


def test_offline_followers_see_it_when_they_come_and_deletion_takes_it_away(visit):
    ben = visit()
    ben.log_in("ben", DEMO_PASSWORD)
    text = f"For later {uuid.uuid4()}"
    post = write(ben, text)

    ana = visit()
    ana.log_in("ana", DEMO_PASSWORD)
    follow(ana, "ben")
    ana.open("/")
    expect(ana.page.locator(".post", has_text=text)).to_be_visible()
    is_live(ana)

    ben.page.locator(f"#post-{post} .menu > summary").click()
    ben.page.locator(f"#post-{post} button.danger").click()
    ben.page.locator("#confirm").get_by_role("button", name="Delete").click()
    expect(ben.page.locator(f"#post-{post}")).to_have_count(0)
    expect(ana.page.locator(f"#post-{post}")).to_have_count(0)
    ana.page.reload()
    expect(ana.page.locator(f"#post-{post}")).to_have_count(0)


def test_unfollowing_and_following_take_effect_in_the_next_page(visit):
    ben, ana = visit(), visit()
    ben.log_in("ben", DEMO_PASSWORD)
    text = f"Now you see me {uuid.uuid4()}"
    write(ben, text)
    ana.log_in("ana", DEMO_PASSWORD)
    follow(ana, "ben")
    ana.open("/")
    expect(ana.page.locator(".post", has_text=text)).to_be_visible()

    ana.open("/@ben/")
    ana.page.locator(".profile-head form button").first.click()
    expect(ana.page.locator(".profile-head form").first).not_to_have_attribute("action", re.compile("unfollow"))
    ana.open("/")
    expect(ana.page.locator(".post", has_text=text)).to_have_count(0)

    follow(ana, "ben")
    ana.open("/")
    expect(ana.page.locator(".post", has_text=text)).to_be_visible()


def test_a_celebritys_post_is_pulled_and_arrives_live_all_the_same(visit, ask):
    admin = visit()
    admin.log_in("admin", DEMO_PASSWORD)
    page = admin.open("/admin/feeds/fanoutpolicy/1/change/")
    page.fill("#id_lower_bound", "1")
    page.fill("#id_celebrity_threshold", "1")
    page.click("input[name=_save]")
    ana, ben = visit(), visit()
    try:
        ana.log_in("ana", DEMO_PASSWORD)
        follow(ana, "ben")
        ana.open("/")
        is_live(ana)
        ben.log_in("ben", DEMO_PASSWORD)
        text = f"From a celebrity {uuid.uuid4()}"
        post = write(ben, text)
        expect(ana.page.locator("#new-posts")).to_be_visible()
        ana.page.click("#new-posts")
        expect(ana.page.locator(".post", has_text=text)).to_be_visible()

        wait_for(lambda: ask("mode_of", int(post)) == "pull", what="the mode is decided")
    finally:
        page = admin.open("/admin/feeds/fanoutpolicy/1/change/")
        page.fill("#id_celebrity_threshold", "10000")
        page.fill("#id_lower_bound", "8000")
        page.click("input[name=_save]")
