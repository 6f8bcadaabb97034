from __future__ import annotations

import math
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from recsys.events.heat import HALF_LIFE, Warmth, add_heat, decayed_counts, heat_at, rebuild_heat, region_chain
from recsys.events.models import Interaction, ItemHeat
from recsys.outbox import store
from recsys.outbox.handlers import execute
from recsys.outbox.models import OutboxRow
from tests.catalog.makers import make_item, make_items, make_user
from tests.events.makers import did

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def counts(now: datetime = NOW) -> dict[tuple[str, int], tuple[float, int]]:
    """The decayed count and the total of each counter."""
    rows = list(ItemHeat.objects.values_list("region", "item_id", "heat", "total"))
    decayed = decayed_counts([heat for _, _, heat, _ in rows], now)
    return {(row[0], row[1]): (round(count, 6), row[3]) for row, count in zip(rows, decayed, strict=True)}


@pytest.mark.parametrize(("region", "chain"), [("US-CA", ["US-CA", "US", ""]), ("GB", ["GB", ""]), ("", [""])])
def test_a_region_and_those_that_hold_it(region, chain):
    assert region_chain(region) == chain


@pytest.mark.django_db
def test_an_event_warms_its_item_in_its_region_and_in_those_that_hold_it():
    item = make_item()
    add_heat([Warmth(item.pk, "US-CA", 4.0, NOW)])
    assert counts() == {("US-CA", item.pk): (4, 1), ("US", item.pk): (4, 1), ("", item.pk): (4, 1)}


@pytest.mark.django_db(transaction=True)
def test_an_event_that_is_delivered_twice_is_counted_once():
    item = make_item()
    did(make_user(region="GB"), "view", item)
    rows = store.lease(10)
    for _ in range(2):
        assert execute("events.interaction", [row for row in rows if row.topic == "events.interaction"]) == []
    assert {total for _, total in counts().values()} == {1}


@pytest.mark.django_db
def test_heat_halves_in_a_half_life():
    item = make_item()
    add_heat([Warmth(item.pk, "", 8.0, NOW - 2 * HALF_LIFE)])
    add_heat([Warmth(item.pk, "", 1.0, NOW)])
    assert counts() == {("", item.pk): (3, 2)}


@pytest.mark.django_db
def test_events_that_come_late_count_as_if_they_had_come_in_order():
    item, other = make_items(2)
    add_heat([Warmth(item.pk, "", 1.0, NOW), Warmth(item.pk, "", 1.0, NOW - HALF_LIFE)])
    add_heat([Warmth(other.pk, "", 1.0, NOW - HALF_LIFE)])
    add_heat([Warmth(other.pk, "", 1.0, NOW)])
    assert counts()["", item.pk] == counts()["", other.pk] == (1.5, 2)


@pytest.mark.django_db
def test_heats_of_decades_apart_add_up_without_underflow():
    item = make_item()
    add_heat([Warmth(item.pk, "", 1.0, NOW)])
    add_heat([Warmth(item.pk, "", 1.0, datetime(1995, 1, 1, tzinfo=UTC))])
    assert counts() == {("", item.pk): (1, 2)}


@pytest.mark.django_db
def test_an_item_that_was_deleted_meanwhile_is_left_out():
    item = make_item()
    add_heat([Warmth(0, "", 1.0, NOW), Warmth(item.pk, "", 1.0, NOW)])
    assert list(counts()) == [("", item.pk)]


class Sums(TestCase):
    @settings(max_examples=25, deadline=None)
    @given(
        st.lists(
            st.tuples(st.sampled_from([1.0, 2.0, 4.0]), st.integers(0, 10**6), st.integers(0, 1)),
            min_size=1,
            max_size=8,
        )
    )
    def test_any_split_of_events_into_batches_gives_the_same_sum(self, drawn: list[tuple[float, int, int]]) -> None:
        item = make_item()
        events = [(Warmth(item.pk, "", weight, NOW - timedelta(seconds=age)), batch) for weight, age, batch in drawn]
        for batch in (0, 1):
            add_heat([event for event, number in events if number == batch])
        expected = sum(weight * 2 ** (-timedelta(seconds=age) / HALF_LIFE) for weight, age, _ in drawn)
        (count, total) = counts()["", item.pk]
        assert math.isclose(count, expected, rel_tol=1e-5, abs_tol=1e-6)
        assert total == len(drawn)


@pytest.mark.django_db
def test_the_handler_counts_what_speaks_for_an_item(drain_outbox: Any):
    ana, (liked, clicked, viewed, disliked) = make_user(region="GB"), make_items(4)
    did(ana, "like", liked)
    did(ana, "click", clicked)
    did(ana, "view", viewed)
    did(ana, "dislike", disliked)
    did(ana, "hide", disliked)
    did(ana, "rate", disliked, value=1)
    drain_outbox()
    found = counts(datetime.now(UTC))
    assert set(found) == {(region, item.pk) for region in ("GB", "") for item in (liked, clicked, viewed)}
    assert found["GB", liked.pk][0] > found["GB", clicked.pk][0] > found["GB", viewed.pk][0]
    assert not OutboxRow.objects.filter(aggregatetype="events.interaction").exists()


@pytest.mark.django_db
def test_rebuilding_gives_what_the_handler_gave(drain_outbox: Any):
    ana, items = make_user(region="US-CA"), make_items(3)
    for kind in ("view", "like", "hide"):
        did(ana, kind, *items[:2], ago=timedelta(days=1))
    did(ana, "rate", items[2], value=4)
    drain_outbox()
    before = counts()
    assert len(before) == 9
    assert rebuild_heat() == 9
    assert counts() == before


@pytest.mark.django_db
def test_rebuilding_leaves_to_the_handler_what_it_has_not_counted_yet(drain_outbox: Any):
    ana, item = make_user(), make_item()
    did(ana, "like", item)
    assert rebuild_heat() == 0
    drain_outbox()
    assert counts()["", item.pk][1] == 1


@pytest.mark.django_db
def test_rebuilding_what_was_imported_without_capture():
    ana, item = make_user(), make_item()
    did(ana, "like", item)
    OutboxRow.objects.all().delete()
    Interaction.objects.update(region="GB")
    assert rebuild_heat() == 2
    assert {region for region, _ in counts()} == {"GB", ""}


@pytest.mark.django_db(transaction=True)
def test_counting_at_once_neither_deadlocks_nor_loses_anything():
    items = make_items(5)
    barrier = threading.Barrier(3)
    errors: list[BaseException] = []

    def count(order: int) -> None:
        try:
            barrier.wait()
            for _ in range(10):
                add_heat([Warmth(item.pk, "GB", 1.0, NOW) for item in items[::order]])
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=count, args=(order,)) for order in (1, -1, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert set(counts().values()) == {(30.0, 30)}


def test_the_heat_of_one_event_is_its_time_in_half_lives():
    assert heat_at(NOW + HALF_LIFE) == pytest.approx(heat_at(NOW) + 1)


@pytest.mark.django_db
def test_the_ranking_by_heat_is_served_by_the_index():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off")
        cursor.execute("EXPLAIN SELECT item_id FROM events_itemheat WHERE region = 'GB' ORDER BY heat DESC LIMIT 10")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "itemheat_region_heat" in plan
    assert "Sort" not in plan
