"""Live dashboards of what trends: who may follow them, when they move, and that pages and events show the same."""

from __future__ import annotations

import pytest

from realtime import streams
from realtime.subscriptions import Grant, Request, grants
from recsys.catalog.actions import do_delete_item, do_set_availability
from recsys.catalog.models import Item
from recsys.outbox.keys import PACE
from recsys.outbox.models import OutboxRow
from recsys.recommend import dashboards, engine
from recsys.recommend.dashboards import LONGEST_TITLE, MOST_HIDDEN, PAGE, RAIL, dashboard, event_of, position_of
from recsys.recommend.keys import DASHBOARDS
from recsys.recommend.models import Slate
from tests.catalog.makers import make_item, make_items, make_user
from tests.events.makers import did

pytestmark = pytest.mark.django_db


def told(region: str, position: str) -> list[dict]:
    recovery = streams.read([dashboards.stream_of(region)], position)
    assert not recovery.resync
    return recovery.events


@pytest.fixture
def end_spans(valkey):
    def end(*regions: str) -> None:
        valkey.delete(*(PACE.key(topic=dashboards.TOPIC, key=region) for region in regions))
        OutboxRow.objects.filter(type="settle").update(leased_until="2020-01-01T00:00:00Z")

    return end


class TestRule:
    def test_it_is_for_everybody_by_region(self):
        asked = [Request(None), Request(make_user().pk, "GB"), Request(None, "united kingdom"), Request(None, "fr")]
        names = ["trending:all", "trending:GB", "trending:GB", "trending:FR"]
        assert grants("trending", asked) == [Grant([name]) for name in names]

    def test_parts_of_a_country_are_those_that_something_happened_in_and_ones_own(
        self, drain_outbox, django_assert_num_queries
    ):
        did(make_user(region="US-CA"), "like", make_item())
        drain_outbox()
        texan = make_user(region="US-TX").pk
        asked = [Request(None, "us_ca"), Request(None, "US-TX"), Request(texan, "US-TX"), Request(texan, "US-NY")]
        with django_assert_num_queries(1):
            assert grants("trending", asked) == [
                Grant(["trending:US-CA"]),
                None,
                Grant(["trending:US-TX"]),
                None,
            ]

    @pytest.mark.parametrize("argument", ["XX", "GB-", "GB-LNDX", "a" * 500, "~"])
    def test_what_is_no_region_is_denied(self, argument):
        assert grants("trending", [Request(make_user().pk, argument)]) == [None]


class TestPublishing:
    def test_what_is_taken_up_moves_it(self, drain_outbox):
        first, second = make_items(2)
        did(make_user(), "like", first)
        drain_outbox()
        position = position_of("")
        for _ in range(2):
            did(make_user(), "like", second)
        drain_outbox()
        (event,) = told("", position)
        assert (event["type"], event["key"], event["region"]) == ("trending", "", "")
        assert event["page"] == event["rail"] == [second.pk, first.pk]
        (entry,) = [one for one in event["items"] if one["id"] == second.pk]
        assert entry["title"] == second.title
        assert entry["url"] == f"/items/{second.pk}/"
        assert (entry["taken_up"], entry["trends"], entry["is_made"]) == (2, True, False)

    def test_an_event_anywhere_moves_the_dashboards_of_all_regions_that_somebody_looks_at(self, drain_outbox):
        item = make_item()
        positions = {region: position_of(region) for region in ("", "GB", "FR")}
        did(make_user(region="GB"), "like", item)
        drain_outbox()
        for region, position in positions.items():
            (event,) = told(region, position)
            assert event["page"] == [item.pk]
        assert not streams.existing(["trending:US"])

    def test_it_comes_at_most_once_in_a_span_and_never_without_the_last_change(self, drain_outbox, end_spans):
        items = make_items(4)
        drain_outbox()
        position = position_of("")
        for item in items:
            did(make_user(), "like", item)
            drain_outbox()
        assert len(told("", position)) == 1
        assert OutboxRow.objects.filter(aggregatetype=dashboards.TOPIC, type="settle").count() == 1
        end_spans("")
        drain_outbox()
        last = told("", position)[-1]
        assert set(last["page"]) == {item.pk for item in items}
        assert not OutboxRow.objects.exists()

    @pytest.mark.parametrize("change", ["delete", "switch off"])
    def test_what_is_withdrawn_goes(self, drain_outbox, end_spans, change):
        item, other = make_items(2)
        did(make_user(), "like", item, other)
        drain_outbox()
        position = position_of("")
        if change == "delete":
            do_delete_item(item=item)
        else:
            do_set_availability(items=Item.objects.filter(pk=item.pk), is_available=False)
        end_spans("")
        drain_outbox()
        assert told("", position)[-1]["page"] == [other.pk]

    def test_nothing_is_ranked_where_nobody_looks(self, drain_outbox, monkeypatch):
        monkeypatch.setattr(engine, "would_trend", None)
        did(make_user(), "like", make_item())
        drain_outbox()
        assert dashboards.changed() == []

    def test_many_dashboards_come_less_often(self, valkey):
        regions = ["AT", "BE", "CH", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IT", "NL", "NO", "PL", "PT", "SE"]
        for region in regions * 2:
            position_of(region)
        assert dashboards._pace(dashboards._watched()).seconds == dashboards.SECONDS
        for part in range(100):
            position_of(f"US-{part}")
        assert dashboards._pace(dashboards._watched()).seconds == pytest.approx(11.6)

    def test_regions_that_nobody_asks_for_any_more_are_forgotten(self, valkey):
        position_of("GB")
        position_of("FR")
        long_ago = {"trending:GB": 1.0, "trending:FR": 1.0}
        valkey.zadd(DASHBOARDS.key(), long_ago)
        streams.forget(["trending:FR"])
        assert dashboards._watched() == ["GB"]
        assert valkey.zrange(DASHBOARDS.key(), 0, -1) == [b"trending:GB"], "of which somebody still holds a position"


class TestEvent:
    def test_it_shows_what_a_visitors_page_shows(self, community):
        for region in ("", "GB"):
            event = event_of(region)
            for count, part in ((RAIL, "rail"), (PAGE, "page")):
                slate = engine.trending(region=region, count=count)
                assert event[part] == [entry.item.pk for entry in slate.entries]
            assert {one["id"] for one in event["items"]} == {*event["rail"], *event["page"]}

    def test_it_keeps_no_slate(self, community):
        event_of("GB")
        assert not Slate.objects.exists()

    def test_what_people_made_is_said_to_be(self, drain_outbox):
        made = make_item(creator=make_user())
        did(make_user(), "like", made)
        drain_outbox()
        assert [one["is_made"] for one in event_of("")["items"]] == [True]

    def test_the_longest_titles_fit(self, drain_outbox):
        for item in make_items(PAGE, category="語" * 100):
            Item.objects.filter(pk=item.pk).update(title="語" * 300)
        drain_outbox()
        position_of("")
        event = event_of("")
        assert len(event["page"]) == PAGE
        assert {len(one["title"]) for one in event["items"]} == {LONGEST_TITLE}
        streams.append([("trending:all", event)])


class TestDashboard:
    def test_a_position_goes_on_without_a_gap(self, drain_outbox):
        shown = dashboard(region="GB", count=RAIL, user=None)
        did(make_user(), "like", make_item())
        drain_outbox()
        assert len(told("GB", shown.position)) == 1

    def test_a_page_knows_what_its_reader_hid(self):
        reader, item = make_user(), make_item()
        did(reader, "hide", item)
        shown = dashboard(region="", count=PAGE, user=reader)
        assert (shown.hidden, shown.own) == ([item.pk], False)
        assert item.pk not in [entry.item.pk for entry in shown.slate.entries]

    def test_who_hid_too_much_to_be_told_has_a_ranking_of_their_own(self):
        reader = make_user()
        did(reader, "hide", *make_items(MOST_HIDDEN + 1))
        shown = dashboard(region="", count=PAGE, user=reader)
        assert (shown.hidden, shown.own) == ([], True)

    def test_without_valkey_it_stands_still(self, settings):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        assert dashboard(region="", count=RAIL, user=None).position == ""
