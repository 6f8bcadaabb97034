from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import redis
from django.db import connection, transaction

from recsys.outbox import handlers, store
from recsys.outbox.handlers import Child, Row, execute, handler
from recsys.outbox.models import OutboxRow
from recsys.outbox.relay import lease


@pytest.fixture
def topics() -> Iterator[None]:
    """Let a test register handlers of its own."""
    before = dict(handlers._handlers)
    yield
    handlers._handlers.clear()
    handlers._handlers.update(before)


def add(topic: str, *keys: str, **values) -> list[OutboxRow]:
    return [OutboxRow.objects.create(aggregatetype=topic, aggregateid=key, type="insert", **values) for key in keys]


def left(topic: str) -> list[str]:
    return sorted(OutboxRow.objects.filter(aggregatetype=topic).values_list("aggregateid", flat=True))


@pytest.mark.django_db
def test_rows_go_when_their_handler_returns(topics):
    seen = []

    @handler("t.done")
    def done(rows):
        seen.extend((row.key, row.type, row.payload) for row in rows)

    add("t.done", "1", payload={"a": 1})
    assert execute("t.done", lease(10)) == []
    assert seen == [("1", "insert", {"a": 1})]
    assert left("t.done") == []


@pytest.mark.django_db
def test_a_bad_row_takes_no_good_one_with_it(topics):
    done = []

    @handler("t.poison")
    def poison(rows):
        for row in rows:
            if row.key == "bad":
                raise ValueError("cannot digest\x00 this")
        done.extend(row.key for row in rows)

    add("t.poison", "1", "bad", "2")
    failed = execute("t.poison", lease(10))
    assert sorted(done) == ["1", "2"]
    assert [row.key for row, _ in failed] == ["bad"]
    row = OutboxRow.objects.get(aggregatetype="t.poison")
    assert row.last_error == "ValueError: cannot digest this"
    assert row.parked_at is None
    assert lease(10) == [], "it waits for its back-off"


@pytest.mark.django_db
def test_a_row_that_keeps_failing_is_parked_and_an_outage_does_not_count(topics):
    @handler("t.keeps")
    def keeps(rows):
        raise error

    (row,) = add("t.keeps", "1")

    def attempt():
        OutboxRow.objects.filter(pk=row.pk).update(leased_until=row.leased_until)
        rows = lease(10)
        assert len(rows) == 1
        execute("t.keeps", rows)
        row.refresh_from_db(fields=["attempts", "parked_at"])

    row.refresh_from_db()
    error: Exception = redis.ConnectionError("away")
    for _ in range(store.MAX_ATTEMPTS + 3):
        attempt()
    assert (row.attempts, row.parked_at) == (1, None)
    error = ValueError("bad")
    for _ in range(store.MAX_ATTEMPTS - 2):
        attempt()
    assert row.parked_at is None
    attempt()
    assert row.parked_at is not None
    assert lease(10) == [], "a parked row is not due"


@pytest.mark.django_db
def test_a_timeout_is_the_rows_fault_where_the_services_answer(topics):
    done = []

    @handler("t.slow")
    def slow(rows):
        if any(row.key == "slow" for row in rows):
            raise redis.TimeoutError("Timeout reading from socket")
        done.extend(row.key for row in rows)

    add("t.slow", "1", "slow", "2")
    failed = execute("t.slow", lease(10))
    assert [(row.key, type(error)) for row, error in failed] == [("slow", redis.TimeoutError)]
    assert sorted(done) == ["1", "2"]


@pytest.mark.django_db
def test_a_timeout_is_an_outage_where_the_services_do_not_answer(topics, settings):
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"

    @handler("t.outage")
    def outage(rows):
        raise redis.TimeoutError("Timeout reading from socket")

    add("t.outage", "1", "2")
    failed = execute("t.outage", lease(10))
    assert [type(error) for _, error in failed] == [handlers.Outage] * 2
    assert set(OutboxRow.objects.values_list("attempts", "parked_at")) == {(1, None)}


@pytest.mark.django_db
def test_a_row_whose_handler_never_ends_is_parked(topics):
    """As where each execution is killed: no handler gets to say that it failed."""
    handler("t.killer")(lambda rows: None)
    row = OutboxRow.objects.create(aggregatetype="t.killer", aggregateid="1", type="insert")
    started = [Row(str(row.pk), "t.killer", "1", "insert", {}, attempts=attempts) for attempts in (0, 3, 8, 9)]
    assert [len(store.begin([again])) for again in started] == [1, 1, 1, 0]
    row.refresh_from_db()
    assert row.parked_at is not None
    assert "killed" in row.last_error


@pytest.mark.django_db
def test_children_are_written_once_however_often_the_parent_is_handled(topics):
    @handler("t.parent")
    def parent(rows):
        return [Child("t.child", f"{row.key}.{n}", "part", {"n": n}) for row in rows for n in range(2)]

    add("t.parent", "1", request_id="req-1")
    rows = lease(10)
    execute("t.parent", rows)
    execute("t.parent", rows)
    assert left("t.child") == ["1.0", "1.1"]
    assert set(OutboxRow.objects.values_list("request_id", flat=True)) == {"req-1"}


@pytest.mark.django_db(transaction=True)
def test_effects_in_the_transaction_happen_exactly_once_in_a_race(topics):
    """Two workers hold the same rows, as after a lease that ran out under a slow one."""
    counted: list[str] = []
    both_in = threading.Barrier(2, timeout=10)

    @handler("t.once", effect="transaction")
    def once(rows):
        counted.extend(row.key for row in rows)

    add("t.once", "1", "2", "3")
    rows = lease(10)

    def work():
        both_in.wait()
        try:
            execute("t.once", rows)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counted) == ["1", "2", "3"]


@pytest.mark.django_db(transaction=True)
def test_a_failing_effect_is_rolled_back_with_the_deletion(topics):
    @handler("t.rollback", effect="transaction")
    def rollback(rows):
        add("t.other", "half done")
        raise ValueError("after half of it")

    add("t.rollback", "1")
    execute("t.rollback", lease(10))
    assert left("t.other") == []
    assert left("t.rollback") == ["1"]


def test_a_topic_has_one_handler(topics):
    handler("t.two")(test_a_topic_has_one_handler)
    with pytest.raises(ValueError, match=r"t\.two"):
        handler("t.two")(test_children_are_written_once_however_often_the_parent_is_handled)


@pytest.mark.django_db(transaction=True)
def test_leases_are_exclusive_among_threads():
    add("t.lease", *map(str, range(200)))
    taken: list[str] = []

    def work():
        try:
            while rows := lease(7):
                taken.extend(row.key for row in rows)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(map(str, range(200)))


@pytest.mark.django_db(transaction=True)
def test_a_lease_that_runs_out_goes_out_again():
    add("t.expired", "1")
    assert [row.attempts for row in lease(10)] == [0]
    assert lease(10) == []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE outbox SET leased_until = statement_timestamp() - interval '1 second'")
    assert [row.attempts for row in lease(10)] == [1]
