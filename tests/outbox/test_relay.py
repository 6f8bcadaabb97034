from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import redis
from django.db import connection, transaction

from recsys.catalog.models import ContentVector, Item
from recsys.outbox import handlers, relay, store
from recsys.outbox.handlers import registered
from recsys.outbox.models import OutboxRow
from tests.site import ROOT, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def running(env: dict[str, str], *command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "manage.py", *command], cwd=ROOT, env=env, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        finally:
            process.kill()
    assert process.returncode == 0


def test_real_relay_and_worker_handle_what_was_committed(process_env):
    """Nobody but the database is told of the change: a bulk insert, as an import or a migration makes it."""
    with running(process_env, "relay"), running(process_env, "worker", "--concurrency", "1"):
        Item.objects.bulk_create([Item(title=f"Submarines under ice, part {n}") for n in range(5)])
        wait_for(lambda: not OutboxRow.objects.exists(), timeout=60, what="the outbox is empty")
    assert ContentVector.objects.count() in (0, 5), "embedded by the serving text model, where there is one"


def test_dispatch_sends_batches_by_topic_and_parks_unknown_topics(settings):
    rows = [OutboxRow(aggregatetype="catalog.item", aggregateid=str(n), type="insert") for n in range(450)]
    OutboxRow.objects.bulk_create([*rows, OutboxRow(aggregatetype="t.nobody", aggregateid="1", type="insert")])
    assert relay.relay_once() == 451
    assert _messages(settings) == -(-450 // registered("catalog.item").batch)
    parked = OutboxRow.objects.get(parked_at__isnull=False)
    assert parked.aggregatetype == "t.nobody"
    assert "No handler" in parked.last_error
    assert relay.relay_once() == 0, "the others are leased"


def test_what_could_not_be_sent_is_due_again(monkeypatch):
    OutboxRow.objects.create(aggregatetype="catalog.item", aggregateid="1", type="insert")
    rows = relay.lease(10)

    def away(**_):
        raise relay.BrokerError("away")

    monkeypatch.setattr(registered("catalog.item").task, "apply_async", away)
    with pytest.raises(relay.BrokerError):
        relay.dispatch(rows)
    assert [row.id for row in relay.lease(10)] == [rows[0].id]


def add(topic: str, count: int, **values) -> None:
    OutboxRow.objects.bulk_create(
        OutboxRow(aggregatetype=topic, aggregateid=str(n), type="insert", **values) for n in range(count)
    )


def test_a_full_queue_gets_no_more_and_holds_up_no_other(monkeypatch, settings):
    """A large author's chunks wait in the outbox; a small author's post goes past them."""
    monkeypatch.setattr(relay, "MAX_WAITING", 3)
    add("feeds.fanout_chunk", 10)
    assert registered("feeds.fanout_chunk").batch == 1
    assert relay.relay_once() == 3, "what the queue has room for"
    assert relay.relay_once() == 0
    add("feeds.post", 1)
    assert relay.relay_once() == 1
    assert _messages(settings) == 4


def test_a_handler_may_ask_for_fewer_messages_in_its_queue(monkeypatch, settings):
    """What waits in the outbox can be passed by smaller jobs, what waits in the broker cannot."""
    entry = registered("feeds.fanout_chunk")
    monkeypatch.setitem(handlers._handlers, entry.topic, replace(entry, waiting=2))
    add("feeds.fanout_chunk", 10)
    add("catalog.item", 10, attempts=relay.SUSPECT)  # a message each, in another queue
    assert relay.relay_once() == 2 + 10
    assert _messages(settings) == 2 + 10


def test_a_million_rows_of_one_topic_do_not_starve_another():
    add("catalog.item", 50)
    add("feeds.post", 1)
    assert {row.topic for row in relay.lease(10)} == {"catalog.item", "feeds.post"}


def test_rows_that_may_have_ended_their_worker_go_alone(settings):
    """Otherwise one that kills its worker would take the same others with it until all are parked."""
    add("catalog.item", 3, attempts=relay.SUSPECT)
    add("catalog.item", 20)
    assert relay.relay_once() == 23
    assert _messages(settings) == 3 + 1


def test_run_outlives_an_outage_of_postgresql(monkeypatch):
    """Its connections are cut at the server; the next sweep connects anew."""
    stop = threading.Event()

    def work():
        try:
            relay.run(stop)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        row = OutboxRow.objects.create(aggregatetype="t.nobody", aggregateid="1", type="insert")
        wait_for(lambda: OutboxRow.objects.filter(pk=row.pk, parked_at__isnull=False).exists())
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def test_run_sweeps_while_valkey_is_away(monkeypatch):
    def nowhere(**_):
        return redis.Redis.from_url("unix:///nowhere/valkey.sock", socket_connect_timeout=0.1)

    monkeypatch.setattr(relay, "make_blocking_client", nowhere)
    test_run_outlives_an_outage_of_postgresql(monkeypatch)


def _messages(settings) -> int:
    url = settings.CELERY_BROKER_URL.replace("redis+socket", "unix").replace("virtual_host", "db")
    with redis.Redis.from_url(url) as broker:
        return sum(broker.llen(key) for key in broker.scan_iter() if broker.type(key) == b"list")


def test_the_lease_is_longer_than_any_message_lives():
    """A worker that takes a message must still own its rows."""
    OutboxRow.objects.create(aggregatetype="catalog.item", aggregateid="1", type="insert")
    relay.lease(1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM leased_until - statement_timestamp()) FROM outbox")
        assert store.LEASE - 5 < float(cursor.fetchone()[0]) <= store.LEASE
