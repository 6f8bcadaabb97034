from __future__ import annotations

import pytest
from django.db import connection
from django.db.models.functions import Now

from recsys.outbox import store
from recsys.outbox.models import OutboxRow
from recsys.outbox.selectors import backlog, relay_lag

pytestmark = pytest.mark.django_db


def add(topic: str, count: int = 1, **values) -> None:
    for n in range(count):
        OutboxRow.objects.create(aggregatetype=topic, aggregateid=str(n), type="insert", **values)


def run_out() -> None:
    """Let every lease have ended a minute ago."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE outbox SET leased_until = statement_timestamp() - interval '1 minute'")


def test_a_leased_row_is_nobody_elses_until_the_lease_runs_out():
    add("t.a")
    assert [row.attempts for row in store.lease(10)] == [0]
    assert store.lease(10) == []
    run_out()
    assert [row.attempts for row in store.lease(10)] == [1]


def test_a_lease_alone_is_no_attempt():
    """Rows whose messages nobody takes go out again and again, while all workers are down."""
    add("t.a")
    for _ in range(2 * store.MAX_ATTEMPTS):
        rows = store.lease(10)
        run_out()
    assert store.begin(rows) != []


def test_room_bounds_a_topic_and_those_longest_due_come_first():
    add("t.a", 6)
    add("t.b", 3)
    rows = store.lease(100, {"t.a": 3, "t.unheard": 5})
    assert sorted(row.key for row in rows if row.topic == "t.a") == ["0", "1", "2"]
    assert sum(row.topic == "t.b" for row in rows) == 3
    assert store.lease(100, {"t.a": 0}) == []


def test_parked_rows_are_not_leased():
    add("t.a", parked_at=Now())
    assert store.lease(10) == []


def test_finishing_tells_what_was_still_there():
    add("t.a", 2)
    rows = store.lease(10)
    assert store.finish(rows[:1]) == {rows[0].id}
    assert store.finish(rows) == {rows[1].id}
    assert store.finish(rows) == set()


def test_the_lag_is_the_age_of_the_row_that_is_longest_due():
    assert relay_lag() == 0
    add("t.a")
    store.lease(10)
    assert relay_lag() == 0, "leased is not late"
    add("t.b")
    run_out()
    assert 55 < relay_lag() < 120
    assert backlog() == {"t.a": {"due": 1}, "t.b": {"due": 1}}


def test_leasing_finds_its_way_by_the_index():
    """However many rows of other topics there are: no scan of the table, and no sort."""
    OutboxRow.objects.bulk_create(
        OutboxRow(aggregatetype=topic, aggregateid=str(n), type="insert")
        for topic in ("t.a", "t.b")
        for n in range(3000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE outbox")
        cursor.execute("EXPLAIN " + store._LEASE, {"limit": 10, "lease": 60, "bounded": [], "rooms": []})
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert plan.count("outbox_due_by_topic") >= 2
    assert "Tid Scan on outbox" in plan
    assert "Seq Scan on outbox" not in plan
    assert "Sort" not in plan
