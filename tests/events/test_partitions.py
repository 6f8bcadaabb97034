from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections

from recsys.events import partitions
from recsys.events.models import Interaction
from recsys.events.partitions import (
    Period,
    drop_expired,
    ensure_coming_partitions,
    ensure_partitions,
    existing_partitions,
    retention_start,
)
from tests.catalog.makers import make_item, make_user

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def add(occurred_at: datetime, received_at: datetime) -> None:
    Interaction.objects.create(
        occurred_at=occurred_at, user=make_user(), item=make_item(), kind="view", received_at=received_at
    )


@pytest.fixture
def _no_partitions(db):
    with connection.cursor() as cursor:
        for period in existing_partitions():
            cursor.execute(f"DROP TABLE {period.name}")


pytestmark = pytest.mark.usefixtures("_no_partitions")


def test_makes_what_is_missing_and_only_that():
    first, last = NOW - timedelta(days=40), NOW
    names = ["events_interaction_y2026m10", "events_interaction_y2026m11"]
    assert ensure_partitions(first, last, now=NOW) == names
    assert ensure_partitions(first, NOW + timedelta(days=12), now=NOW) == ["events_interaction_y2026m12"]
    assert ensure_partitions(first, last, now=NOW) == []


def test_the_last_and_the_first_moment_of_a_month_have_a_place():
    for moment in (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 30, 23, 59, 59, 999_999, tzinfo=UTC)):
        ensure_partitions(moment, moment, now=NOW)
        add(moment, NOW)
    assert existing_partitions() == {Period(2026, 11)}


def test_a_time_in_another_zone_belongs_to_the_month_in_utc():
    moment = datetime.fromisoformat("2026-12-01T00:30:00+02:00")
    ensure_partitions(moment, moment, now=NOW)
    assert existing_partitions() == {Period(2026, 11)}


def test_years_before_retention_have_one_partition_each():
    ensure_partitions(datetime(1995, 3, 1, tzinfo=UTC), datetime(1996, 5, 1, tzinfo=UTC), now=NOW)
    assert existing_partitions() == {Period(1995), Period(1996)}
    add(datetime(1996, 12, 31, 23, tzinfo=UTC), NOW)
    ensure_partitions(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC), now=NOW)
    assert existing_partitions() >= {Period(2024, 1), Period(2024, 2)}  # retention begins within that year


def test_a_year_that_has_months_already_gets_its_other_months():
    ensure_partitions(
        datetime(2020, 5, 1, tzinfo=UTC), datetime(2020, 5, 2, tzinfo=UTC), now=NOW - timedelta(days=2000)
    )
    made = ensure_partitions(datetime(2020, 4, 1, tzinfo=UTC), datetime(2020, 6, 2, tzinfo=UTC), now=NOW)
    assert made == ["events_interaction_y2020m04", "events_interaction_y2020m06"]


@pytest.mark.parametrize("moment", [datetime(1969, 12, 31, tzinfo=UTC), NOW + timedelta(days=800)])
def test_refuses_times_that_nothing_has_happened_at(moment):
    with pytest.raises(ValueError, match="1970"):
        ensure_partitions(min(moment, NOW), max(moment, NOW), now=NOW)
    assert existing_partitions() == set()


def test_the_coming_months_are_made_beforehand():
    assert ensure_coming_partitions(NOW)[-1] == "events_interaction_y2027m01"
    assert ensure_coming_partitions(NOW) == []


def test_drops_what_is_past_retention():
    ensure_partitions(datetime(2024, 9, 1, tzinfo=UTC), NOW, now=NOW)
    add(datetime(2024, 9, 5, tzinfo=UTC), datetime(2024, 9, 5, tzinfo=UTC))
    add(datetime(2024, 11, 1, tzinfo=UTC), datetime(2024, 11, 1, tzinfo=UTC))
    assert retention_start(NOW) == datetime(2024, 11, 1, tzinfo=UTC)
    assert drop_expired(NOW) == ["events_interaction_y2024m09", "events_interaction_y2024m10"]
    assert Interaction.objects.count() == 1


def test_an_import_of_history_is_kept_as_long_as_if_it_had_happened_when_it_came():
    long_ago = datetime(1996, 6, 1, tzinfo=UTC)
    ensure_partitions(long_ago, long_ago, now=NOW)
    add(long_ago, NOW)
    assert drop_expired(NOW + timedelta(days=700)) == []
    assert drop_expired(NOW + timedelta(days=800)) == ["events_interaction_y1996"]


def test_retention_is_a_setting(settings):
    settings.INTERACTION_RETENTION_MONTHS = 1
    assert retention_start(NOW) == datetime(2026, 10, 1, tzinfo=UTC)
    assert retention_start(datetime(2027, 1, 5, tzinfo=UTC)) == datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.django_db(transaction=True)
def test_many_at_once_make_each_partition_once():
    made: list[str] = []
    barrier = threading.Barrier(4)

    def make() -> None:
        try:
            barrier.wait()
            made.extend(ensure_partitions(NOW - timedelta(days=70), NOW, now=NOW))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [f"{partitions.TABLE}_y2026m{month:02}" for month in (9, 10, 11)]
