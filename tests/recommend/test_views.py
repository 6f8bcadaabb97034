"""The item page, "For you" and "Trending", as a browser sees them."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from realtime import streams
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.events.actions import EventInput, do_record_events
from recsys.recommend.models import Slate
from tests.web.pages import HTMX, assert_safe, queries_for, text_of

pytestmark = pytest.mark.django_db

ITEM_QUERIES = 24
YESTERDAY = timezone.now() - timedelta(days=1)


@pytest.fixture
def ana(client: Client) -> User:
    user = User.objects.create_user("ana", password="pw", region="GB")
    client.force_login(user)
    return user


@pytest.fixture
def films() -> list[Item]:
    return Item.objects.bulk_create(
        Item(kind="film", title=f"Film {number}", tags=["drama"], category="Drama", published_at=YESTERDAY)
        for number in range(8)
    )


def say(user: User, item: Item, kind: str, value: float | None = None) -> None:
    do_record_events(
        events=[EventInput(event_id=str(uuid.uuid4()), user_id=user.pk, item_id=item.pk, kind=kind, value=value)],
        scope=f"user:{user.pk}",
    )


def recommended(response) -> list[int]:
    return [int(pk) for pk in re.findall(r'data-item="(\d+)"', response.content.decode())]


class TestItem:
    def test_shows_the_item_and_similar_ones_with_reasons(self, client, ana, films):
        response = client.get(films[0].get_absolute_url())
        page = text_of(response)
        assert "Film 0" in page
        assert "drama" in page
        slate = Slate.objects.get(surface="similar")
        assert recommended(response)
        assert f"?r={slate.recommendation_id}" in response.content.decode()
        assert slate.entries[0]["reason"] in page
        assert_safe(response)

    def test_looking_is_recorded_by_the_script_and_not_by_the_request(self, client, ana, films):
        arrived = str(uuid.uuid4())
        response = client.get(films[0].get_absolute_url(), {"r": arrived})
        assert f'data-viewed-item="{films[0].pk}" data-recommendation="{arrived}"' in response.content.decode()
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM events_interaction")
            assert cursor.fetchone() == (0,)

    @pytest.mark.parametrize("recommendation", ["x", "'\"><script>", "", "0" * 500])
    def test_a_nonsense_recommendation_is_ignored(self, client, ana, films, recommendation):
        response = client.get(films[0].get_absolute_url(), {"r": recommendation})
        assert response.status_code == 200
        assert "data-recommendation" not in response.content.decode()

    def test_remembers_what_the_reader_said(self, client, ana, films):
        say(ana, films[0], "like")
        say(ana, films[0], "rate", 3.5)
        page = client.get(films[0].get_absolute_url()).content.decode()
        assert re.search(r'value="like" aria-pressed="true"', page)
        assert re.search(r'value="dislike" aria-pressed="false"', page)
        assert "You gave 3.5 of 5" in page
        assert re.search(r'value="4" id="stars-4" required checked', page)

    def test_a_visitor_may_look_and_is_invited(self, client, films):
        response = client.get(films[0].get_absolute_url())
        assert response.status_code == 200
        assert "data-event-form" not in response.content.decode()
        assert "Log in" in text_of(response)

    def test_hostile_text_stays_text(self, client, ana):
        item = Item.objects.create(
            title='"><script>alert(1)</script>',
            description='<img src=x onerror=alert(1)> javascript:alert(1) https://example.org/"onmouseover="alert(1)',
            category="'\"><b>",
            tags=["<script>", "a & b"],
            url="javascript:alert(1)",
            image_url="data:text/html,<script>alert(1)</script>",
        )
        response = client.get(item.get_absolute_url())
        assert_safe(response)
        assert "<script>alert" not in response.content.decode()
        assert "alert(1)</a>" not in response.content.decode()

    @pytest.mark.parametrize(
        "url", ["javascript:alert(1)", "data:text/html,x", "//x", "ftp://x/y", "http://", "http://["]
    )
    def test_links_only_to_the_web(self, client, url):
        item = Item.objects.create(title="x", url=url)
        response = client.get(item.get_absolute_url())
        assert response.status_code == 200
        assert 'rel="noopener' not in response.content.decode()

    @pytest.mark.parametrize("path", ["/items/0/", "/items/99999999999999999999999999/", "/items/x/"])
    def test_nothing_is_not_found(self, client, path):
        assert client.get(path).status_code == 404

    def test_queries_are_bounded(self, client, ana, films):
        say(ana, films[1], "like")
        queries = queries_for(client, films[0].get_absolute_url())
        assert len(queries) <= ITEM_QUERIES, queries


class TestForYou:
    def test_a_hide_changes_the_very_next_response(self, client, ana, films):
        before = recommended(client.get(reverse("for-you"), headers=HTMX))
        assert before
        say(ana, Item.objects.get(pk=before[0]), "hide")
        after = recommended(client.get(reverse("for-you"), headers=HTMX))
        assert before[0] not in after

    def test_htmx_gets_the_rail_and_a_browser_the_page(self, client, ana, films):
        part, whole = client.get(reverse("for-you"), headers=HTMX), client.get(reverse("for-you"))
        assert "<html" not in part.content.decode()
        assert 'id="for-you"' in part.content.decode()
        assert len(recommended(whole)) == len(films)
        assert "HX-Request" in part["Vary"]
        assert_safe(whole)

    def test_htmx_gets_the_list_of_the_page_where_it_asks_for_it(self, client, ana, films):
        part = client.get(reverse("for-you") + "?part=page", headers=HTMX)
        assert "<html" not in part.content.decode()
        assert 'id="picks"' in part.content.decode()
        assert len(recommended(part)) == len(films)

    @pytest.mark.parametrize("part", ["rail", "page"])
    def test_live_news_go_on_from_the_position_of_its_part(self, client, ana, films, part):
        page = client.get(reverse("for-you") + f"?part={part}", headers=HTMX).content.decode()
        (position,) = re.findall(r'data-live="recommendations"[^>]*data-position="([^"]+)"', page)
        names = [f"recommendations:{ana.pk}", "catalog"]
        streams.append([(name, {"type": "test"}) for name in names])
        assert len(streams.read(names, position).events) == 2

    def test_is_for_those_who_are_signed_in(self, client):
        assert client.get(reverse("for-you")).url.startswith(reverse("account_login"))

    def test_says_so_when_there_is_nothing(self, client, ana):
        assert "Nothing" in text_of(client.get(reverse("for-you"), headers=HTMX))


class TestTrending:
    def test_names_the_readers_region(self, client, ana, films):
        response = client.get(reverse("trending"))
        assert "Trending in United Kingdom" in text_of(response)
        assert_safe(response)

    def test_is_for_visitors_too(self, client, films):
        page = client.get(reverse("trending"))
        assert "Trending everywhere" in text_of(page)
        assert "<form" not in page.content.decode().split("<main")[1]

    @pytest.mark.parametrize(("part", "element", "most"), [("rail", "trending", 5), ("page", "dashboard", 24)])
    def test_htmx_gets_the_part_that_it_asks_for(self, client, ana, films, part, element, most):
        say(ana, films[0], "hide")
        page = client.get(reverse("trending") + f"?part={part}", headers=HTMX)
        html = page.content.decode()
        assert "<html" not in html
        assert f'id="{element}"' in html
        assert html.count("<li data-item=") == min(most, len(films) - 1) + 1, "and what scripts fill in"
        assert 'data-arg="GB" data-position="trending:GB=' in html
        assert f'data-hidden="{films[0].pk}"' in html
        assert "HX-Request" in page["Vary"]

    def test_its_queries_do_not_grow_with_what_trends(self, client, ana, films):
        few = len(queries_for(client, reverse("trending")))
        for number in range(15):
            Item.objects.create(title=f"More {number}", kind="film", published_at=YESTERDAY)
        assert len(queries_for(client, reverse("trending"))) == few


class TestCounts:
    def test_says_what_is_counted_of_what_the_reader_may_see(self, client, films):
        withheld = films[1]
        Item.objects.filter(pk=withheld.pk).update(is_withheld=True)
        answer = client.get(reverse("item-counts"), {"items": f"{films[0].pk},{withheld.pk},999999"})
        assert answer.json() == {"counts": {str(films[0].pk): {"taken_up": 0}}}

    @pytest.mark.parametrize("items", ["x", "1;2", ",".join(map(str, range(31)))])
    def test_what_is_no_list_is_refused(self, client, items):
        answer = client.get(reverse("item-counts"), {"items": items})
        assert answer.status_code == 400
        assert "30 ids" in answer.json()["error"]

    def test_nothing_asked_for_is_nothing(self, client):
        assert client.get(reverse("item-counts")).json() == {"counts": {}}


def test_an_item_that_is_not_for_everybody_is_not_found(client, films):
    Item.objects.filter(pk=films[0].pk).update(is_withheld=True)
    assert client.get(films[0].get_absolute_url()).status_code == 404
