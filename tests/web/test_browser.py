"""What the scripts do, in a real browser: events, dialogs, themes, composing. The live part: test_page_scripts.py."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from feeds.actions import do_create_post
from feeds.graph import do_follow
from feeds.models import Post
from recsys.accounts.models import User
from recsys.catalog.models import Item
from tests.browsers import Chromium, chromium
from tests.site import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

PHONE = {"width": 375, "height": 800}
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana", password="pw", display_name="Ana", region="GB")


@pytest.fixture
def context(browser, live_server, client, ana) -> Iterator[BrowserContext]:
    """A browser in which Ana is logged in."""
    client.force_login(ana)
    context = browser.new_context(base_url=live_server.url)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
    yield context
    browser.close(context)


@pytest.fixture
def page(context) -> Page:
    page = context.new_page()
    page.set_default_timeout(10_000)
    return page


@pytest.fixture
def films() -> list[Item]:
    return Item.objects.bulk_create(Item(kind="film", title=f"Film {number}", category="Drama") for number in range(8))


def recorded() -> list[tuple[str, int]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT kind, item_id FROM events_interaction ORDER BY id")
        return list(cursor.fetchall())


def test_arriving_from_the_rail_is_one_click_and_one_view(page, films):
    page.goto("/")
    link = page.locator("#for-you .pick-title").first
    link.click()
    page.wait_for_selector("[data-viewed-item]")
    item = int(page.get_attribute("[data-viewed-item]", "data-viewed-item"))
    wait_for(lambda: recorded() == [("click", item), ("view", item)], what="click and view")
    assert "?r=" not in page.url
    page.reload()
    wait_for(lambda: recorded() == [("click", item), ("view", item), ("view", item)], what="a second view only")


def test_hiding_takes_the_card_away_and_changes_the_rail_at_once(page, films):
    page.goto("/")
    card = page.locator("#for-you .pick").first
    item = card.get_attribute("data-item")
    card.get_by_role("button", name="Not interested").click()
    page.wait_for_selector(f"#for-you [data-item='{item}']", state="detached")
    wait_for(lambda: recorded() == [("hide", int(item))])
    page.get_by_text("You will not see that again").wait_for()
    page.wait_for_function("() => document.querySelectorAll('#for-you .pick').length === 5")  # another moved up


def test_an_event_is_kept_through_a_bad_connection_and_counted_once(page, films):
    sent: list[str] = []

    def unreliable(route):
        sent.append(route.request.post_data_json["event_id"])
        if len(sent) == 1:
            route.abort()
        elif len(sent) == 2:
            route.fetch()  # it arrives, and the answer is lost
            route.abort()
        else:
            route.continue_()

    page.route("**/events/", unreliable)
    page.goto("/items/for-you/")
    page.locator(".tile").first.get_by_role("button", name="Like").click()
    page.wait_for_function(
        "() => !JSON.parse(localStorage.getItem(`events:${document.body.dataset.user}`) ?? '[]').length"
    )
    assert len(set(sent)) == 1
    assert uuid.UUID(sent[0])
    assert [kind for kind, _ in recorded()] == ["like"]


def test_opinions_and_stars_show_as_given(page, films):
    page.goto(f"/items/{films[0].pk}/")
    like, dislike = (
        page.locator("main article").get_by_role("button", name=name, exact=True) for name in ("Like", "Dislike")
    )
    like.click()
    dislike.click()
    page.locator("label[for=stars-4]").click()
    wait_for(lambda: [kind for kind, _ in recorded()] == ["view", "like", "dislike", "rate"], what="all four events")
    page.reload()
    assert (like.get_attribute("aria-pressed"), dislike.get_attribute("aria-pressed")) == ("false", "true")
    assert page.locator("#stars-4").is_checked()


def test_composing_shows_the_post_at_once_and_keeps_what_is_wrong(page, ana):
    page.goto("/")
    page.fill("#composer textarea", "x" * 2001)
    assert page.locator("#composer-count").inner_text() == "-1"
    page.click("#composer-send")
    page.get_by_text("this one has 2001").wait_for()
    page.fill("#composer textarea", "Hello <b>world</b>")
    page.keyboard.press("Control+Enter")
    page.locator("#posts .post-text", has_text="Hello <b>world</b>").wait_for()
    assert page.input_value("#composer textarea") == ""
    assert not page.get_by_text("Your timeline is quiet").is_visible()
    assert Post.objects.count() == 1


def test_deleting_asks_in_a_dialog_of_its_own(page, ana):
    post = do_create_post(author=ana, text="Oops")
    page.goto("/")
    page.locator(".menu > summary").click()
    page.get_by_role("button", name="Delete this post").click()
    page.get_by_role("button", name="Cancel").click()
    assert Post.objects.count() == 1
    page.locator(".menu > summary").click()
    page.get_by_role("button", name="Delete this post").click()
    page.locator("#confirm").get_by_role("button", name="Delete").click()
    page.wait_for_selector(f"#post-{post.pk}", state="detached")
    assert not Post.objects.exists()


def test_following_from_an_empty_home_fills_it(page, ana):
    ben = User.objects.create_user("ben", display_name="Ben")
    do_follow(follower=User.objects.create_user("cy"), followee=ben)
    do_create_post(author=ben, text="Hello from Ben")
    page.goto("/")
    page.get_by_role("button", name="Follow Ben").click()
    page.get_by_text("Hello from Ben").first.wait_for()
    page.get_by_role("button", name="unfollow").wait_for()


def test_the_theme_is_remembered(page):
    page.emulate_media(color_scheme="light")
    page.goto("/")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.get_by_role("button", name="Dark theme").click()
    dark = page.evaluate(colour)
    page.goto("/items/trending/")
    assert light != dark == page.evaluate(colour)
    assert page.get_by_role("button", name="Dark theme").get_attribute("aria-pressed") == "true"


def test_the_keyboard_reaches_everything_from_a_skip_link_on(page, films):
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    reached = []
    for _ in range(3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert reached == ["Latest", "Top", "id_text"]


@pytest.mark.parametrize(
    "path", ["/", "/items/for-you/", "/items/trending/", "/@ana/", "/accounts/profile/", "/nothing/"]
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_runs_over_the_edge_of_a_phone(context, ana, films, path, scheme):
    do_create_post(author=ana, text="word" * 200 + "\nhttps://example.org/" + "a" * 300)
    page = context.new_page()
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme=scheme)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None)
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert not complaints


def test_without_scripts_one_can_post_like_and_follow(browser, live_server, client, ana, films):
    ben = User.objects.create_user("ben", display_name="Ben")
    client.force_login(ana)
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
    page = context.new_page()
    page.goto("/")
    page.fill("#composer textarea", "Plain")
    page.click("#composer-send")
    page.locator("#posts .post-text", has_text="Plain").wait_for()
    page.locator("#for-you .pick").first.get_by_role("button", name="Like").click()
    page.wait_for_url("**/")
    wait_for(lambda: [kind for kind, _ in recorded()] == ["like"])
    page.goto(ben.get_absolute_url())
    page.get_by_role("button", name="Follow").click()
    page.get_by_role("button", name="unfollow").wait_for()
    browser.close(context)
