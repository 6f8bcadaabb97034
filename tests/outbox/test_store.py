from __future__ import annotations

import pytest
from django.db import connection
from django.db.models.functions import Now

from recsys.outbox import store
from recsys.outbox.models import OutboxRow
from recsys.outbox.rows import Child
from recsys.outbox.selectors import backlog, relay_lag

pytestmark = pytest.mark.django_db


def add(topic: str, count: int = 1, **values) -> None:
    for n in range(count):
        OutboxRow.objects.create(aggregatetype=topic, aggregateid=str(n), type="insert", **values)


def run_out() -> None:
    """Let every lease have ended a minute ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE outbox SET leased_until = statement_timestamp() - interval '1 minute',"
            " created_at = least(created_at, statement_timestamp() - interval '1 minute')"
        )


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


def add_job(key: str, *places: int) -> None:
    store.add_children([Child("t.part", f"{key}{place}", "part", {}, place) for place in places], None)


def leased(*limits: int) -> list[str]:
    """What goes out, in order, where there is room for so many at a time."""
    return [row.key for limit in limits for row in store.lease(limit)]


def shift(seconds: float) -> None:
    """Let all that is there have been written `seconds` ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE outbox SET leased_until = leased_until - make_interval(secs => %(by)s),"
            " created_at = created_at - make_interval(secs => %(by)s)",
            {"by": seconds},
        )


def test_children_are_due_at_once_and_go_out_by_place():
    places = [3, 100_000, 0, 5_000, 2, 99_999, 1]
    add_job("a", *places)
    assert leased(2, 100) == [f"a{place}" for place in sorted(places)]


def test_children_of_jobs_that_come_together_go_out_in_turns():
    store.add_children([Child("t.part", f"{job}{n}", "part", {}, n) for job in "ab" for n in range(3)], None)
    order = leased(*[1] * 6)
    assert [{key[1] for key in order[at : at + 2]} for at in (0, 2, 4)] == [{"0"}, {"1"}, {"2"}]


def test_a_small_job_passes_the_rest_of_a_large_one():
    add_job("large", *range(300))
    done = leased(20)
    shift(1.0)  # in which a STEP each would have been time for half as many
    add_job("small", 0, 1)
    assert leased(2) == ["small0", "small1"]
    assert done + leased(1000) == [f"large{n}" for n in range(300)]


def test_two_large_jobs_end_up_side_by_side():
    add_job("a", *range(300))
    leased(20)
    shift(1.0)
    add_job("b", *range(300))
    order = leased(10, 200)
    assert order[:10] == [f"b{n}" for n in range(10)], "the newcomer catches up"
    assert 90 <= sum(key.startswith("a") for key in order[10:]) <= 110, "and then they take turns"


def test_no_child_lets_others_pass_for_ever():
    add_job("large", 1_000_000)
    shift(store.HEAD_START)
    add_job("small", *range(5))
    assert leased(1) == ["large1000000"]


def test_the_lag_counts_from_when_children_were_written():
    add_job("a", *range(10))
    assert relay_lag() < 5
    assert backlog() == {"t.part": {"due": 10}}
    shift(30)
    assert 30 <= relay_lag() < 35


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
    assert plan.count("Sort Key") == 1, "the rows that were leased, in the order of being due"
