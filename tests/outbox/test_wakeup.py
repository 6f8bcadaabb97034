from __future__ import annotations

import pytest
import redis
from django.contrib.auth.models import Group
from django.db import connection, transaction
from psycopg import sql

from recsys.catalog.models import Item
from recsys.outbox import wakeup
from recsys.outbox.keys import WAKE

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _may_speak(monkeypatch):
    monkeypatch.setattr(wakeup, "_silent_until", 0.0)


def rung(valkey) -> bool:
    return bool(valkey.delete(WAKE.key()))


def test_a_commit_of_a_captured_change_nudges_once(valkey):
    with transaction.atomic():
        Item.objects.create(title="a")
        Item.objects.bulk_create([Item(title="b"), Item(title="c")])
        assert not rung(valkey), "not before the commit"
    assert valkey.llen(WAKE.key()) == 1
    assert 0 < valkey.ttl(WAKE.key()) <= WAKE.ttl
    assert rung(valkey)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE catalog_item SET title = 'x'",
        "with gone as (delete from catalog_item returning id) select * from gone",
        "INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('a', '1', 'x', '{}')",
        "DELETE FROM events_interaction",  # whose trigger stands in a migration
    ],
)
def test_raw_sql_nudges_too(valkey, statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
    assert rung(valkey)


def test_copy_nudges_too(valkey):
    with connection.cursor() as cursor, cursor.copy("COPY auth_group (name) FROM STDIN"):
        pass
    assert not rung(valkey), "not a captured table"
    with transaction.atomic(), connection.cursor() as cursor:
        with cursor.copy("COPY catalog_item (title) FROM STDIN"):
            pass
        assert not rung(valkey), "not before the commit"
    assert rung(valkey)


def test_composed_sql_nudges_too(valkey):
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("UPDATE {} SET title = 'x'").format(sql.Identifier("catalog_item")))
    assert rung(valkey)


def test_reads_rollbacks_and_other_tables_do_not(valkey):
    list(Item.objects.all())
    Group.objects.create(name="x")
    with transaction.atomic():
        Item.objects.create(title="never")
        transaction.set_rollback(True)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM outbox")
    assert not rung(valkey)


def test_a_lost_valkey_fails_no_writer_and_is_left_alone_for_a_while(monkeypatch):
    asked = []

    def broken(url):
        asked.append(url)
        return redis.Redis.from_url("unix:///nowhere/valkey.sock", socket_connect_timeout=0.1)

    monkeypatch.setattr(wakeup, "_client", broken)
    for title in "abc":
        Item.objects.create(title=title)
    assert Item.objects.count() == 3
    assert len(asked) == 1
