"""apply(stale page, events) == fresh page, for every type of event that the pages use.

Each test opens a page, changes something (as another person, in the admin, or by raw SQL), and waits until the page
shows what the same page shows when it is loaded now, without having been loaded anew itself.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from playwright.sync_api import expect

from recsys.demo.logins import DEMO_PASSWORD
from recsys.services.paths import ServicePaths
from tests.flows.test_post_path import follow, write
from tests.site import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.site import Site

Ask = Callable[..., Any]  # calls functions of `probe.py`

# What a dashboard shows: each entry's item, words and numbers, in its order.
RANKING = """board => [...document.querySelectorAll(`${board} ol > [data-item]`)].map((one) => [
    one.dataset.item,
    one.querySelector(".pick-title").textContent,
    [...one.querySelectorAll("[data-shows]")].map((shown) => !shown.hidden && shown.textContent),
])"""
# What lists of posts show: each entry's post, words and counters.
POSTS = """() => [...document.querySelectorAll(".post:not(.leaving)")].map((one) => [
    one.dataset.post,
    one.querySelector(".post-text").textContent,
    [...one.querySelectorAll("[data-count]")].map((shown) => !shown.hidden && shown.textContent.trim()),
])"""
# What is recommended, and what else the page shows of the catalogue.
PICKS = """list => [...document.querySelectorAll(`${list} [data-item]:not(.leaving)`)].map((one) => one.dataset.item)"""
BADGE = """() => [...document.querySelectorAll(".unseen-badge")].map((one) => [one.hidden, one.textContent.trim()])"""


def sql(site: Site, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Do it as somebody with psql would."""
    with psycopg.connect(ServicePaths(site.directory).database_url, autocommit=True) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def user_id(site: Site, username: str) -> int:
    ((found,),) = sql(site, "SELECT id FROM accounts_user WHERE username = %s", username)
    return int(found)


def open_live(visitor: Any, path: str, tab: Page | None = None) -> Page:
    page: Page = tab or visitor.page
    page.goto(visitor.site.url + path)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    page.evaluate("window.notReloaded = true")
    return page


def becomes_as_fresh(visitor: Any, page: Page, read: Callable[[Page], Any], before: Any) -> Any:
    """The open page comes to show what a new one shows, and that is not what it showed `before`."""
    fresh = visitor.context.new_page()
    seen: list[Any] = []

    def is_as_fresh() -> bool:
        fresh.goto(page.url)
        seen[:] = [read(page), read(fresh)]
        return bool(seen[1] != before and seen[0] == seen[1])

    try:
        wait_for(is_as_fresh, what="the open page shows what a fresh one shows")
    except AssertionError as error:
        raise AssertionError(f"{error}\nbefore: {before}\nopen:   {seen[0]}\nfresh:  {seen[1]}") from error
    assert page.evaluate("window.notReloaded")
    fresh.close()
    return seen[0]


def dashboard(page: Page) -> Any:
    return page.evaluate(RANKING, "#dashboard")


def rail(page: Page) -> Any:
    return page.evaluate(RANKING, "#trending")


def posts(page: Page) -> Any:
    """The first ten: where one goes, a fresh page has one more at its end."""
    return page.evaluate(POSTS)[:10]


def badge(page: Page) -> Any:
    return page.evaluate(BADGE)


@pytest.fixture
def ana(visit: Any) -> Any:
    ana = visit()
    ana.log_in("ana", DEMO_PASSWORD)
    return ana


@pytest.fixture
def ben(visit: Any) -> Any:
    ben = visit()
    ben.log_in("ben", DEMO_PASSWORD)
    return ben


@pytest.fixture(autouse=True)
def nothing_to_recommend_afterwards(site: Site) -> Iterator[None]:
    """What a test made popular would else be recommended to people of others, who expect the demo's items."""
    ((last,),) = sql(site, "SELECT max(id) FROM catalog_item")
    yield
    sql(site, "UPDATE catalog_item SET is_available = false WHERE id > %s AND is_available", last)


@pytest.fixture
def written(ben: Any) -> tuple[str, str]:
    """A post of Ben's with a hashtag of its own: its number, and the hashtag."""
    tag = f"t{uuid.uuid4().hex[:12]}"
    ben.open("/")
    return write(ben, f"Something to talk about #{tag}"), tag


def warm(site: Site, item: int, people: int = 40, but: int = 0) -> None:
    """Let many people take up an item just now."""
    sql(
        site,
        "INSERT INTO events_interaction (occurred_at, user_id, item_id, kind, region)"
        " SELECT now(), id, %s, 'like', region FROM accounts_user WHERE id <> %s ORDER BY id LIMIT %s",
        item,
        but,
        people,
    )


def cold_item(site: Site, *known: int) -> int:
    """A thing that nobody has taken up."""
    ((item,),) = sql(
        site,
        "INSERT INTO catalog_item (title, kind, description, category, tags, regions, url, image_url, attributes,"
        " is_available, is_withheld) VALUES (%s, 'film', '', 'Drama', '{}', '{}', '', '', '{}', true, false)"
        " RETURNING id",
        f"Unheard of {uuid.uuid4().hex[:8]}",
    )
    return int(item)


class TestTrending:
    def test_ranks_move_and_new_entries_come(self, ana: Any, site: Site) -> None:
        page = open_live(ana, "/items/trending/")
        before = dashboard(page)
        item = cold_item(site)
        warm(site, item)
        warm(site, int(before[-1][0]), 20)
        shown = becomes_as_fresh(ana, page, dashboard, before)
        assert str(item) in [one[0] for one in shown[:3]]

    def test_a_visitor_sees_it_move_too_also_beside_other_pages(self, visit: Any, site: Site) -> None:
        visitor = visit()
        page, beside = open_live(visitor, "/items/trending/"), open_live(visitor, "/", visitor.context.new_page())
        before = dashboard(page), rail(beside)
        warm(site, cold_item(site), 60)
        becomes_as_fresh(visitor, page, dashboard, before[0])
        becomes_as_fresh(visitor, beside, rail, before[1])

    def test_what_is_switched_off_or_deleted_goes(self, ana: Any, site: Site) -> None:
        item = cold_item(site)
        warm(site, item)
        page = ana.page
        wait_for(lambda: ana.open("/items/trending/") and page.locator(f'#dashboard [data-item="{item}"]').count())
        page = open_live(ana, "/items/trending/")
        before = dashboard(page)
        sql(site, "UPDATE catalog_item SET is_available = false WHERE id = %s", item)
        shown = becomes_as_fresh(ana, page, dashboard, before)
        sql(site, "DELETE FROM catalog_item WHERE id = %s", int(shown[0][0]))
        becomes_as_fresh(ana, page, dashboard, shown)

    def test_what_the_reader_hid_stays_away_though_it_trends(self, ana: Any, site: Site) -> None:
        item = cold_item(site)
        sql(
            site,
            "INSERT INTO events_interaction (occurred_at, user_id, item_id, kind) VALUES (now(), %s, %s, 'hide')",
            user_id(site, "ana"),
            item,
        )
        page = open_live(ana, "/items/trending/")
        before = dashboard(page)
        warm(site, item, but=user_id(site, "ana"))
        warm(site, int(before[-1][0]), 30)
        becomes_as_fresh(ana, page, dashboard, before)
        expect(page.locator(f'#dashboard [data-item="{item}"]')).to_have_count(0)

    def test_a_post_of_somebody_apart_is_not_shown(self, ana: Any, ben: Any, site: Site) -> None:
        """Everybody else sees Ben's post come; Ana, whom he has blocked, loads a ranking of her own."""
        blocker, blocked = user_id(site, "ben"), user_id(site, "ana")
        ben.open("/")
        post = int(write(ben, f"For all but one {uuid.uuid4()}"))
        sql(site, "INSERT INTO feeds_block (blocker_id, blocked_id) VALUES (%s, %s)", blocker, blocked)
        try:
            page = open_live(ana, "/items/trending/")
            before = dashboard(page)
            sql(
                site,
                "INSERT INTO events_interaction (occurred_at, user_id, item_id, kind)"
                " SELECT now(), id, %s, 'like' FROM accounts_user WHERE id <> ALL(%s) LIMIT 60",
                post,
                [blocker, blocked],
            )
            warm(site, int(before[-1][0]), 30)
            becomes_as_fresh(ana, page, dashboard, before)
            expect(page.locator(f'#dashboard [data-item="{post}"]')).to_have_count(0)
        finally:
            sql(site, "DELETE FROM feeds_block WHERE blocker_id = %s AND blocked_id = %s", blocker, blocked)


class TestCounters:
    def test_likes_reposts_and_replies_of_a_post(
        self, visit: Any, ana: Any, written: tuple[str, str], site: Site
    ) -> None:
        """On the page of a hashtag and on the post's own, for a reader and for a visitor."""
        post, tag = written
        visitor = visit()
        pages = [
            (ana, open_live(ana, f"/tags/{tag}/")),
            (visitor, open_live(visitor, f"/tags/{tag}/")),
            (visitor, open_live(visitor, f"/posts/{post}/", visitor.context.new_page())),
        ]
        before = [posts(page) for _, page in pages]
        like = "INSERT INTO feeds_like (user_id, post_id) SELECT id, %s FROM accounts_user WHERE id > %s LIMIT %s"
        sql(site, like, post, user_id(site, "ana"), 3)
        shown = [becomes_as_fresh(who, page, posts, stale) for (who, page), stale in zip(pages, before, strict=True)]
        ana.page.locator(f"#repost-{post}").click()
        shown = [becomes_as_fresh(who, page, posts, stale) for (who, page), stale in zip(pages, shown, strict=True)]
        sql(site, "DELETE FROM feeds_like WHERE post_id = %s", post)
        for (who, page), stale in zip(pages, shown, strict=True):
            becomes_as_fresh(who, page, posts, stale)

    def test_a_burst_ends_with_the_last_number(self, ana: Any, written: tuple[str, str], site: Site) -> None:
        post, tag = written
        page = open_live(ana, f"/tags/{tag}/")
        before = posts(page)
        like = (
            "INSERT INTO feeds_like (user_id, post_id) SELECT id, %s FROM accounts_user ORDER BY id OFFSET %s LIMIT 1"
        )
        for number in range(30):
            sql(site, like, post, number)
        shown = becomes_as_fresh(ana, page, posts, before)
        assert "30" in shown[0][2]

    def test_an_event_that_comes_twice_changes_nothing(
        self, ana: Any, written: tuple[str, str], site: Site, ask: Ask
    ) -> None:
        post, tag = written
        page = open_live(ana, f"/tags/{tag}/")
        before = posts(page)
        sql(site, "INSERT INTO feeds_like (user_id, post_id) VALUES (%s, %s)", user_id(site, "ana"), post)
        shown = becomes_as_fresh(ana, page, lambda tab: [posts(tab)], [before])
        counts = {"likes": 1, "reposts": 0, "replies": 0}
        told = {"type": "item.counts", "key": int(post), "item": int(post), "counts": counts}
        last = {"type": "item.counts", "key": int(post), "item": int(post), "counts": counts | {"replies": 7}}
        ask("append", f"item:{post}", told, told, last)
        expect(page.locator(f'#reply-{post} [data-count="replies"]')).to_have_text("7")  # so the others have come
        ask("append", f"item:{post}", told)
        expect(page.locator(f'#reply-{post} [data-count="replies"]')).to_have_text("")
        assert [posts(page)] == shown

    def test_posts_that_came_as_one_scrolled(self, ana: Any, ben: Any, site: Site, ask: Ask) -> None:
        """Further pages bring the streams of their posts along."""
        tag = f"t{uuid.uuid4().hex[:12]}"
        numbers = ask("post", "ben", [f"{n} #{tag}" for n in range(25)])
        page = open_live(ana, f"/tags/{tag}/")
        page.locator(".more a").scroll_into_view_if_needed()
        expect(page.locator(".post")).to_have_count(25)
        expect(page.locator("#connection")).to_have_attribute("data-state", "live")
        expect(page.locator('[data-live="items"]')).to_have_count(2)
        sql(site, "INSERT INTO feeds_like (user_id, post_id) VALUES (%s, %s)", user_id(site, "ana"), numbers[0])
        expect(page.locator(f"#like-{numbers[0]} .count")).to_have_text("1")

    def test_what_people_take_up(self, visit: Any, site: Site) -> None:
        visitor = visit()
        item = cold_item(site)
        page = open_live(visitor, f"/items/{item}/")
        read = lambda tab: tab.locator('[data-count="taken_up"]').evaluate("one => [one.hidden, one.textContent]")  # noqa: E731
        before = read(page)
        warm(site, item, 12)
        assert becomes_as_fresh(visitor, page, read, before) == [False, "12 times taken up"]


class TestPosts:
    @pytest.fixture(autouse=True)
    def following(self, ana: Any) -> Iterator[None]:
        follow(ana, "ben")
        yield
        # The browser itself complains of an entry that is gone.
        ana.complaints[:] = [complaint for complaint in ana.complaints if "404" not in complaint]

    def test_new_ones_are_counted_once_however_often_they_are_told(
        self, ana: Any, ben: Any, site: Site, ask: Ask
    ) -> None:
        page = open_live(ana, "/")
        before = posts(page)
        ben.open("/")
        post = int(write(ben, f"New {uuid.uuid4()}"))
        expect(page.locator("#new-posts")).to_have_text("1 new post")
        author, reader = user_id(site, "ben"), user_id(site, "ana")
        new = {"type": "post.new", "post": post, "author": author}
        ask("append", f"user:{reader}", new, new, {"type": "posts.new", "posts": [post], "count": 1})
        second = int(write(ben, f"New {uuid.uuid4()}"))
        expect(page.locator("#new-posts")).to_have_text("2 new posts")
        merged = {"type": "posts.new", "posts": [second, post], "count": 2}
        ask("append", f"user:{reader}", merged, {"type": "notifications", "unseen": 88})
        expect(page.locator("nav .unseen-badge")).to_have_text("88")  # so what came before it has been applied
        expect(page.locator("#new-posts")).to_have_text("2 new posts")
        page.click("#new-posts")
        becomes_as_fresh(ana, page, posts, before)
        expect(page.locator("#new-posts")).to_be_hidden()

    def test_of_very_many_all_are_counted_and_the_newest_named(self, ana: Any, site: Site, ask: Ask) -> None:
        page = open_live(ana, "/")
        reader = user_id(site, "ana")
        ask("append", f"user:{reader}", {"type": "posts.new", "posts": list(range(10**9, 10**9 + 40)), "count": 60})
        expect(page.locator("#new-posts")).to_have_text("60 new posts")
        ask("append", f"user:{reader}", {"type": "posts.new", "posts": list(range(10**9, 10**9 + 100)), "count": 300})
        expect(page.locator("#new-posts")).to_have_text("99+ new posts")

    def test_word_of_a_new_post_after_that_of_its_deletion(self, ana: Any, site: Site, ask: Ask) -> None:
        """As when many new ones are told of together, behind it."""
        page, reader = open_live(ana, "/"), user_id(site, "ana")
        gone = {"type": "post.deleted", "key": 10**9, "post": 10**9}
        ask("append", f"user:{reader}", gone, {"type": "posts.new", "posts": [10**9 + 1, 10**9], "count": 2})
        expect(page.locator("#new-posts")).to_have_text("1 new post")

    @pytest.mark.parametrize("place", ["home", "tag", "post"])
    def test_edited_by_raw_sql_and_deleted(
        self, ana: Any, visit: Any, written: tuple[str, str], site: Site, place: str, ask: Ask
    ) -> None:
        post, tag = written
        path = {"home": "/", "tag": f"/tags/{tag}/", "post": f"/posts/{post}/"}[place]
        page, visitor = open_live(ana, path), visit()
        beside = open_live(visitor, f"/tags/{tag}/")
        before = posts(page), posts(beside)
        ask("append", f"item:{post}", {"type": "post.edited", "key": int(post), "post": int(post), "version": "other"})
        sql(site, "UPDATE feeds_post SET text = %s WHERE item_id = %s", f"Said otherwise #{tag}", post)
        becomes_as_fresh(ana, page, posts, before[0])
        shown = becomes_as_fresh(visitor, beside, posts, before[1])
        sql(site, "DELETE FROM feeds_post WHERE item_id = %s", post)
        if place == "post":
            expect(page.locator(f"#post-{post}")).to_have_count(0)
            visitor.complaints[:] = []
        else:
            becomes_as_fresh(ana, page, lambda tab: [posts(tab)], None)
        becomes_as_fresh(visitor, beside, lambda tab: [posts(tab)], [shown])
        for tab in (page, beside):
            expect(tab.locator(f"#post-{post}")).to_have_count(0)

    def test_made_for_fewer_people(self, visit: Any, written: tuple[str, str], site: Site) -> None:
        post, tag = written
        visitor = visit()
        page = open_live(visitor, f"/tags/{tag}/")
        before = posts(page)
        sql(site, "UPDATE feeds_post SET visibility = 'private' WHERE item_id = %s", post)
        becomes_as_fresh(visitor, page, posts, before)
        visitor.complaints[:] = [complaint for complaint in visitor.complaints if "404" not in complaint]


class TestNotifications:
    def test_the_badge_in_every_tab(self, ana: Any, ben: Any, site: Site) -> None:
        ana.open("/")
        post = write(ana, f"To be liked {uuid.uuid4()}")
        open_live(ana, "/notifications/")
        expect(ana.page.locator("nav .unseen-badge")).to_be_hidden()
        page, beside = open_live(ana, "/items/trending/"), open_live(ana, "/", ana.context.new_page())
        before = badge(page)
        sql(site, "INSERT INTO feeds_like (user_id, post_id) VALUES (%s, %s)", user_id(site, "ben"), post)
        for tab in (page, beside):
            becomes_as_fresh(ana, tab, badge, before)
        shown = badge(page)
        sql(site, "UPDATE feeds_notification SET seen_at = now() WHERE recipient_id = %s", user_id(site, "ana"))
        for tab in (page, beside):
            becomes_as_fresh(ana, tab, badge, shown)


class TestRecommendations:
    @pytest.mark.parametrize(("path", "part"), [("/items/for-you/", "#picks"), ("/", "#for-you")])
    def test_what_the_reader_likes_elsewhere_brings_something_new(
        self, ana: Any, site: Site, path: str, part: str
    ) -> None:
        page = open_live(ana, path)
        read = lambda tab: tab.evaluate(PICKS, part)  # noqa: E731
        before = read(page)
        sql(
            site,
            "INSERT INTO events_interaction (occurred_at, user_id, item_id, kind)"
            " SELECT now(), %s, item, 'like' FROM unnest(%s::bigint[]) item",
            user_id(site, "ana"),
            [int(item) for item in before[:2]],
        )
        pill = page.locator(f"{part} [data-news]")
        expect(pill).to_have_text(re.compile(r"[1-9]\d* new for you"), timeout=30_000)
        assert read(page) == before, "nothing moves under the reader's eyes"
        pill.click()
        becomes_as_fresh(ana, page, read, before)
        expect(pill).to_be_hidden()

    def test_what_was_hidden_in_another_tab_goes_at_once(self, ana: Any) -> None:
        pages = [open_live(ana, "/items/for-you/"), open_live(ana, "/items/trending/", ana.context.new_page())]
        beside = open_live(ana, "/", ana.context.new_page())
        card = beside.locator("#for-you [data-item]").first
        item = card.get_attribute("data-item")
        card.locator("button[value=hide]").click()
        for page in (*pages, beside):
            expect(page.locator(f'[data-item="{item}"]')).to_have_count(0)
        read = lambda tab: tab.evaluate(PICKS, "#picks")  # noqa: E731
        pill, before = pages[0].locator("[data-news]"), set(read(pages[0]))

        def says_how_many_come() -> bool:
            """One, or more where what was hidden had kept others like it away."""
            beside.goto(pages[0].url)
            new = len(set(read(beside)) - before)
            return bool(new) and pill.text_content() == f"{new} new for you"

        wait_for(says_how_many_come, what="the pill says how many are new")
        pill.click()
        becomes_as_fresh(ana, pages[0], read, None)

    def test_what_is_deleted_goes_from_everybodys_pages(self, ana: Any, ben: Any, site: Site) -> None:
        pages = [(who, open_live(who, "/items/for-you/")) for who in (ana, ben)]
        both = set(pages[0][1].evaluate(PICKS, "#picks")) & set(pages[1][1].evaluate(PICKS, "#picks"))
        item = int(sorted(both)[0])
        sql(site, "DELETE FROM catalog_item WHERE id = %s", item)
        for who, page in pages:
            expect(page.locator(f'[data-item="{item}"]')).to_have_count(0)
            page.locator("[data-news]").click()
            becomes_as_fresh(who, page, lambda tab: tab.evaluate(PICKS, "#picks"), None)

    def test_what_somebody_blocked_made_goes(self, visit: Any, ben: Any, site: Site, ask: Ask) -> None:
        """Ben's post is popular, so it is recommended to somebody new, until they block him in another tab."""
        name = f"new{uuid.uuid4().hex[:8]}"
        ask("register", name, DEMO_PASSWORD)
        new = visit()
        new.log_in(name, DEMO_PASSWORD)
        ben.open("/")
        post = int(write(ben, f"Popular {uuid.uuid4()}"))
        reader, author = user_id(site, name), user_id(site, "ben")
        warm(site, post, 120, but=reader)
        card = new.page.locator(f'#picks [data-item="{post}"]')
        wait_for(lambda: new.open("/items/for-you/") and card.count(), what="the post is recommended")
        page = open_live(new, "/items/for-you/")
        sql(site, "INSERT INTO feeds_block (blocker_id, blocked_id) VALUES (%s, %s)", reader, author)
        expect(card).to_have_count(0)
        page.locator("[data-news]").click()
        becomes_as_fresh(new, page, lambda tab: tab.evaluate(PICKS, "#picks"), None)


class TestOperations:
    def test_the_panel_shows_what_is_now(self, visit: Any, site: Site) -> None:
        boss = visit()
        boss.log_in("admin", DEMO_PASSWORD)
        page = boss.open("/admin/")
        page.evaluate("window.notReloaded = true")
        read = lambda tab: tab.locator('[data-figure="Parked after failing"]').evaluate(  # noqa: E731
            "row => [row.className, row.querySelector('span').textContent, row.querySelector('strong').hidden]"
        )
        before, heard = read(page), page.locator("#operations time").text_content()
        sql(
            site,
            "INSERT INTO outbox (aggregatetype, aggregateid, type, payload, parked_at)"
            " VALUES ('none', '1', 'x', '{}', now())",
        )
        try:
            becomes_as_fresh(boss, page, read, before)
            expect(page.locator("#alarms")).to_contain_text("Parked after failing needs a look")
            assert page.locator("#operations time").text_content() != heard
            shown = read(page)
        finally:
            sql(site, "DELETE FROM outbox WHERE aggregatetype = 'none'")
        becomes_as_fresh(boss, page, read, shown)
