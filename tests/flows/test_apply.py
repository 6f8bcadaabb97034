"""apply(stale page, events) == fresh page, for every type of event that the pages use.

Each test opens a page, changes something (as another person, in the admin, or by raw SQL), and waits until the page
shows what the same page shows when it is loaded now, without having been loaded anew itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psycopg
from playwright.sync_api import expect

from recsys.demo.logins import DEMO_PASSWORD
from recsys.services.paths import ServicePaths
from tests.site import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.site import Site

# What a dashboard shows: each entry's item, words and numbers, in its order.
RANKING = """board => [...document.querySelectorAll(`${board} ol > [data-item]`)].map((one) => [
    one.dataset.item,
    one.querySelector(".pick-title").textContent,
    [...one.querySelectorAll("[data-shows]")].map((shown) => !shown.hidden && shown.textContent),
])"""


def sql(site: Site, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Do it as somebody with psql would."""
    with psycopg.connect(ServicePaths(site.directory).database_url, autocommit=True) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def open_live(visitor: Any, path: str) -> Page:
    page: Page = visitor.open(path)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    page.evaluate("window.notReloaded = true")
    return page


def becomes_as_fresh(visitor: Any, page: Page, read: Callable[[Page], Any], before: Any) -> None:
    """The open page comes to show what a new one shows, and that is not what it showed `before`."""
    fresh = visitor.context.new_page()

    def is_as_fresh() -> bool:
        fresh.goto(page.url)
        now = read(fresh)
        return bool(now != before and read(page) == now)

    wait_for(is_as_fresh, what="the open page shows what a fresh one shows")
    assert page.evaluate("window.notReloaded")
    fresh.close()


def warm(site: Site, item: int, people: int = 40) -> None:
    """Let many people take up an item just now."""
    sql(
        site,
        "INSERT INTO events_interaction (occurred_at, user_id, item_id, kind, region)"
        " SELECT now(), id, %s, 'like', region FROM accounts_user ORDER BY id LIMIT %s",
        item,
        people,
    )


class TestTrending:
    def test_ranks_move_and_new_entries_come(self, visit, site):
        ana = visit()
        ana.log_in("ana", DEMO_PASSWORD)
        page = open_live(ana, "/items/trending/")
        before = page.evaluate(RANKING, "#dashboard")
        ranked = [int(item) for item, *_ in before]
        ((cold,),) = sql(site, "SELECT id FROM catalog_item WHERE kind <> 'post' AND id <> ALL(%s) LIMIT 1", ranked)
        warm(site, cold)
        warm(site, ranked[-1], 20)
        becomes_as_fresh(ana, page, lambda shown: shown.evaluate(RANKING, "#dashboard"), before)
        assert str(cold) in [one[0] for one in page.evaluate(RANKING, "#dashboard")[:3]]
